import asyncio
import functools
import gc
import importlib.util
import json
import queue
import sys
import threading
import types
from collections import OrderedDict, defaultdict, deque
from dataclasses import replace

import pytest

from labserver.diagnosis.holders.changes import changes
from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.snapshot import allocated_for, snapshot_of
from labserver.heap.chain import Chain
from labserver.heap.graph import heap_graph
from labserver.heap.root import RootKind
from labserver.heap.tracemalloc_tools import tracing


class JobResult:
    __slots__ = ("image",)

    def __init__(self, image):
        self.image = image


class Session:
    def __init__(self):
        self.items = []


class Node:
    def __init__(self, payload=None, after=None):
        self.payload = payload
        self.after = after


def payload(number, size=3000):
    return bytes(size + number % 5)


def copy_on_write(shop, n):
    shop.STORE = {**shop.STORE, n: payload(n)}


def nested_copy_on_write(shop, n):
    shop.STATE = {"name": "shop", "jobs": {**shop.STATE["jobs"], n: payload(n)}}


def session(shop, n):
    shop.SESSIONS[n % 7].items.append(payload(n))


def push(shop, n):
    shop.STACK = (payload(n), shop.STACK)


def append(shop, n):
    shop.LAST.after = shop.LAST = Node(payload(n))


def insert(shop, n):
    node, key = shop.TREE, n * 7919 % 1009
    while True:
        side = "left" if key < node.payload[0] else "right"
        if not hasattr(node, side):
            setattr(node, side, Node((key, payload(n))))
            return
        node = getattr(node, side)


def with_state():
    seen = {}
    return lambda n: seen.setdefault(n, payload(n))


def state_of_a_closure(shop, n):
    shop.WORK(n)


def closure(shop, n):
    data = payload(n)
    shop.CALLBACKS.append(lambda: data)


def failure(shop, n):
    data = payload(n)
    try:
        data.decode("no such encoding")
    except LookupError as error:
        shop.ERRORS.append(error)


def generator(shop, n):
    def work():
        data = payload(n)
        yield
        yield data

    task = work()
    next(task)
    shop.TASKS.append(task)


def coroutine(shop, n):
    async def work():
        data = payload(n)
        await Forever()
        return data

    task = work()
    task.send(None)
    shop.TASKS.append(task)


class Forever:
    def __await__(self):
        yield


def queued(shop, n):
    shop.QUEUE.put(payload(n))


def memoized(shop, n):
    shop.render(n)


def attribute(shop, n):
    setattr(shop, f"job_{n}", payload(n))


def tuple_growth(shop, n):
    shop.RESULTS = (*shop.RESULTS, payload(n))


def nested(shop, n):
    shop.STATE.setdefault(str(n % 3), {}).setdefault(str(n), {})["image"] = payload(n)


KINDS = {
    "copy-on-write": (copy_on_write, {"STORE": dict}, "STORE", "dict"),
    "copy-on-write of a part": (nested_copy_on_write, {"STATE": lambda: {"jobs": {}}}, "STATE → ['…']", "dict"),
    "a tuple": (tuple_growth, {"RESULTS": tuple}, "RESULTS", "tuple"),
    "a list in each session": (session, {"SESSIONS": lambda: {n: Session() for n in range(7)}}, "SESSIONS", "dict"),
    "a stack of pairs": (push, {"STACK": tuple}, "STACK", "tuple"),
    "a linked list": (append, {"FIRST": Node}, "FIRST", "Node"),
    "a tree": (insert, {"TREE": lambda: Node((500, b""))}, "TREE", "Node"),
    "state of a closure": (state_of_a_closure, {"WORK": with_state}, "WORK → closure seen", "dict"),
    "closures": (closure, {"CALLBACKS": list}, "CALLBACKS", "list"),
    "exceptions": (failure, {"ERRORS": list}, "ERRORS", "list"),
    "generators": (generator, {"TASKS": list}, "TASKS", "list"),
    "coroutines": (coroutine, {"TASKS": list}, "TASKS", "list"),
    "nested dictionaries": (nested, {"STATE": dict}, "STATE", "dict"),
    "a queue": (queued, {"QUEUE": queue.Queue}, "QUEUE → Queue.queue", "deque"),
    "a memoized function": (memoized, {"render": lambda: functools.cache(payload)}, "render", "_lru_cache_wrapper"),
    "globals": (attribute, {}, "", "module"),
}


