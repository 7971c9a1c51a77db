"""What hangs directly below a holder, how many of it came, what that weighs and consists of."""

import asyncio
import contextvars
import functools
import gc
import heapq
import queue
import sys
import threading
import types
import weakref
from collections import OrderedDict, defaultdict, deque

import pytest

from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.heap.graph import heap_graph

BEFORE, JOBS = 60, 120


class Session:
    def __init__(self, number):
        self.user, self.page, self.seen = f"user {number}", payload(number), {"at": f"{number}!"}

    def close(self):
        """A method to be bound."""


class Slotted:
    __slots__ = ("page", "seen")

    def __init__(self, number):
        self.page, self.seen = payload(number), [number + 0.5]


class Order:
    def __init__(self, number):
        self.lines = [{"article": f"article {number} {line}", "price": number + 0.1} for line in range(3)]


class Node:
    def __init__(self, payload=None, after=None):
        self.payload, self.after = payload, after


class Registry:
    """Keeps all sessions by the class."""


Registry.sessions = []


class Pair(tuple):
    __slots__ = ()


VARIABLE = contextvars.ContextVar("session")


def payload(number):
    return bytes(1000 + number % 5)


def instances(shop, n):
    shop.KEPT[f"user {n}"] = Session(n)


def slotted(shop, n):
    shop.KEPT[n + 1000] = Slotted(n)


def records(shop, n):
    shop.KEPT.append({"id": n + 1000, "image": payload(n)})


def tuples(shop, n):
    shop.KEPT[f"user {n}"] = (n + 1000, payload(n), [n])


def buffers(shop, n):
    shop.KEPT.append(payload(n))


def names(shop, n):
    shop.KEPT.add(f"name {n}" * 100)


def seen(shop, n):
    shop.KEPT[f"name {n}" * 20] = True


def counted(shop, n):
    shop.KEPT[f"name {n}" * 20] = n + 1000


def translated(shop, n):
    shop.KEPT[f"name {n}" * 20] = f"text {n}"


def queued(shop, n):
    shop.KEPT.put(Session(n))


def closures(shop, n):
    session = Session(n)
    shop.KEPT.append(lambda: session)


def methods(shop, n):
    shop.KEPT.append(Session(n).close)


def two_levels(shop, n):
    shop.KEPT.setdefault(f"group {n % 3}", {})[f"user {n}"] = Session(n)


def of_a_class(_, n):
    Registry.sessions.append(Session(n))


def nested_lists(shop, n):
    shop.KEPT.append([[payload(n)], [n + 1000]])


def old_users(shop, n):
    shop.KEPT[f"user {n % 30}"].append(Order(n))


def new_users(shop, n):
    shop.KEPT[f"user {n}"] += [Order(n), Order(n)]


def errors(shop, n):
    page = payload(n)
    try:
        page.decode("no such encoding")
    except LookupError as error:
        shop.KEPT.append(error)


def error_triples(shop, _):
    try:
        {}["nothing"]
    except KeyError:
        shop.KEPT.append(sys.exc_info())


def scheduled(shop, n):
    heapq.heappush(shop.KEPT, (n, n, Session(n)))


def dated_records(shop, n):
    shop.KEPT.append({"at": n + 0.5, "session": Session(n)})


def linked(shop, n):
    shop.KEPT = Node(payload(n), shop.KEPT)


def pairs(shop, n):
    shop.KEPT = (payload(n), shop.KEPT)


def copied(shop, n):
    shop.KEPT = {**shop.KEPT, f"user {n}": Session(n)}


def copied_tuple(shop, n):
    shop.KEPT = (*shop.KEPT, Session(n))


def copied_part(shop, n):
    shop.KEPT = {"name": "shop", "jobs": {**shop.KEPT["jobs"], n: Session(n)}}


def copied_each(shop, n):
    shop.KEPT[n % 30] = (*shop.KEPT[n % 30], Session(n))


def memoized(shop, n):
    shop.KEPT(n + 1000)


def asked(shop, n):
    shop.KEPT(f"name {n}" * 20)


def says_yes():
    return functools.lru_cache(maxsize=9000)(lambda _: True)


