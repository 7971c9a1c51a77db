"""Cohorts of what holders keep: whole where it leaks, gone where it is swept, evicted, replaced or cleared."""

import functools
import gc
import itertools
import os
import sys
import threading
import tracemalloc
import types
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
import pytest

from labserver.diagnosis.holders.contents import LEAVES, agree, content, leaves_of
from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.diagnosis.holders.survival import Memory
from labserver.diagnosis.instruments import Instruments
from labserver.heap import fork
from labserver.heap.graph import heap_graph
from labserver.heap.heap_growth import HeapGrowth

# The plants stand in one heap, which is looked at again and again: beside other work that takes minutes.
pytestmark = pytest.mark.timeout(900)

BEFORE, JOBS, LOOKS = 60, 100, 5
FULL = 150  # items of what is bounded


class Order:
    def __init__(self, number):
        self.number = f"order-{number}"
        self.image = bytes(900)
        self.state = "new"


class Node:
    __slots__ = ("after", "item")

    def __init__(self, item):
        self.item, self.after = item, None


class Session:
    def __init__(self):
        self.items = []


class Harmful:
    """Whoever asks it anything has run code of the application."""

    asked = 0

    def __init__(self, number):
        self.number = f"order-{number}" * 20

    def _asked(self, *_):
        Harmful.asked += 1
        raise RuntimeError

    __eq__ = __bool__ = __len__ = __iter__ = __repr__ = __getattr__ = __index__ = _asked

    def __hash__(self):
        Harmful.asked += 1
        return id(self)


class HarmfulDict(dict):
    """The same of a container."""

    def _asked(self, *_):
        Harmful.asked += 1
        raise RuntimeError

    keys = values = items = __iter__ = __len__ = __getitem__ = __contains__ = _asked


ITEMS = {
    "instances": Order,
    "tuples": lambda number: (f"order-{number}", number + 0.5, bytes(900)),
    "buffers": lambda number: f"{number:08}".encode() * 120,
}


def at_key(shop, n, item):
    shop.KEPT[f"key-{n}"] = item


def at_number(shop, n, item):
    shop.KEPT[n] = item


def as_member(shop, _, item):
    shop.KEPT.add(item)


def appended(shop, _, item):
    shop.KEPT.append(item)


def copied(shop, n, item):
    shop.KEPT = {**shop.KEPT, n: item}


def longer_tuple(shop, _, item):
    shop.KEPT = (*shop.KEPT, item)


def linked(shop, _, item):
    shop.LAST.after = shop.LAST = Node(item)


def pushed(shop, _, item):
    shop.KEPT = (item, shop.KEPT)


def of_sessions(shop, n, item):
    shop.KEPT[n % 30].items.append(item)


def copied_by_sessions(shop, n, item):
    session = shop.KEPT[n % 30]
    session.items = [*session.items, item]


def in_nested(shop, n, item):
    shop.KEPT[n % 25][n] = item


def memoized(shop, n, _):
    shop.KEPT(n)


def fifo(shop, _, item):
    shop.KEPT.append(item)


def fifo_by_hand(shop, _, item):
    shop.KEPT.append(item)
    if len(shop.KEPT) > FULL:
        shop.KEPT.pop(0)


def lru(shop, n, item):
    shop.KEPT[n] = item
    if len(shop.KEPT) > FULL:
        shop.KEPT.popitem(last=False)


def swept(shop, n, item):
    shop.KEPT[f"key-{n}"] = (n, item)
    if n % 40 == 0:
        for key, (when, _) in list(shop.KEPT.items()):
            if when < n - 110:
                del shop.KEPT[key]


def cleared(shop, _, item):
    if len(shop.KEPT) >= FULL:
        shop.KEPT.clear()
    shop.KEPT[len(shop.KEPT)] = item


def cleared_list(shop, _, item):
    if len(shop.KEPT) >= FULL:
        del shop.KEPT[:]
    shop.KEPT.append(item)


def rebound(shop, n, item):
    if len(shop.KEPT) >= FULL:
        shop.KEPT = {}
    shop.KEPT[f"key-{n}"] = item


def two_generations(shop, n, item):
    shop.KEPT[n] = item
    if len(shop.KEPT) >= FULL:
        shop.BEFORE, shop.KEPT = shop.KEPT, {}


def ring(shop, n, item):
    shop.KEPT[n % FULL] = item


