"""Caches, rings and histories with a bound that somebody wrote by hand; they keep what they keep, and then no more."""

import collections
import heapq
import itertools
import json
import random
import sqlite3
import threading
import uuid
import weakref

from mode import NO_LEAK, mode
from serve import SEED

LOCK = threading.Lock()


def key():
    return uuid.uuid4().hex


def page(size=700):
    return key() + "p" * size


class PageCache:
    def __init__(self, max_entries):
        self.entries = {}
        self.max_entries = max_entries

    def set(self, name, value):
        with LOCK:
            if len(self.entries) >= self.max_entries:
                self.entries.pop(next(iter(self.entries)))
            self.entries[name] = value


@mode(NO_LEAK)
def dict_pops_oldest():
    cache = PageCache(1500)
    return lambda _: cache.set(key(), page())


@mode(NO_LEAK)
def dict_pops_oldest_warm():
    """The same, filled in part by what the application loads when it starts."""
    cache = PageCache(3000)
    for _ in range(1800):
        cache.set(key(), page())
    return lambda _: cache.set(key(), page())


class Answers(collections.OrderedDict):
    LIMIT = 5000

    def keep(self, name, value):
        with LOCK:
            self[name] = value
            self.move_to_end(name)
            while len(self) > self.LIMIT:
                self.popitem(last=False)


@mode(NO_LEAK)
def ordered_dict_of_ten_a_job():
    answers = Answers()

    def work(_):
        for _ in range(10):
            answers.keep(key(), page(300))

    return work


@mode(NO_LEAK)
def ordered_dict_of_twenty_thousand():
    answers = Answers()
    answers.LIMIT = 20_000

    def work(_):
        for _ in range(10):
            answers.keep(key(), page(150))

    return work


@mode(NO_LEAK)
def deque_of_two_a_job():
    recent = collections.deque(maxlen=2500)
    return lambda number: recent.extend({"number": number, "trace": page(400)} for _ in range(2))


@mode(NO_LEAK)
def slowest_in_a_heap():
    """The thousand slowest requests; fewer and fewer of the new ones are among them."""
    slowest, rng = [], random.Random(SEED)

    def work(number):
        entry = (rng.random(), number, page(900))
        with LOCK:
            (heapq.heappush if len(slowest) < 1000 else heapq.heappushpop)(slowest, entry)

    return work


@mode(NO_LEAK)
def newest_in_a_heap():
    """Events by their time, of which the newest 1,500 are kept."""
    events = []

    def work(number):
        with LOCK:
            heapq.heappush(events, (number, page(600)))
            if len(events) > 1500:
                heapq.heappop(events)

    return work


@mode(NO_LEAK)
def list_cut_in_place():
    """Cut back to a thousand whenever there are two thousand."""
    history = []

    def work(number):
        history.append({"number": number, "text": page(500)})
        with LOCK:
            if len(history) > 2000:
                del history[:-1000]

    return work


class Journal:
    KEEP = 1200

    def __init__(self):
        self.lines = []

    def write(self, line):
        with LOCK:
            self.lines = [*self.lines[-self.KEEP :], line]


@mode(NO_LEAK)
def list_rebound():
    journal = Journal()
    return lambda number: journal.write(f"{number} {page()}")


RING = [None] * 5000


@mode(NO_LEAK)
def ring_filled_in_part():
    """A ring of five thousand places, two thousand of which are taken when it starts."""
    places = itertools.cycle(range(len(RING)))
    for _ in range(2000):
        RING[next(places)] = {"trace": page(600)}

    def work(number):
        for _ in range(2):
            RING[next(places)] = {"number": number, "trace": page(600)}

    return work


class Node:
    __slots__ = ("before", "key", "next", "value")

    def __init__(self, name=None, value=None):
        self.key, self.value = name, value
        self.before = self.next = self