def quiet_lru(shop, n):
    shop.CACHE[n] = JobResult(payload(n, 2000 + n * 37 % 500))
    if len(shop.CACHE) > 15:
        shop.CACHE.popitem(last=False)


def quiet_deque(shop, n):
    shop.RECENT.append([payload(n), n])


def replaced(shop, n):
    shop.LAST = {"image": payload(n, 30_000), "seen": list(range(n % 3))}


def interned(shop, n):
    sys.intern(f"key {n % 10}")
    shop.CACHE[n % 10] = payload(n)


def moved(shop, _):
    shop.DONE.append(shop.PENDING.pop())
    shop.PENDING.append(shop.DONE.pop(0))


def warm(shop, n):
    shop.CACHE.setdefault(n % 15, payload(n))


def freed(shop, n):
    shop.CACHE[n] = payload(n)
    shop.CACHE.clear()


QUIET = {
    "an LRU that churns": (quiet_lru, {"CACHE": OrderedDict}),
    "a deque at its maxlen": (quiet_deque, {"RECENT": lambda: deque(maxlen=10)}),
    "a buffer that is replaced": (replaced, {}),
    "keys that repeat": (interned, {"CACHE": dict}),
    "a cache that is warm": (warm, {"CACHE": dict}),
    "what is freed": (freed, {"CACHE": dict}),
    "items that move": (moved, {"PENDING": lambda: [payload(n) for n in range(50)], "DONE": lambda: [payload(0)] * 1}),
}


def plain(shop, n):
    shop.STORE[str(n)] = JobResult(payload(n, 20_000))


def in_place(shop, n):
    shop.LOG.extend(payload(n))


def big_number(shop, n):
    shop.HISTORY = shop.HISTORY << 8000 | n


def two_copied(shop, n):
    shop.STORE = {**shop.STORE, n: payload(n, 9000)}
    shop.CACHE = [*shop.CACHE, payload(n)]
    shop.LAST = payload(n, 50_000)


def thousand_lists(shop, n):
    for items in shop.LISTS[n % 10 :: 10]:
        items.append(float(n))


def small(shop, n):
    shop.SEEN.append([n + 0.5])


def shared(shop, n):
    shop.STORE[n] = result = JobResult(payload(n))
    shop.BY_DATE.append(result)


def filling(shop, n):
    shop.CACHE.append(payload(n))


def beside_an_lru(shop, n):
    quiet_lru(shop, n)
    shop.KEPT.append(JobResult(bytes(2000 + n * 37 % 500)))


def tasks(shop, n):
    async def work():
        image = payload(n)
        await asyncio.Event().wait()
        return image

    async def job():
        shop.TASKS.add(asyncio.create_task(work()))
        await asyncio.sleep(0)

    shop.LOOP.run_until_complete(job())


SPECIAL = {
    "plain": (plain, {"STORE": dict}),
    "in place": (in_place, {"LOG": bytearray}),
    "a big number": (big_number, {"HISTORY": lambda: 1}),
    "two that are copied": (two_copied, {"STORE": dict, "CACHE": list}),
    "a thousand lists": (thousand_lists, {"LISTS": lambda: [[] for _ in range(1000)]}),
    "small objects": (small, {"SEEN": list}),
    "shared": (shared, {"STORE": dict, "BY_DATE": list}),
    "filling": (filling, {"CACHE": lambda: deque(maxlen=5000)}),
    "beside an LRU": (beside_an_lru, {"CACHE": OrderedDict, "KEPT": list}),
    "tasks": (tasks, {"TASKS": set, "LOOP": asyncio.new_event_loop}),
}
PLANTS = {**KINDS, **QUIET, **SPECIAL}
JOBS = 200