def linked_fifo(shop, n, item):
    linked(shop, n, item)
    if n >= FULL:
        shop.KEPT = shop.KEPT.after


def sessions_that_are_cleared(shop, n, item):
    items = shop.KEPT[n % 30].items
    if len(items) >= 5:
        items.clear()
    items.append(item)


def touched(shop, n, item):
    shop.KEPT[f"user-{n}"] = [f"user-{n}", item, 0.5]
    for user in shop.KEPT.values():
        user[2] += 1.0


def counted(shop, n, _):
    shop.KEPT[f"user-{n}" * 20] = 1e6
    for user in shop.KEPT:
        shop.KEPT[user] += 1.5


def restarted(shop, n, item):
    order = Order(n)
    order.item = item
    shop.KEPT.append(order)
    for other in shop.KEPT:
        other.state, other.image = f"state {n}", bytes(900 + n % 2)


def with_sessions(count=30):
    return [Session() for _ in range(count)]


def with_first():
    return Node(None)


# Each with what it begins with.
LEAKS = {
    "a dict": (at_key, dict),
    "a dict of numbers": (at_number, dict),
    "a defaultdict": (at_number, lambda: defaultdict(list)),
    "a list": (appended, list),
    "a deque": (appended, deque),
    "a set": (as_member, set),
    "an ordered dict": (at_key, OrderedDict),
    "a dict that is copied": (copied, dict),
    "a tuple that is copied": (longer_tuple, tuple),
    "a linked list": (linked, with_first),
    "a stack of pairs": (pushed, tuple),
    "lists of sessions": (of_sessions, with_sessions),
    "lists of sessions that are copied": (copied_by_sessions, with_sessions),
    "nested dicts": (in_nested, lambda: defaultdict(dict)),
    "items that change": (touched, dict),
    "items whose attributes are replaced": (restarted, list),
}
PASSING = {
    "a deque with a maxlen": (fifo, lambda: deque(maxlen=FULL)),
    "a queue by hand": (fifo_by_hand, list),
    "an LRU cache": (lru, OrderedDict),
    "a sweep by age": (swept, dict),
    "a dict that is cleared": (cleared, dict),
    "a list that is cleared": (cleared_list, list),
    "a dict that is rebound": (rebound, dict),
    "two generations": (two_generations, dict),
    "a ring": (ring, lambda: [None] * FULL),
    "a linked queue": (linked_fifo, with_first),
    "sessions that are cleared": (sessions_that_are_cleared, with_sessions),
}
OTHERS = {
    "a memoized function": (memoized, lambda: functools.lru_cache(maxsize=None)(ITEMS["tuples"])),
    "counters of users": (counted, dict),
}


@dataclass
class Watch:
    """Looks at the heap of this process, and what they remembered."""

    looks: list[HeapGrowth] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory.at_baseline)

    def __post_init__(self):
        gc.collect()
        with heap_graph() as graph:
            self.baseline = snapshot_of(graph)

    def look(self):
        """One more look; what it remembers goes through a file."""
        gc.collect()
        with heap_graph() as graph:
            found = find_growth(graph, self.baseline, most=300)
            named = [(holder.fingerprint, holder.item_places) for holder in found.holders]
            memory, file = self.memory.after(graph, self.baseline, named), BytesIO()
            self.looks.append(memory.told_in(found.growth()))
            memory.save(file)
            file.seek(0)
            self.memory = Memory.load(file)

    def cohorts(self, holder):
        """A holder's cohorts at each look that knew it, by the number of the look."""
        prints = {one.fingerprint for look in self.looks for one in look.holders if one.holder == holder}
        found = {}
        for number, look in enumerate(self.looks, 1):
            told = {one.fingerprint: one.cohorts for one in (*look.holders, *look.remembered)}
            if known := [told[name] for name in prints & told.keys()]:
                found[number] = tuple(map(sum, zip(*known, strict=True)))
        return found


