"""What a look says of bounds, of accounts in bytes and of what takes something out, on whole heaps."""

import _thread
import collections
import queue
import threading

import pytest

from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.heap.graph import heap_graph
from labserver.heap.root import RootKind

BOUNDED = {
    "the bound on the instance, the entries in a module's dictionary": (
        """
STORES = {}
class Cache:
    def __init__(self, name, most):
        self._entries = STORES.setdefault(name, {})
        self._most = most
    def set(self, key, value):
        if len(self._entries) >= self._most:
            for _ in range(self._most // 3):
                self._entries.pop(next(iter(self._entries)))
        self._entries[key] = value
CACHE = Cache("pages", 1500)
def work(number):
    CACHE.set(number, bytes(1000))
""",
        1500,
    ),
    "a manager compares the length of its store's entries": (
        """
class Store:
    def __init__(self):
        self.entries = {}
class Manager:
    def __init__(self):
        self.store, self.most = Store(), 700
    def put(self, key, value):
        if len(self.store.entries) >= self.most:
            self.store.entries.popitem()
        self.store.entries[key] = value
MANAGER = Manager()
def work(number):
    MANAGER.put(number, bytes(1000))
""",
        700,
    ),
    "a closure": (
        """
def make(most):
    cache = {}
    def put(key, value):
        cache[key] = value
        if len(cache) > most:
            cache.pop(next(iter(cache)))
    return put
PUT = make(900)
def work(number):
    PUT(number, bytes(1000))
""",
        900,
    ),
    "a class's attribute": (
        """
class Log:
    LINES = []
    MOST = 640
    @classmethod
    def add(cls, line):
        cls.LINES.append(line)
        if len(cls.LINES) > cls.MOST:
            del cls.LINES[0]
def work(number):
    Log.add(bytes(1000))
""",
        640,
    ),
    "the default of a parameter": (
        """
def work(number, seen={}):
    if len(seen) > 650:
        seen.clear()
    seen[number] = bytes(1000)
""",
        650,
    ),
    "a helper that gets it": (
        """
CACHE = {}
def trim(cache, most=600):
    while len(cache) > most:
        cache.popitem()
def work(number):
    CACHE[number] = bytes(1000)
    trim(CACHE)
""",
        600,
    ),
    "an alias, a lock and a method": (
        """
import threading
class Cache:
    MOST = 777
    def __init__(self):
        self._kept, self._lock = {}, threading.Lock()
    def put(self, key, value):
        with self._lock:
            kept = self._kept
            kept[key] = value
            self._shrink()
    def _shrink(self):
        kept = self._kept
        while len(kept) > self.MOST:
            del kept[next(iter(kept))]
CACHE = Cache()
def work(number):
    CACHE.put(number, bytes(1000))
""",
        777,
    ),
    "the last lines of a log": (
        """
LOG = []
def work(number):
    global LOG
    LOG.append(bytes(1000))
    LOG = LOG[-500:]
""",
        500,
    ),
    "a slice that is deleted": (
        """
LOG = []
def work(number):
    LOG.append(bytes(1000))
    del LOG[:-800]
""",
        800,
    ),
    "as many as are too many": (
        """
from collections import OrderedDict
class Lru:
    def __init__(self, capacity):
        self.capacity, self.kept = capacity, OrderedDict()
    def put(self, key, value):
        self.kept[key] = value
        excess = len(self.kept) - self.capacity
        for _ in range(excess):
            self.kept.popitem(last=False)
CACHE = Lru(640)
def work(number):
    CACHE.put(number, bytes(1000))
""",
        640,
    ),
    "a count beside it": (
        """
class Cache:
    def __init__(self):
        self.kept, self.clients, self.count = {}, [1] * 30, 0
    def put(self, key, value):
        if self.count >= 1111:
            self.kept.popitem()
            self.count -= 1
        self.kept[key] = value
        self.count += 1
CACHE = Cache()
def work(number):
    CACHE.put(number, bytes(1000))
""",
        1111,
    ),
    "a setting": (
        """
CONFIG = {"most": 950}
CACHE = {}
def work(number):
    CACHE[number] = bytes(1000)
    if len(CACHE) > CONFIG["most"]:
        CACHE.clear()
""",
        950,
    ),
    "a heap": (
        """
import heapq
QUEUE = []
def work(number):
    heapq.heappush(QUEUE, (number, bytes(1000)))
    if len(QUEUE) > 900:
        heapq.heappop(QUEUE)
""",
        900,
    ),
    "a queue of each of a few users": (
        """
from collections import deque
class User:
    def __init__(self):
        self.recent = deque(maxlen=100)
USERS = {number: User() for number in range(7)}
def work(number):
    USERS[number % 7].recent.append(bytes(1000))
""",
        700,
    ),
    "a library's cache": (
        """
import cachetools
CACHE = cachetools.TTLCache(maxsize=1500, ttl=60)
def work(number):
    CACHE[number] = bytes(1000)
""",
        1500,
    ),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_a_bound_is_found_wherever_it_stands(holders, name):
    assert holders[name].bound == BOUNDED[name][1]


UNBOUNDED = {
    "a window for each key, and a limit of requests": """
class RateLimiter:
    def __init__(self, limit):
        self.limit, self.hits = limit, {}
    def allow(self, key):
        recent = [hit for hit in self.hits.get(key, []) if hit[0] > 0]
        if len(recent) >= self.limit:
            return False
        recent.append((1, bytes(1000)))
        self.hits[key] = recent
        return True
LIMITER = RateLimiter(5000)
def work(number):
    LIMITER.allow(number)
""",
    "the bound of what came, many times": """
import queue
class Session:
    def __init__(self):
        self.inbox = queue.Queue(maxsize=10_000)
        self.inbox.put(bytes(3000))
SESSIONS = []
def work(number):
    SESSIONS.append(Session())
""",
    "the bound of each of some threads": """
import queue, threading
STOP, SESSIONS = threading.Event(), []
class Session(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.inbox = queue.Queue(maxsize=10_000)
    def run(self):
        inbox = self.inbox
        inbox.put(bytes(6000))
        STOP.wait()
def work(number):
    if number % 10 == 0:
        SESSIONS.append(Session())
        SESSIONS[-1].start()
def end():
    STOP.set()
    for session in SESSIONS:
        session.join()
""",
    "the bound of a sibling": """
class Hub:
    def __init__(self):
        self.max_entries, self.clients, self.log = 1000, [1, 2, 3], []
HUB = Hub()
def work(number):
    HUB.log.append(bytes(1000))
""",
    "the bound of the service that has it": """
class Store:
    def __init__(self):
        self.entries = {}
class Service:
    def __init__(self):
        self.max_entries, self.store = 1000, Store()
SERVICE = Service()
def work(number):
    SERVICE.store.entries[number] = bytes(1000)
""",
    "another module's global of that name": """
import types
OTHER = types.ModuleType("other")
exec("CACHE = {}\\ndef put():\\n    if len(CACHE) > 9: CACHE.clear()", vars(OTHER))
CACHE = {}
def work(number):
    CACHE[number] = bytes(1000)
""",
    "lists that grow in a fixed number of places": """
USERS = {number: [] for number in range(30)}
def work(number):
    USERS[number % 30].append(bytes(1000))
""",
    "lists that are replaced in a fixed number of places": """
USERS = {number: [] for number in range(25)}
def work(number):
    USERS[number % 25] = [*USERS[number % 25], bytes(1000)]
""",
    "texts that are replaced in a fixed number of places": """
STATE = {number: b"" for number in range(25)}
def work(number):
    STATE[number % 25] += bytes(1000)
""",
    "a tree whose leaves have places for leaves": """
class Node:
    def __init__(self, key):
        self.key, self.less, self.more, self.value = key, None, None, bytes(1000)
ROOT = Node(500)
def work(number):
    node, key = ROOT, number * 7919 % 10007
    while (below := node.less if key < node.key else node.more) is not None:
        node = below
    if key < node.key:
        node.less = Node(key)
    else:
        node.more = Node(key)
""",
    "copy on write": """
STORE = {}
def work(number):
    global STORE
    STORE = {**STORE, number: bytes(1000)}
""",
    "a count of requests": """
class Cache:
    def __init__(self):
        self.kept, self.requests, self.limit = {}, 5000, 100_000
    def put(self, key, value):
        self.requests += 3
        if self.requests > self.limit:
            self.kept.clear()
        self.kept[key] = value
CACHE = Cache()
def work(number):
    CACHE.put(number, bytes(1000))
""",
    "attributes that are replaced": """
import sys
SHOP = sys.modules[__name__]
def work(number):
    name = f"value_{number % 2}"
    setattr(SHOP, name, [*getattr(SHOP, name, ()), bytes(1000)])
""",
    "a queue without an end": """
import queue
QUEUE = queue.Queue()
def work(number):
    QUEUE.put(bytes(1000))
""",
}


@pytest.mark.parametrize("name", UNBOUNDED)
def test_what_is_no_bound_stays_out(holders, name):
    assert (holders[name].bound, holders[name].bound_bytes, holders[name].thinks_bytes) == (None, None, None)


LAID_OUT = {
    "a list": ("PLACES = [None] * 2000\ndef work(n):\n    PLACES[n % 2000] = {'n': n, 'x': bytes(500)}", 2000),
    "a short list that has been written over": (
        "PLACES = [None] * 150\ndef work(n):\n    PLACES[n % 150] = bytearray(1000 + n)",
        150,
    ),
    "lists of lists": (
        "GRID = [[None] * 50 for _ in range(40)]\ndef work(n):\n    GRID[n % 40][n // 40 % 50] = bytes(1000)",
        2000,
    ),
    "a dictionary": (
        "PLACES = dict.fromkeys(range(1500))\ndef work(n):\n    PLACES[n % 1500] = bytes(1000)",
        1500,
    ),
    "an array": (
        "import numpy\nPLACES = numpy.empty(800, dtype=object)\ndef work(n):\n    PLACES[n % 800] = bytes(1000)",
        800,
    ),
    "objects with an attribute each": (
        """
class Slot:
    def __init__(self):
        self.value = None
PLACES = [Slot() for _ in range(1200)]
def work(n):
    PLACES[n % 1200].value = bytes(1000)
""",
        1200,
    ),
    "a ring of nodes whose beginning moves": (
        """
class Node:
    __slots__ = ("after", "value")
    def __init__(self):
        self.value = self.after = None
FIRST = LAST = Node()
for _ in range(1999):
    LAST.after = Node()
    LAST = LAST.after
LAST.after = FIRST
def work(n):
    global FIRST
    FIRST.value = bytes(1000)
    FIRST = FIRST.after
""",
        2000,
    ),
}


@pytest.mark.parametrize("name", LAID_OUT)
def test_places_that_were_laid_out_beforehand_are_a_bound(holders, name):
    holder, places = holders[name], LAID_OUT[name][1]
    assert holder.bound == places
    assert holder.bound_from == f"its {places:,} places have been there from the first look on"
    assert holder.length is None, "empty places are no entries, so that it would seem to be full"


OF_LENGTH = {
    "a list": ("[]", "KEPT.append(value)"),
    "a dict": ("{}", "KEPT[number] = value"),
    "a set": ("set()", "KEPT.add(value)"),
    "a deque": ("collections.deque()", "KEPT.append(value)"),
    "an ordered dict": ("collections.OrderedDict()", "KEPT[number] = value"),
    "a class with an idea of its own": ("Odd()", "KEPT[number] = value"),
}
ODD = """
import collections
class Odd(dict):
    def __len__(self):
        raise AssertionError("it ran")
"""


@pytest.mark.parametrize("name", OF_LENGTH)
def test_the_length_comes_with_the_holder(holders, name):
    assert holders[f"length of {name}"].length == 260


def test_the_length_of_a_memoized_function_is_that_of_its_results(holders):
    assert (holders["memoized"].length, holders["memoized"].bound) == (260, 1500)


IN_BYTES = {
    "an account that code keeps": (
        """
class Cache:
    def __init__(self):
        self.kept, self.used, self.most = {}, 0, 5_000_000
    def put(self, key, value):
        while self.used + len(value) > self.most:
            self.used -= len(self.kept.popitem()[1])
        self.kept[key] = value
        self.used += len(value)
CACHE = Cache()
def work(number):
    CACHE.put(number, bytes(1000))
""",
        (5_000_000, 260_000),
    ),
    "a library's, whose bound is `maxsize`": (
        """
import cachetools
CACHE = cachetools.LRUCache(maxsize=2_000_000, getsizeof=len)
def work(number):
    CACHE[number] = bytes(1000)
""",
        (2_000_000, 260_000),
    ),
    "what is left of a budget": (
        """
class Cache:
    def __init__(self):
        self.kept, self.bytes, self.budget = {}, 0, 3_000_000
    def free(self):
        return self.budget - self.bytes
    def put(self, key, value):
        while self.free() < len(value):
            self.bytes -= len(self.kept.popitem()[1])
        self.kept[key] = value
        self.bytes += len(value)
CACHE = Cache()
def work(number):
    CACHE.put(number, bytes(1000))
""",
        (3_000_000, 260_000),
    ),
    "globals": (
        """
MAX_SIZE, SIZE, KEPT = 4_000_000, 0, []
def work(number):
    global SIZE
    KEPT.append(bytes(1000))
    SIZE += 1000
    while SIZE > MAX_SIZE:
        SIZE -= len(KEPT.pop(0))
""",
        (4_000_000, 260_000),
    ),
    "a size that is handed on": (
        """
class Cache:
    def __init__(self):
        self.kept, self.used, self.most = {}, 0, 5_000_000
    def put(self, key, value, size):
        while self.used + size > self.most:
            self.used -= self.kept.popitem()[1][1]
        self.kept[key] = value, size
        self.used += size
CACHE = Cache()
def work(number):
    CACHE.put(number, bytes(1000), 1000)
""",
        (5_000_000, 260_000),
    ),
    "a name alone": (
        """
class Cache:
    def __init__(self):
        self.kept, self.max_bytes = {}, 5_000_000
CACHE = Cache()
def work(number):
    CACHE.kept[number] = bytes(1000)
""",
        (5_000_000, None),
    ),
}


@pytest.mark.parametrize("name", IN_BYTES)
def test_an_account_in_bytes_is_told_apart_from_entries(holders, name):
    holder = holders[name]
    assert (holder.bound_bytes, holder.thinks_bytes) == IN_BYTES[name][1]
    assert holder.bound is None


# How many bytes the entries weigh that are no objects, by the bound on their number.
OF_PLAIN = {
    "a buffer": (
        """
LOG = bytearray()
def work(number):
    LOG.extend(bytes(100))
    if len(LOG) > 500_000:
        LOG.clear()
""",
        500_000,
    ),
    "a text": (
        """
TEXT = ""
def work(number):
    global TEXT
    TEXT += "x" * 100
    if len(TEXT) > 300_000:
        TEXT = ""
""",
        300_000,
    ),
    "numbers in an array": (
        """
import array
SAMPLES = array.array("d")
def work(number):
    SAMPLES.extend([1.5] * 20)
    if len(SAMPLES) > 40_000:
        del SAMPLES[:]
""",
        320_000,
    ),
    "one object again and again": (
        """
MARKS = []
def work(number):
    MARKS.extend([None] * 50)
    if len(MARKS) > 100_000:
        MARKS.clear()
""",
        800_000,
    ),
}


@pytest.mark.parametrize("name", OF_PLAIN)
def test_a_bound_on_entries_that_are_no_objects_is_one_in_bytes(holders, name):
    """What came is one object or none: a million bytes are not a million of it."""
    holder = holders[name]
    assert (holder.bound, holder.length) == (None, None)
    assert OF_PLAIN[name][1] <= holder.bound_bytes <= 1.2 * OF_PLAIN[name][1]


@pytest.mark.parametrize("inbox", [lambda: queue.Queue(maxsize=10_000), lambda: collections.deque(maxlen=10_000)])
def test_the_bound_of_each_of_some_threads_that_came_bounds_nothing(inbox):
    stop, started, ended = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

    def serve():
        kept = inbox()
        getattr(kept, "queue", kept).append(bytes(6000))
        started.release()
        stop.wait()
        ended.release()

    def begin(number):
        for _ in range(number):
            _thread.start_new_thread(serve, ())  # nothing but its stack holds what it has
        for _ in range(number):
            started.acquire()

    try:
        begin(2)
        with heap_graph() as graph:
            before = snapshot_of(graph)
        begin(20)
        with heap_graph() as graph:
            found = find_growth(graph, before)
    finally:
        stop.set()
        for _ in range(22):
            ended.acquire()
    (holder,) = (one for one in found.holders if one.growth_bytes > 100_000)
    assert holder.root.kind is RootKind.LOCAL
    assert holder.bound is None


@pytest.fixture(scope="module")
def holders(grown):
    """Who holds the most, by the name of the code."""
    codes = {
        name: code for name, (code, _) in [*BOUNDED.items(), *LAID_OUT.items(), *IN_BYTES.items(), *OF_PLAIN.items()]
    }
    for name, (kept, add) in OF_LENGTH.items():
        codes[f"length of {name}"] = (
            f"{ODD}KEPT = {kept}\ndef work(number):\n    value = bytes(1000 + number)\n    {add}\n"
        )
    codes["memoized"] = (
        "import functools\n@functools.lru_cache(maxsize=1500)\ndef render(number):\n    return bytes(1000)\n"
        "def work(number):\n    render(number)\n"
    )
    return grown({**codes, **UNBOUNDED})