@pytest.fixture(scope="module")
def heap():
    """All plants in one heap, each in a module of its own; what came with the last jobs."""
    modules = {name: types.ModuleType(f"shop_{at}") for at, name in enumerate(PLANTS)}
    sys.modules.update({module.__name__: module for module in modules.values()})
    for name, (_, state, *_) in PLANTS.items():
        vars(modules[name]).update({variable: make() for variable, make in state.items()})
        modules[name].LAST = getattr(modules[name], "FIRST", None)

    def step(number):
        for name, (job, *_) in PLANTS.items():
            job(modules[name], number)

    yield growth_after(step, JOBS, first=300, most=100)
    shop = modules["tasks"]
    for task in shop.TASKS:
        task.cancel()
    shop.LOOP.run_until_complete(asyncio.gather(*shop.TASKS, return_exceptions=True))
    shop.LOOP.close()
    for module in modules.values():
        del sys.modules[module.__name__]


@pytest.fixture
def found(heap):
    """The holders of a plant; its module is called `shop`."""

    def found(name):
        module = f"module shop_{list(PLANTS).index(name)}"
        own = [holder for holder in heap.holders if holder.path.split(" → ")[0] == module]
        return [
            replace(
                holder,
                path=holder.path.replace(module, "module shop"),
                holder=holder.holder.replace(module, "module shop"),
                also_held_by=tuple(path.replace(module, "module shop") for path in holder.also_held_by),
            )
            for holder in own
        ]

    return found


def growth_after(step, times, *, first=20, most=10):
    """What is found after `step(number)` has run so many times, with `first` calls before the baseline."""
    with heap_graph():
        pass  # what its first use imports is no growth
    for number in range(first):
        step(number)
    gc.collect()
    with heap_graph() as graph:
        baseline = snapshot_of(graph)
    for number in range(first, first + times):
        step(number)
    gc.collect()
    with heap_graph() as graph:
        return find_growth(graph, baseline, most=most)


@pytest.fixture
def shop_of_one():
    """The name of a module, and a dictionary that is all it has."""
    module = types.ModuleType("shop_of_one")
    module.ROOT = {}
    sys.modules[module.__name__] = module
    yield module.__name__, module.ROOT
    del sys.modules[module.__name__]


@pytest.mark.parametrize("name", KINDS)
def test_the_holder_is_a_link_of_its_chain(found, name):
    for holder in found(name):
        link = holder.chain.links[holder.holder_at]
        assert link.type == holder.holder_type, (holder.path, holder.holder)
        assert Chain(holder.chain.links[: holder.holder_at + 1]).trail.endswith(
            holder.holder.removeprefix("module shop")
        )
        assert holder.root.kind is RootKind.MODULE


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_leak_has_one_holder(found, name):
    _, _, where, kind = KINDS[name]
    (holder,) = found(name)
    assert holder.holder == " → ".join(filter(None, ["module shop", where]))
    assert holder.holder_type == kind
    assert (holder.buffer_type, holder.buffers) == ("bytes", JOBS)
    assert holder.path.startswith(holder.holder)
    assert JOBS * 3033 <= holder.growth_bytes <= JOBS * 6000
    assert holder.also_held_by == ()


def test_what_came_to_a_holder_is_no_more_than_it_retains(heap):
    assert all(holder.retained_bytes <= holder.holder_retained_bytes for holder in heap.holders)


class Cache:
    def __init__(self):
        self.data, self.order = {}, OrderedDict()


def keys_in_an_order(root, text):
    cache = root.setdefault("cache", Cache())
    cache.data[text], cache.data[f"meta of {text[:9]}"] = bytes(500), None
    cache.order[text] = None


def some_in_an_index(root, text):
    root.setdefault("records", []).append(text)
    if hash(text) % 3 == 0:
        root.setdefault("index", {"by": {"day": []}})["by"]["day"].append(text)


def parts_in_another_list(root, text):
    order = Session()
    order.items.append(text)
    root.setdefault("orders", []).append(order)
    root.setdefault("texts", {"all": {"of": []}})["all"]["of"].append(text)


@pytest.mark.parametrize("keep", [keys_in_an_order, some_in_an_index, parts_in_another_list])
def test_what_others_hold_as_well_is_not_retained(shop_of_one, keep):
    module, root = shop_of_one
    heap = growth_after(lambda number: keep(root, f"{number} " * 700), 50, first=5)
    found = [one for one in heap.holders if module in one.path]
    assert found
    assert all(one.retained_bytes <= one.holder_retained_bytes for one in found)