@pytest.fixture(scope="module")
def heap():
    """All plants in one heap, with items of each kind, each in a module of its own."""
    plants = {(name, kind): plant for name, plant in (LEAKS | PASSING).items() for kind in ITEMS}
    plants |= {(name, "tuples"): plant for name, plant in OTHERS.items()}
    modules = {name: types.ModuleType(f"shop_{at}") for at, name in enumerate(plants)}
    sys.modules.update({module.__name__: module for module in modules.values()})
    for name, (_, begin) in plants.items():
        modules[name].KEPT = modules[name].LAST = begin()
        if not isinstance(modules[name].KEPT, Node):
            del modules[name].LAST
    jobs = itertools.count()

    def drive(times):
        for number in itertools.islice(jobs, times):
            for name, (job, _) in plants.items():
                job(modules[name], number, ITEMS[name[1]](number))

    drive(BEFORE)
    with heap_graph():
        pass  # what its first use imports is no growth
    watch = Watch()
    for _ in range(LOOKS):
        drive(JOBS)
        watch.look()
    yield lambda name, kind: watch.cohorts(f"module {modules[name, kind].__name__} → KEPT")
    for module in modules.values():
        del sys.modules[module.__name__]


@pytest.mark.parametrize("kind", ITEMS)
@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_keeps_its_cohorts_whole(heap, name, kind):
    looks = heap(name, kind)
    assert list(looks) == [1, 2, 3, 4, 5]
    for number, cohorts in looks.items():
        # A stack of pairs that holds pairs has two for each.
        each = 2 if (name, kind) == ("a stack of pairs", "tuples") else 1
        assert cohorts == pytest.approx([BEFORE * each, *[JOBS * each] * number], abs=5)


@pytest.mark.parametrize("kind", ITEMS)
@pytest.mark.parametrize("name", PASSING)
def test_what_is_bounded_loses_its_old_cohorts(heap, name, kind):
    looks = heap(name, kind)
    born = {number: cohorts[-1] for number, cohorts in looks.items()}
    assert sum(born.values()) >= JOBS
    last = looks[LOOKS]
    assert len(last) == LOOKS + 1
    assert sum(last) <= FULL + 60
    old = range(1, LOOKS - 1)
    assert sum(last[number] for number in old) <= 0.1 * sum(born.get(number, 0) for number in old)
    assert last[0] <= 3


@pytest.mark.parametrize("name", OTHERS)
def test_entries_whose_values_say_little_are_the_same(heap, name):
    (*_, last) = heap(name, "tuples").values()
    assert last[1:] == pytest.approx([JOBS] * LOOKS, abs=5)


@pytest.fixture
def instruments():
    return Instruments()


def of(growth, holder="module shop → KEPT"):
    """The cohorts of the one holder of that path."""
    (found,) = {one.cohorts for one in growth.holders if one.holder == holder}
    return found


def driven(shop, job, first, last, kind="instances"):
    for number in range(first, last):
        job(shop, number, ITEMS[kind](number))
    gc.collect()


@pytest.mark.parametrize("way", ["forked", "traced", "in place"])
def test_every_way_to_look_remembers(shop, instruments, monkeypatch, way):
    shop.KEPT = {}
    if way == "in place":
        monkeypatch.setattr(fork, "CAN_FORK", False)
    if way == "traced":
        tracemalloc.start()
    try:
        driven(shop, at_key, 0, 60)
        instruments.baseline()
        for look in range(3):
            driven(shop, at_key, 60 + look * 100, 160 + look * 100)
            assert of(instruments.growth()) == (60, *[100] * (look + 1))
        instruments.baseline()
        driven(shop, at_key, 360, 400)
        assert of(instruments.growth()) == (360, 40)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ITEMS)
@pytest.mark.parametrize("make", [dict, list])
def test_addresses_that_are_used_again_are_other_items(shop, instruments, make, kind):
    """On purpose at the same keys or places, too."""
    shop.KEPT, job, neighbours = make(), cleared if make is dict else appended, []
    instruments.baseline()
    for number in range(120):
        job(shop, number, ITEMS[kind](number))
        neighbours.append(ITEMS[kind](number))  # so that the pool stays one for items of this size
    gc.collect()
    assert of(instruments.growth()) == (0, 120)
    items = shop.KEPT.values() if make is dict else shop.KEPT
    key_at = {id(item): key for key, item in enumerate(items)}
    shop.KEPT.clear()
    others, again = [], {}
    for number in range(1000, 30_000):
        item = ITEMS[kind](number)
        if id(item) in key_at:
            again[key_at[id(item)]] = item
        else:
            others.append(item)
        if len(again) >= 100:
            break
    del others, item
    if make is dict:
        shop.KEPT.update(sorted(again.items()))
    else:
        shop.KEPT.extend(again[key] for key in sorted(again))
    assert len(again) >= 10
    assert of(instruments.growth()) == (0, 0, len(again))