def attributes(shop, n):
    setattr(shop, f"session_{n}", Session(n))


def half_evicted(shop, n):
    shop.KEPT[n] = Session(n)
    if len(shop.KEPT) > 5 and n % 2:
        shop.KEPT.popitem(last=False)


def generators(shop, n):
    def work():
        session = Session(n)
        yield
        yield session

    shop.KEPT.append(work())
    next(shop.KEPT[-1])


def contexts(shop, n):
    context = contextvars.copy_context()
    context.run(VARIABLE.set, Session(n))
    shop.KEPT.append(context)


def tasks(shop, n):
    async def work(session):
        await asyncio.Event().wait()
        return session

    async def job():
        shop.KEPT.add(asyncio.create_task(work(Session(n))))
        await asyncio.sleep(0)

    shop.LOOP.run_until_complete(job())


def with_queues(shop, n):
    session = shop.KEPT[n] = Session(n)
    session.inbox = queue.Queue(maxsize=10_000)
    session.inbox.put(payload(n))


def weakly_keyed(shop, n):
    session = Session(n)
    shop.KEPT[session] = [session]


# What a job does, with what it begins, the type and number of the items.
PLANTS = {
    "a dictionary of instances": (instances, dict, "Session", JOBS),
    "instances with slots under numbers": (slotted, dict, "Slotted", JOBS),
    "records": (records, list, "dict", JOBS),
    "tuples of plain data": (tuples, OrderedDict, "tuple", JOBS),
    "buffers": (buffers, deque, "bytes", JOBS),
    "names": (names, set, "str", JOBS),
    "keys that were seen": (seen, dict, "str", JOBS),
    "keys that were counted": (counted, dict, "str", JOBS),
    "short texts under long keys": (translated, dict, "str", JOBS),
    "a queue": (queued, queue.Queue, "Session", JOBS),
    "closures": (closures, list, "function", JOBS),
    "bound methods": (methods, list, "Session", JOBS),
    "dictionaries of instances": (two_levels, dict, "Session", JOBS),
    "lists in lists": (nested_lists, list, "list", JOBS),
    "orders of old users": (old_users, lambda: defaultdict(list), "Order", JOBS),
    "lists of new users": (new_users, lambda: defaultdict(list), "list", JOBS),
    "exceptions": (errors, list, "LookupError", JOBS),
    "exceptions beside their tracebacks": (error_triples, list, "KeyError", JOBS),
    "a heap of what is due": (scheduled, list, "Session", JOBS),
    "records of one thing each": (dated_records, list, "Session", JOBS),
    "a linked list": (linked, Node, "Node", JOBS),
    "a stack of pairs": (pairs, tuple, "tuple", JOBS),
    "a dictionary that is copied": (copied, dict, "Session", JOBS),
    "a tuple that is copied": (copied_tuple, tuple, "Session", JOBS),
    "a part that is copied": (copied_part, lambda: {"jobs": {}}, "Session", JOBS),
    "many tuples that are copied": (copied_each, lambda: dict.fromkeys(range(30), ()), "Session", JOBS),
    "a memoized function": (memoized, lambda: functools.lru_cache(maxsize=9000)(Session), "Session", JOBS),
    "a memoized function without bound": (memoized, lambda: functools.cache(Session), "Session", JOBS),
    "a memoized function that says yes": (asked, says_yes, "str", JOBS),
    "globals": (attributes, type(None), "Session", JOBS),
    "what is half evicted": (half_evicted, OrderedDict, "Session", JOBS // 2),
    "generators": (generators, list, "generator", JOBS),
    "contexts": (contexts, list, "Context", JOBS),
    "tasks": (tasks, set, "Task", JOBS),
    "sessions with a queue each": (with_queues, dict, "Session", JOBS),
    "weak keys that never die": (weakly_keyed, weakref.WeakKeyDictionary, "Session", JOBS),
}


def grown_in_place(shop, n):
    shop.KEPT.extend(payload(n))


def turned_over(shop, n):
    shop.KEPT[n] = Session(n)
    if len(shop.KEPT) > 20:
        shop.KEPT.popitem(last=False)
    shop.LOG.append(n + 0.5)


def shared_user(shop, n):
    shop.KEPT.append({"image": payload(n), "user": shop.USER, "parts": [payload(n)]})


def small_beside_large(shop, n):
    shop.KEPT.append({"image": bytes(5000 + n), "order": Pair((n,))})


def mixed(shop, n):
    shop.KEPT.append((Slotted(n), Session(n)))


def two_kinds(shop, n):
    shop.KEPT.append(Session(n) if n % 3 else Order(n))


OTHERS = {
    "in place": (grown_in_place, bytearray),
    "turned over": (turned_over, OrderedDict),
    "a shared user": (shared_user, list),
    "small beside large": (small_beside_large, list),
    "mixed": (mixed, list),
    "two kinds": (two_kinds, list),
}
EACH = {**{name: plant[:2] for name, plant in PLANTS.items()}, **OTHERS}


@pytest.fixture(scope="module")
def heap():
    """All plants in one heap, each in a module of its own: who holds what came, and by which module."""
    modules = {name: types.ModuleType(f"shop_{at}") for at, name in enumerate(EACH)}
    sys.modules.update({module.__name__: module for module in modules.values()})
    for name, (_, make) in EACH.items():
        modules[name].KEPT = make()
        modules[name].LOG, modules[name].USER = [], Session(0)
    modules["tasks"].LOOP = asyncio.new_event_loop()

    def work(numbers):
        for number in numbers:
            for name, (job, _) in EACH.items():
                job(modules[name], number)
            of_a_class(None, number)
        gc.collect()

    with heap_graph():
        pass  # what its first use imports is no growth
    work(range(BEFORE))
    with heap_graph() as graph:
        before = snapshot_of(graph)
    work(range(BEFORE, BEFORE + JOBS))
    with heap_graph() as graph:
        found = find_growth(graph, before, most=100)
    yield modules, found
    shop = modules["tasks"]
    for task in shop.KEPT:
        task.cancel()
    shop.LOOP.run_until_complete(asyncio.gather(*shop.KEPT, return_exceptions=True))
    shop.LOOP.close()
    for module in modules.values():
        del sys.modules[module.__name__]


@pytest.fixture
def held(heap):
    modules, found = heap

    def held(name):
        begin = f"module {modules[name].__name__} →"
        return next(one for one in found.holders if f"{one.path} →".startswith(begin))

    return held


def rows(holder):
    return {one.type: (one.came - one.gone, one.bytes) for one in holder.contents}


@pytest.mark.parametrize("name", PLANTS)
def test_the_item_is_what_people_know(held, name):
    _, _, kind, number = PLANTS[name]
    holder = held(name)
    assert (holder.item_type, holder.items) == (kind, number)


@pytest.mark.parametrize("name", EACH)
def test_the_contents_add_up_to_the_growth(held, name):
    holder = held(name)
    assert sum(one.bytes for one in holder.contents) == holder.growth_bytes
    sizes = [one.bytes for one in holder.contents]
    assert sizes == sorted(sizes, reverse=True) or min(sizes) < 0
    if holder.item_bytes is not None:
        assert holder.item_bytes <= holder.growth_bytes


def test_items_are_weighed_with_all_that_is_below_them(held):
    holder = held("a dictionary of instances")
    there = rows(holder)
    assert there["Session"][0] == there["bytes"][0] == JOBS
    assert there["str"][0] == 3 * JOBS  # two in each session, and its key
    parts = sum(there[kind][1] for kind in ("Session", "bytes")) + JOBS * 2 * 48
    assert parts < holder.item_bytes < holder.growth_bytes


@pytest.mark.parametrize("name", [name for name in PLANTS if name.startswith("a memoized function")])
def test_a_memoized_function_is_one_holder_with_its_table(heap, name):
    modules, found = heap
    (holder,) = [one for one in found.holders if one.path.startswith(f"module {modules[name].__name__} →")]
    assert holder.holder_type == "_lru_cache_wrapper"


def test_a_registry_of_a_class_has_items_as_well(heap):
    _, found = heap
    (holder,) = [one for one in found.holders if "Registry.sessions" in one.path]
    assert (holder.item_type, holder.items, holder.holder_type) == ("Session", JOBS, "list")


def test_what_was_copied_is_neither_new_nor_gone_in_sum(held):
    there = {one.type: one for one in held("a dictionary that is copied").contents}
    assert (there["Session"].came, there["Session"].gone) == (BEFORE + JOBS, BEFORE)
    assert there["Session"].came - there["Session"].gone == JOBS


def test_what_went_is_told(held):
    there = {one.type: one for one in held("what is half evicted").contents}
    assert there["Session"].came - there["Session"].gone == JOBS // 2
    assert there["Session"].gone > 0


def test_what_has_itself_grown_has_no_items(held):
    holder = held("in place")
    assert (holder.item_type, holder.items, holder.item_bytes) == (None, None, None)
    assert [(one.type, one.came, one.gone) for one in holder.contents] == [("bytearray", 0, 0)]


def test_a_cache_that_turns_over_has_no_net_items(held):
    holder = held("turned over")
    assert holder.path.startswith(f"{holder.holder} → […]")
    assert (holder.item_type, holder.items) == ("float", JOBS)


@pytest.mark.parametrize("name", ["a shared user", "small beside large"])
def test_a_record_is_not_called_by_a_small_or_shared_part_of_it(held, name):
    assert (held(name).item_type, held(name).items) == ("dict", JOBS)


def test_a_pair_of_two_known_things_is_a_tuple(held):
    assert (held("mixed").item_type, held("mixed").items) == ("tuple", JOBS)


def test_of_two_kinds_the_heavier_one_is_told_with_its_own_weight(held):
    holder = held("two kinds")
    assert (holder.item_type, holder.items) == ("Session", JOBS * 2 // 3)
    assert holder.item_bytes < 0.8 * holder.growth_bytes


def growth_of_threads(target, arguments):
    """What comes with threads that wait in `target`, and do not end before it was seen."""
    leave, threads = threading.Event(), []

    def start(number):
        ready = threading.Event()
        thread = threading.Thread(target=target, args=(*arguments(number), ready, leave), name=f"w-{number}")
        thread.start()
        threads.append(weakref.ref(thread))
        assert ready.wait(60)

    try:
        with heap_graph():
            pass
        start(0)
        with heap_graph() as graph:
            before = snapshot_of(graph)
        for number in range(1, 13):
            start(number)
        gc.collect()
        with heap_graph() as graph:
            return find_growth(graph, before).holders[0]
    finally:
        leave.set()
        for thread in filter(None, (reference() for reference in threads)):
            thread.join()


def test_the_owner_is_the_item_where_threads_keep_each_a_queue():
    def work(inbox, ready, leave):
        inbox.put(bytes(6000))
        ready.set()
        leave.wait()

    holder = growth_of_threads(work, lambda _: (queue.Queue(),))
    assert (holder.item_type, holder.items) == ("Thread", 12)


def test_the_threads_are_the_items_where_their_frames_hold_it():
    def work(ready, leave):
        image = bytes(50_000)
        ready.set()
        leave.wait()
        return image

    holder = growth_of_threads(work, lambda _: ())
    assert (holder.item_type, holder.items, holder.buffer_type) == ("Thread", 12, "bytes")


def test_a_thread_of_a_class_of_its_own_is_named_by_it():
    class Worker(threading.Thread):
        def __init__(self, ready, leave):
            super().__init__()
            self.inbox, self.ready, self.leave = queue.Queue(maxsize=10_000), ready, leave

        def run(self):
            inbox = self.inbox
            inbox.put(bytes(6000))
            self.ready.set()
            self.leave.wait()

    leave = threading.Event()

    def start():
        ready = threading.Event()
        Worker(ready, leave).start()
        assert ready.wait(60)

    try:
        with heap_graph() as graph:
            before = snapshot_of(graph)
        for _ in range(12):
            start()
        with heap_graph() as graph:
            holder = find_growth(graph, before).holders[0]
    finally:
        leave.set()
        for thread in threading.enumerate():
            if isinstance(thread, Worker):
                thread.join()
    assert (holder.item_type, holder.items) == ("Worker", 12)