@pytest.mark.parametrize("name", QUIET)
def test_what_does_not_grow_is_quiet(found, name):
    assert found(name) == []


def test_the_holders_explain_all_that_came(heap):
    assert sum(holder.growth_bytes for holder in heap.holders) / heap.bytes == pytest.approx(1, abs=0.002)
    assert heap.complete


def test_a_plain_leak_is_counted_and_weighed(found):
    (holder,) = found("plain")
    assert holder.path == "module shop → STORE → ['…'] → JobResult.image"
    assert (holder.holder, holder.holder_type) == ("module shop → STORE", "dict")
    assert (holder.buffer_type, holder.buffers) == ("bytes", JOBS)
    assert holder.retained_bytes == pytest.approx(JOBS * 20_035, rel=0.01)
    # What was there before is freed with it, but has not come.
    assert holder.holder_retained_bytes == pytest.approx((JOBS + 300) * 20_035, rel=0.01)


def test_what_grows_in_place_is_its_own_holder(found):
    (holder,) = found("in place")
    assert holder.holder == holder.path == "module shop → LOG"
    assert (holder.holder_type, holder.buffer_type, holder.buffers) == ("bytearray", "bytearray", 1)
    assert holder.growth_bytes == pytest.approx(JOBS * 3002, rel=0.15)  # with spare room


def test_a_number_that_becomes_big_is_seen(found):
    (holder,) = found("a big number")
    assert holder.path == "module shop → HISTORY"
    assert holder.growth_bytes == pytest.approx(JOBS * 1067, rel=0.01)  # 30 bits in 4 bytes


def test_two_globals_that_are_copied_on_write_are_two_holders(found):
    holders = found("two that are copied")
    assert [holder.holder for holder in holders] == ["module shop → STORE", "module shop → CACHE"]
    assert [holder.buffers for holder in holders] == [JOBS, JOBS]
    assert holders[0].retained_bytes == pytest.approx(JOBS * 9035, rel=0.02)
    assert holders[1].retained_bytes == pytest.approx(JOBS * 3035, rel=0.02)


def test_a_thousand_lists_that_each_grow_a_little_are_one_holder(found):
    (holder,) = found("a thousand lists")
    assert (holder.holder, holder.buffer_type, holder.buffers) == ("module shop → LISTS", "float", 100 * JOBS)
    assert holder.path == "module shop → LISTS → […] → […]"


def test_small_objects_are_explained_too(found):
    (holder,) = found("small objects")
    assert (holder.holder, holder.buffers) == ("module shop → SEEN", JOBS)
    # Each a list in 64 and 16 bytes, a float in 32, and a place in the list of all.
    assert holder.growth_bytes == pytest.approx(JOBS * (64 + 16 + 32 + 8), rel=0.1)


def test_tasks_of_an_event_loop_that_never_finish_have_a_holder(found):
    holder = found("tasks")[0]
    assert (holder.holder, holder.buffer_type, holder.buffers) == ("module shop → TASKS", "bytes", JOBS)


def test_what_two_containers_hold_names_both(found, heap):
    holder = found("shared")[0]
    assert {holder.holder, *holder.also_held_by} == {"module shop → STORE", "module shop → BY_DATE"}
    assert holder.buffers == JOBS
    assert holder.holder_retained_bytes >= (JOBS + 300) * 3033
    assert any("both must let go" in note for note in heap.notes)


class Events:
    def __init__(self):
        self.counts, self.details = {}, defaultdict(list)


def counted_and_kept_by_kind(root, text):
    events = root.setdefault("events", Events())
    events.counts[text] = 1
    events.details[len(events.counts) % 7].append(text)
    if len(events.counts) > 500:
        events.counts.clear()


def recent_and_archived(root, text):
    root.setdefault("recent", deque(maxlen=400)).append(text)
    root.setdefault("archive", {"years": {"days": []}})["years"]["days"].append(text)


def cached_and_in_sessions(root, text):
    cache = root.setdefault("cache", OrderedDict())
    cache[text] = text
    sessions = root.setdefault("sessions", {"all": [Session() for _ in range(5)]})["all"]
    sessions[len(sessions[0].items) % 5].items.append(text)
    sessions[0].items.append(None)
    if len(cache) > 400:
        cache.popitem(last=False)