def test_a_look_that_dies_and_is_taken_again_counts_once(shop, instruments, monkeypatch):
    shop.KEPT, save, (died, dying) = {}, Memory.save, os.pipe()

    def save_and_die(memory, file):
        save(memory, file)
        file.flush()
        if os.read(died, 1) == b"x":
            os._exit(1)

    os.set_blocking(died, False)
    instruments.baseline()
    driven(shop, at_key, 0, 50)
    instruments.growth()
    driven(shop, at_key, 50, 120)
    monkeypatch.setattr(Memory, "save", save_and_die)
    monkeypatch.setattr(Instruments, "_kept", property(lambda self: (self._file, *self._memories, died)))
    os.write(dying, b"x-")
    assert of(instruments.growth()) == (0, 50, 70)
    with pytest.raises(BlockingIOError):
        os.read(died, 1)  # both looks have saved
    monkeypatch.undo()
    os.close(died)
    os.close(dying)
    driven(shop, at_key, 120, 150)
    assert of(instruments.growth()) == (0, 50, 70, 30)


def test_a_holder_that_is_not_named_any_more_is_remembered(shop, instruments):
    shop.KEPT, shop.PENDING, shop.DONE, shop.GONE = {}, [], [], {}
    driven(shop, at_key, 0, 100)
    instruments.baseline()
    driven(shop, at_key, 100, 200)
    shop.PENDING += [Order(number) for number in range(150)]
    shop.GONE.update({number: Order(number) for number in range(200)})
    named = {one.fingerprint: one.holder for one in instruments.growth().holders}
    for key in list(shop.KEPT)[:150]:
        del shop.KEPT[key]
    shop.DONE, shop.PENDING = shop.PENDING, []
    shop.GONE = {}
    gc.collect()
    told = {named[one.fingerprint]: one.cohorts for one in instruments.growth().remembered}
    assert told["module shop → KEPT"] == (0, 50, 0)
    assert told["module shop → PENDING"] == (0, 0, 0)  # they hang from another holder now
    assert told["module shop → GONE"] == (0, 0, 0)
    driven(shop, at_key, 200, 230)
    shop.GONE["key"] = Order(1)
    growth = instruments.growth()
    told = {named.get(one.fingerprint): one.cohorts for one in (*growth.holders, *growth.remembered)}
    assert told["module shop → KEPT"] == (0, 50, 0, 30)
    assert told["module shop → GONE"] == (0, 0, 0, 1)


def test_items_of_a_holder_that_cannot_be_found_count_as_there_while_they_live(shop, instruments):
    shop.KEPT = types.SimpleNamespace(orders=[])
    instruments.baseline()
    shop.KEPT.orders += [Order(number) for number in range(100)]
    (holder,) = instruments.growth().holders
    shop.OTHER = [shop.KEPT.orders[number] for number in range(70)]
    del shop.KEPT
    gc.collect()
    (told,) = [one.cohorts for one in instruments.growth().remembered if one.fingerprint == holder.fingerprint]
    assert told == (0, 70, 0)


def test_of_many_items_a_sample_tells_the_same(shop, instruments):
    """A cohort does not change its size when the sample becomes smaller."""
    shop.KEPT, shop.QUEUE = {}, deque(maxlen=12_000)
    instruments.baseline()
    before = ()
    for look in range(1, 5):
        for number in range((look - 1) * 6000, look * 6000):
            shop.KEPT[f"key-{number}"] = shop.QUEUE.append([f"item-{number}"]) or (f"value-{number}", number)
        growth = instruments.growth()
        kept, queued = of(growth), of(growth, "module shop → QUEUE")
        assert kept == pytest.approx([0, *[6000] * look], rel=0.1)
        assert kept[1:-1] == before[1:]
        assert queued[-2:] == pytest.approx([6000 if look > 1 else 0, 6000], rel=0.1)
        assert sum(queued[:-2]) == 0
        before = kept


def test_a_pool_that_lends_its_items_keeps_them(shop, instruments):
    shop.KEPT = deque()
    instruments.baseline()
    shop.KEPT.extend(Order(number) for number in range(80))
    assert of(instruments.growth()) == (0, 80)
    for number in range(500):
        lent = shop.KEPT.popleft()
        lent.state = f"lent {number}"
        shop.KEPT.append(lent)
    del lent
    assert of(instruments.growth()) == (0, 80, 0)