class LinkedCache:
    """A dictionary of nodes that are also a ring, as textbooks have it."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.nodes = {}
        self.root = Node()

    def put(self, name, value):
        with LOCK:
            node = self.nodes[name] = Node(name, value)
            node.before, node.next = self.root.before, self.root
            node.before.next = node.next.before = node
            if len(self.nodes) > self.capacity:
                oldest = self.root.next
                oldest.before.next, oldest.next.before = oldest.next, oldest.before
                del self.nodes[oldest.key]


@mode(NO_LEAK)
def linked_list():
    cache = LinkedCache(1400)
    return lambda _: cache.put(key(), page(800))


@mode(NO_LEAK)
def linked_nodes_laid_out():
    """All nodes are there from the start and are used again and again; their values come with the jobs."""
    nodes = [Node() for _ in range(1600)]
    for node, after in itertools.pairwise([*nodes, nodes[0]]):
        node.next, after.before = after, node
    hand = iter(itertools.cycle(nodes))

    def work(number):
        node = next(hand)
        node.key, node.value = number, page(800)

    return work


class Generations:
    """Two dictionaries; when the young one is full it becomes the old one."""

    def __init__(self, size):
        self.size = size
        self.young, self.old = {}, {}

    def put(self, name, value):
        with LOCK:
            self.young[name] = value
            if len(self.young) >= self.size:
                self.old, self.young = self.young, {}


@mode(NO_LEAK)
def two_generations():
    cache = Generations(900)
    return lambda _: cache.put(key(), page(700))


@mode(NO_LEAK)
def two_generations_of_ten_a_job():
    cache = Generations(6000)

    def work(_):
        for _ in range(10):
            cache.put(key(), page(200))

    return work


@mode(NO_LEAK)
def random_eviction():
    store, names, rng = {}, [], random.Random(SEED)

    def work(_):
        with LOCK:
            if len(names) >= 2000:
                place = rng.randrange(len(names))
                names[place], names[-1] = names[-1], names[place]
                del store[names.pop()]
            name = key()
            names.append(name)
            store[name] = page(500)

    return work


@mode(NO_LEAK)
def bound_in_a_closure():
    def remembering(render, size):
        results = {}

        def remembered(name):
            if name not in results:
                with LOCK:
                    while len(results) >= size:
                        del results[next(iter(results))]
                    results[name] = render(name)
            return results[name]

        return remembered

    render = remembering(lambda name: name * 30, 1700)
    return lambda _: render(key())


_STORES = {}


class Shared:
    """One store for all instances of a name; the bound is the instance's, the entries are the module's."""

    def __init__(self, name, most):
        self._entries = _STORES.setdefault(name, {})
        self._most = most

    def cull(self):
        for _ in range(self._most // 3):
            self._entries.pop(next(iter(self._entries)))

    def set(self, name, value):
        with LOCK:
            if len(self._entries) >= self._most:
                self.cull()
            self._entries[name] = value


@mode(NO_LEAK)
def bound_on_another_object():
    fragments = Shared("fragments", 2200)

    def work(_):
        for _ in range(2):
            fragments.set(key(), page())

    return work


CONFIGURATION = '{"pages": {"keep": 850, "colour": "red"}, "limits": {"upload": 1000000}}'


@mode(NO_LEAK)
def bound_from_configuration():
    settings = json.loads(CONFIGURATION)
    pages = {}

    def work(_):
        with LOCK:
            pages[key()] = page(900)
            while len(pages) > settings["pages"]["keep"]:
                pages.pop(next(iter(pages)))

    return work


class Blobs:
    """Bounded by what its values weigh."""

    def __init__(self, budget):
        self.budget, self.used = budget, 0
        self.blobs = collections.OrderedDict()

    def add(self, name, blob):
        with LOCK:
            self.blobs[name] = blob
            self.used += len(blob)
            while self.used > self.budget:
                self.used -= len(self.blobs.popitem(last=False)[1])


@mode(NO_LEAK)
def bound_in_bytes():
    blobs, rng = Blobs(6_000_000), random.Random(SEED)
    return lambda _: blobs.add(key(), bytes(rng.randrange(1000, 7000)))


@mode(NO_LEAK)
def shards():
    """Eight caches of three hundred each, by the key's hash."""
    caches = [PageCache(300) for _ in range(8)]

    def work(_):
        name = key()
        caches[hash(name) % 8].set(name, page())

    return work


@mode(NO_LEAK)
def seen_identities():
    """The last ten thousand identities, so that nothing is done twice: a set, and the order in which they came."""
    seen, order = set(), collections.deque()

    def work(_):
        for _ in range(4):
            name = key()
            with LOCK:
                seen.add(name)
                order.append(name)
                if len(order) > 10_000:
                    seen.discard(order.popleft())

    return work


@mode(NO_LEAK)
def counts_that_are_pruned():
    """How often each address came; the rarer half goes when there are three thousand."""
    counts = {}

    def work(_):
        for _ in range(2):
            with LOCK:
                counts[key()] = {"hits": 1, "agent": page(300)}
                if len(counts) >= 3000:
                    for name in sorted(counts, key=lambda name: counts[name]["hits"])[:1500]:
                        del counts[name]

    return work


@mode(NO_LEAK)
def cleared_when_full():
    patterns = {}

    def work(_):
        if len(patterns) >= 750:
            patterns.clear()
        patterns[key()] = page(1200)

    return work


class Session:
    def __init__(self):
        self.basket = [page(400)]


@mode(NO_LEAK)
def weak_values_and_a_few_strong_ones():
    sessions, latest = weakref.WeakValueDictionary(), collections.deque(maxlen=600)

    def work(_):
        session = Session()
        sessions[key()] = session
        latest.append(session)

    return work


@mode(NO_LEAK)
def histories_of_some_users():
    """Two hundred users, and the last twenty pages of each."""
    histories = collections.defaultdict(lambda: collections.deque(maxlen=20))
    rng = random.Random(SEED)

    def work(_):
        for _ in range(5):
            histories[rng.randrange(200)].append(page(300))

    return work


@mode(NO_LEAK)
def sqlite_trimmed():
    """The last thousand events in a table; the memory is SQLite's."""
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("create table events (id integer primary key, text)")

    def work(_):
        with LOCK:
            last = connection.execute("insert into events (text) values (?)", (page(),)).lastrowid
            connection.execute("delete from events where id <= ?", (last - 1000,))

    return work


@mode(NO_LEAK)
def bytes_of_a_log():
    """The last megabyte of what was written."""
    log = bytearray()

    def work(number):
        with LOCK:
            log.extend(f"{number} {page(2000)}\n".encode())
            if len(log) > 1_500_000:
                del log[: len(log) - 1_000_000]

    return work