def noted_and_in_one_of_many(root, text):
    root.setdefault("notes", {})[text] = text
    drawers = root.setdefault("cabinet", {"drawers": [[] for _ in range(100)]})["drawers"]
    drawers[len(root["notes"]) % 100].append(text)


@pytest.mark.parametrize(
    ("keep", "further"),
    [
        (noted_and_in_one_of_many, "['…'] → ['…'] → […]"),
        (counted_and_kept_by_kind, "Events.details → ['…']"),
        (recent_and_archived, "['…'] → ['…'] → ['…']"),
        (cached_and_in_sessions, "['…'] → ['…'] → […] → Session.items"),
    ],
)
def test_what_a_bounded_cache_holds_for_a_while_is_told_with_its_other_holders(shop_of_one, keep, further):
    """However many containers these are, and however far away."""
    module, root = shop_of_one
    heap = growth_after(lambda number: keep(root, f"{number} " * 700), 50, first=40)
    holder = next(one for one in heap.holders if module in one.path)
    assert any(path.endswith(further) for path in holder.also_held_by)
    assert holder.holder_retained_bytes >= holder.retained_bytes > 50 * 2000


def test_the_declared_bound_comes_with_the_holder(found):
    (holder,) = found("filling")
    assert (holder.bound, holder.bound_from) == (5000, "deque.maxlen")


def test_a_leak_that_takes_the_addresses_of_an_lru_is_not_the_lrus(found):
    (holder,) = found("beside an LRU")
    assert (holder.holder, holder.buffers) == ("module shop → KEPT", JOBS)


def test_threads_that_never_end_are_named_by_their_frames():
    go_on, made = threading.Event(), threading.Semaphore(0)

    def work(n):
        image = payload(n, 30_000)
        made.release()
        go_on.wait()
        return image

    threads = []

    def start(n):
        thread = threading.Thread(target=work, args=(n,), name=f"worker-{n}", daemon=True)
        thread.start()
        threads.append(thread)
        assert made.acquire(timeout=60)

    try:
        holder = growth_after(start, 12, first=5).holders[0]
    finally:
        go_on.set()
        for thread in threads:
            thread.join()
    assert (holder.buffer_type, holder.buffers) == ("bytes", 12)
    assert "worker-…" in holder.path
    assert holder.holder_type == "Thread"
    assert (holder.root.kind, holder.root.name, holder.root.thread) == (RootKind.LOCAL, "image", "worker-…")
    assert (holder.holder_at, "image" in holder.path) == (0, True)


@pytest.mark.parametrize("attribute", ["items", "label", "inner"])
def test_what_lies_below_a_namespace_that_was_asked_for_is_the_same(shop, attribute):
    shop.SESSIONS = [Session() for _ in range(30)]
    for session in shop.SESSIONS:
        setattr(session, attribute, [bytes(3000)])
    with heap_graph() as graph:
        baseline = snapshot_of(graph)
    for session in shop.SESSIONS:
        vars(session)
    with heap_graph() as graph:
        found = changes(graph, baseline, graph.parents(), allocated_for(graph))
        assert not found.new[[graph.find(getattr(one, attribute)[0]) for one in shop.SESSIONS]].any()