def test_what_threads_hold_are_items(instruments):
    leave, keeps, threads = threading.Event(), threading.Semaphore(0), []

    def work(number):
        kept = [f"{number}-{line}" * 50 for line in range(20)]
        keeps.release()
        leave.wait()
        del kept

    def start(count):
        for number in range(count):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
        for _ in range(count):
            keeps.acquire()

    instruments.baseline()
    try:
        start(20)
        first = {one.fingerprint: one.cohorts for one in instruments.growth().holders}
        start(10)
        second = {one.fingerprint: one.cohorts for one in instruments.growth().holders}
    finally:
        leave.set()
        for thread in threads:
            thread.join()
    # Other threads may be there already.
    whole = [name for name in first if first[name][1:] == (20,) and second.get(name, ())[1:] == (20, 10)]
    assert whole, (first, second)


def test_no_code_of_the_application_runs(shop, instruments):
    shop.KEPT, shop.LISTED, shop.KEYED = HarmfulDict(), [], {}
    instruments.baseline()
    for look in range(2):
        for number in range(look * 100, look * 100 + 100):
            dict.__setitem__(shop.KEPT, f"key-{number}", Harmful(number))
            shop.LISTED.append(Harmful(number))
            shop.KEYED[Harmful(number)] = Harmful(number)
        Harmful.asked = 0
        growth = instruments.growth()
        for name in ("KEPT", "LISTED", "KEYED"):
            assert of(growth, f"module shop → {name}") == (0, *[100] * (look + 1))
    # In a child nobody would see it, so once more here.
    with heap_graph() as graph:
        found = find_growth(graph, snapshot_of(graph))
    leaves_in_heap([*shop.LISTED, *dict.values(shop.KEPT)])
    assert found.complete
    assert Harmful.asked == 0


@pytest.mark.parametrize("make", [str, bytes, float, int, tuple, list], ids=lambda make: make.__name__)
def test_subclasses_have_no_content(make):
    derived = type("Derived", (make,), {})
    assert content(derived()) is None
    assert (content(make()) is None) == (make is list)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a" * 100, "a" * 101),
        (b"head" + bytes(10_000), b"Head" + bytes(10_000)),
        (bytes(10_000) + b"tail", bytes(10_000) + b"Tail"),
        (1 << 9000, 1 << 9001),
        (1.5, 2.5),
        (("a", 1), ("a", 2)),
    ],
)
def test_content_tells_apart(one, other):
    assert content(one) != content(other)
    assert content(one) == content(one)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (["order {}", 1e6, bytes(900)], {1: 1.5, 2: bytes(901)}, True),  # one is enough
        (["order {}", 1e6, bytes(900)], {0: "another one", 1: 1.5}, False),  # what all say is none
        ([1e6 + 0.5, bytes(900)], {0: 1.5}, True),  # a counter, beside what stays
        ([1e6 + 0.5], {0: 1.5}, False),
        (["in stock"], {}, True),  # says nothing of its own
        ([], {}, True),
        (["order {}"], {0: None}, True),
    ],
)
def test_items_are_told_apart_by_what_they_say(shop, before, after, same):
    def items():
        for number in range(5):
            said = [part.format(number) if isinstance(part, str) else part for part in before]
            yield [said[0] + number if isinstance(said[0], float) else said[0], *said[1:]] if said else []

    shop.KEPT = [[bytes(bytearray(part)) if isinstance(part, bytes) else part for part in item] for item in items()]
    first = leaves_in_heap(shop.KEPT)
    for number, item in enumerate(shop.KEPT):
        for place, part in after.items():
            item[place] = f"{part} {number}" if isinstance(part, str) else part and part * (number + 1)
    assert agree(leaves_in_heap(shop.KEPT), first).tolist() == [same] * 5


def leaves_in_heap(items):
    with heap_graph() as graph:
        return leaves_of(graph, np.array([graph.find(item) for item in items], dtype=np.int64))


def test_leaves_are_what_an_item_alone_has(shop):
    shared = "shared by all of them"
    shop.SHARED = shared
    shop.KEPT = [{"own": f"number {number}", "shared": shared, "small": 1} for number in range(3)]
    shop.KEPT[2]["more"] = [f"line {number}" for number in range(LEAVES + 5)]
    leaves = leaves_in_heap(shop.KEPT)
    assert leaves_in_heap([]).shape == (0, LEAVES)
    assert [int((row != 0).sum()) for row in leaves] == [1, 1, LEAVES]
    assert len(set(leaves[:, 0].tolist())) == 3