def test_a_cache_that_was_cleared_does_not_hide_a_leak_in_its_place(shop):
    shop.CACHE, shop.KEPT = [bytes(5000) for _ in range(50)], []
    with heap_graph() as graph:
        baseline = snapshot_of(graph)
    addresses = {id(item) for item in shop.CACHE}
    while shop.CACHE:  # from between its neighbours, or the allocator would join what is freed
        shop.CACHE.pop(len(shop.CACHE) // 2)
        shop.KEPT.append(bytes(5000))
    shop.KEPT += [bytes(5000) for _ in range(10)]
    assert any(id(item) in addresses for item in shop.KEPT)
    with heap_graph() as graph:
        holders = [one for one in find_growth(graph, baseline).holders if one.path.startswith("module shop")]
        assert [(holder.holder, holder.buffers) for holder in holders] == [("module shop → KEPT", 60)]
        # Asked again, it answers the same; and plainly.
        again = [one.growth().to_json() for one in find_growth(graph, baseline).holders if one in holders]
    assert again == json.loads(json.dumps([holder.growth().to_json() for holder in holders]))
    assert [link["edge"] for link in again[0]["chain"]] == [None, "KEPT", "[…]"]


def test_garbage_is_counted_apart(shop):
    shop.KEPT = []
    gc.collect()
    gc.disable()
    try:
        with heap_graph() as graph:
            baseline = snapshot_of(graph)
        for n in range(40):
            node = Node(payload(n))
            node.after = node
            shop.KEPT.append(payload(n, 500))
        del node
        with tracing(1):
            shop.KEPT.append(payload(0, 9000))
            with heap_graph() as graph:
                growth = find_growth(graph, baseline)
    finally:
        gc.enable()
        gc.collect()
    assert growth.garbage.objects >= 80
    assert growth.garbage.bytes == pytest.approx(40 * 3090, rel=0.1)
    holder = growth.holders[0]
    assert (holder.holder, holder.buffers) == ("module shop → KEPT", 41)
    assert holder.allocated_at[0].function == "payload"


class Evasive(type):
    """A metaclass with its own idea of what its classes have."""

    def __getattribute__(cls, name):
        raise RuntimeError(f"asked for {name}")


def evasive():
    return type.__call__(type.__new__(Evasive, "Odd", (), {}))


def from_nowhere():
    # As the types that SWIG makes: no module is said.
    return eval("type('Odd', (), {})", {})()


def secretive():
    class Odd:
        __slots__ = ("payload",)

        @property
        def __dict__(self):
            raise ValueError("mine")

    return Odd()


@pytest.mark.parametrize("make", [evasive, from_nowhere, secretive], ids=lambda make: make.__name__)
def test_a_class_that_will_not_be_asked_is_looked_at_all_the_same(shop, make):
    with heap_graph() as graph:
        baseline = snapshot_of(graph)
    shop.ODD = [make() for _ in range(10)]
    for odd in shop.ODD:
        odd.payload = bytes(20_000)
    with heap_graph() as graph:
        (holder,) = [one for one in find_growth(graph, baseline).holders if "ODD" in one.path]
    assert holder.path == "module shop → ODD → […] → Odd.payload"
    assert (holder.buffers, holder.buffer_type) == (10, "bytes")


class LazyModule(types.ModuleType):
    """As libraries make them, whose attributes are imported when they are asked for."""


def made_by_hand(_, name):
    return types.ModuleType(name)


def of_a_class_of_its_own(_, name):
    return LazyModule(name)


def loaded_from_a_file(folder, name):
    (folder / "plugin.py").write_text("DATA = [bytes(100)]\n", encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, folder / "plugin.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("make", [made_by_hand, of_a_class_of_its_own, loaded_from_a_file])
def test_modules_that_jobs_make_are_held_by_the_table_of_modules(make, tmp_path):
    def step(number):
        name = f"plugin_{number}"
        sys.modules[name] = make(tmp_path, name)
        sys.modules[name].source = payload(number)

    before = set(sys.modules)
    try:
        holder, *_ = growth_after(step, 30).holders
    finally:
        for name in sys.modules.keys() - before:
            del sys.modules[name]
    assert holder.path.startswith("module sys → modules → ['…'] → ")
    assert "plugin_" not in holder.path
    assert (holder.item_type, holder.items) == (make(tmp_path, "last").__class__.__name__, 30)
    assert holder.growth_bytes >= 30 * 3000
    assert holder.retained_bytes >= 30 * 3000
    assert holder.holder_retained_bytes >= 30 * 3000


def test_a_few_new_modules_are_late_imports():
    def step(number):
        if number < 23:
            sys.modules[f"late_{number}"] = module = types.ModuleType(f"late_{number}")
            module.source = payload(number)

    before = set(sys.modules)
    try:
        paths = [holder.path for holder in growth_after(step, 30).holders]
    finally:
        for name in sys.modules.keys() - before:
            del sys.modules[name]
    assert {path.partition(" → ")[0] for path in paths} == {f"module late_{number}" for number in (20, 21, 22)}
