import atexit
import ctypes
import gc
import io
import sys
import time
import types
from contextlib import contextmanager

import numpy as np
import pytest

from labserver.heap import addresses, kinds, walk
from labserver.heap.graph import heap_graph, path_to
from labserver.heap.layout import objects
from labserver.heap.root import Root, RootKind

SIZE = 123_457


class Box:
    """Anything with attributes."""


class Slotted:
    __slots__ = ("image",)


def node_at(graph, address):
    found = np.flatnonzero(graph.addresses == address)
    return int(found[0]) if found.size else None


@pytest.fixture(params=[True, False], ids=["headers", "no headers"])
def _layout(request, monkeypatch):
    """Other interpreters have other headers: everything is then asked from Python."""
    if not request.param:
        for room in (objects, kinds):
            monkeypatch.setattr(room, "headers_are_known", lambda: False)


@pytest.mark.usefixtures("_layout")
def test_sizes_types_and_addresses_are_pythons_own(shop):
    class Listed(list):
        __slots__ = ("more",)

    class Counted(int):
        """An integer with a dictionary."""

    shop.KEPT = [
        *(bytes(n) for n in range(20)), *("ä" * n for n in range(5)), *(tuple(range(n)) for n in range(5)), 2**100, -1,
        Listed([1, 2]), Counted(5), Slotted(), Box(), type("Made", (), {}), type("Tight", (tuple,), {})((1, 2)),
        frozenset([1]), bytearray(9), memoryview(b"abc"), range(3), (i for i in ()), sys.flags, slice(1), 1.5, 1j,
        types.SimpleNamespace(a=1), {}, {1: 2}, dict.fromkeys(range(100)), set(range(50)), object(), len, int.__add__,
    ]  # fmt: skip
    with heap_graph() as graph:
        own = dict(zip(graph.addresses.tolist(), graph.sizes.tolist(), strict=True))
        for obj in shop.KEPT:
            assert own[id(obj)] == sys.getsizeof(obj), obj
        assert graph.addresses.tolist() == list(map(id, graph.objects))
        assert graph.types.tolist() == list(map(id, map(type, graph.objects)))
        hiding = [kinds.hidden_of(type(obj)) is not None for obj in graph.objects]
        plain = [(node, obj) for node, obj in enumerate(graph.objects) if not hiding[node]]
        # Lists and dictionaries of other threads, and of this very test, may grow in between.
        wrong = [obj for node, obj in plain if graph.sizes[node] != sys.getsizeof(obj)]
        assert len(wrong) < 50
        assert len(graph.objects) > 50_000
        plain.clear()
        wrong.clear()


@pytest.mark.usefixtures("_layout")
def test_what_only_c_code_holds_is_a_root_of_its_own():
    held = {"image": bytes(SIZE)}
    atexit.register(print, held)
    address, image = id(held), id(held["image"])
    del held
    try:
        with heap_graph() as graph:
            node, buffer = node_at(graph, address), node_at(graph, image)
            root = buffer
            while graph.parents()[root] >= 0:
                root = graph.parents()[root]
            assert graph.local_roots[root] == Root(RootKind.C_CODE)
            assert graph.dominators()[buffer] == node
            assert not graph.garbage[node]
            assert SIZE < graph.retained_sizes()[node] < SIZE + 1000
    finally:
        atexit.unregister(print)


def raised(number):
    """An exception that keeps the frame of its call, and with it what the call had in hand."""
    image = bytes(SIZE + number)
    try:
        image.decode("no such encoding")
    except LookupError as error:
        return error


def record(number):
    return {"number": number, "images": [bytes(SIZE)]}


def box(_):
    found = Box()
    found.image = bytes(SIZE)
    return found


@contextmanager
def held_by_c(*objects):
    """Count a reference to each object that nobody is seen to have, as an extension does; gives their addresses."""
    addresses = [id(one) for one in objects]
    for one in objects:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))
    del objects, one
    try:
        yield addresses
    finally:
        for address in addresses:
            ctypes.pythonapi.Py_DecRef(ctypes.cast(address, ctypes.py_object))


@pytest.mark.parametrize("make", [raised, record, box], ids=lambda make: make.__name__)
def test_c_code_holds_the_object_itself_although_we_called_what_made_it(make):
    with held_by_c(make(1)) as (address,), heap_graph() as graph:
        node = node_at(graph, address)
        assert graph.local_roots[node] == Root(RootKind.C_CODE)
        assert graph.parents()[node] < 0
        assert graph.retained_sizes()[node] > SIZE


@pytest.mark.parametrize("inner", [raised, record, box], ids=lambda make: make.__name__)
def test_what_c_code_holds_beside_its_holder_is_no_root(inner):
    outer = Box()
    outer.inner = inner(1)
    with held_by_c(outer, outer.inner) as (address, address_of_inner):
        del outer
        with heap_graph() as graph:
            node, below = node_at(graph, address), node_at(graph, address_of_inner)
            assert graph.local_roots[node] == Root(RootKind.C_CODE)
            assert below not in graph.local_roots
            assert node in path_to(below, graph.parents())


def cycle():
    first, second = Box(), Box()
    first.other, second.other, first.image = second, first, bytes(SIZE)
    return first


def test_a_cycle_that_c_code_holds_is_no_garbage():
    first = cycle()
    atexit.register(print, first.other)
    address = id(first)
    del first
    try:
        with heap_graph() as graph:
            node = node_at(graph, address)
            assert not graph.garbage[node]
            assert SIZE < graph.retained_sizes()[node] < SIZE + 2000
    finally:
        atexit.unregister(print)


@pytest.mark.usefixtures("_layout")
def test_a_cycle_that_waits_for_the_collector_is_garbage(shop):
    gc.disable()
    try:
        shop.KEPT = [first := cycle()]
        address, other, image = id(first), id(first.other), id(first.image)
        del first
        with heap_graph() as graph:
            assert not graph.garbage[node_at(graph, address)]
        shop.KEPT.clear()
        with heap_graph() as graph:
            node, buffer = node_at(graph, address), node_at(graph, image)
            assert graph.garbage[[node, buffer]].all()
            assert not graph.reach()[[node, buffer]].any()
            assert node not in graph.local_roots
            boxes = [node, node_at(graph, other)]
            assert SIZE < graph.retained_sizes()[boxes].max() < SIZE + 2000
        gc.collect()
        with heap_graph() as graph:
            node = node_at(graph, address)
            assert node is None or not graph.garbage[node]
    finally:
        gc.enable()


@pytest.mark.usefixtures("_layout")
def test_a_class_goes_with_its_last_instance():
    def plant():
        class Passing:
            pass

        Passing.kept = one = Passing()
        one.image = bytes(SIZE)
        return id(Passing), id(one), id(one.image)

    gc.disable()
    try:
        addresses = plant()
        with heap_graph() as graph:
            assert graph.garbage[[node_at(graph, address) for address in addresses]].all()
    finally:
        gc.enable()
        gc.collect()


def test_garbage_that_leads_to_what_is_kept_does_not_hold_it(shop):
    gc.disable()
    try:
        shop.KEPT = {"image": bytes(SIZE)}
        first = cycle()
        first.kept = shop.KEPT
        del first
        with heap_graph() as graph:
            assert not graph.garbage[graph.find(shop.KEPT)]
    finally:
        gc.enable()
        gc.collect()


def test_what_the_analyst_holds_is_neither_held_by_c_nor_garbage():
    gc.collect()
    mine = {"image": bytes(SIZE), "cycle": cycle()}
    with heap_graph() as graph:
        assert graph.find(mine) is None
        assert graph.find(mine["cycle"]) is None
        assert graph.find(mine["image"]) is None


def test_the_walk_does_not_come_across_itself():
    gc.collect()
    large = {id(obj) for obj in gc.get_objects() if is_long(obj)}  # other tests' own
    for _ in range(2):
        with heap_graph() as graph:
            names = {type(obj).__name__ for obj in graph.objects}
            assert not names & {"Walk", "HeapGraph", "Kinds", "AddressMap"}
            assert not any(is_long(obj) and id(obj) not in large for obj in graph.objects)


def is_long(obj):
    return type(obj) is list and len(obj) > 50_000


def test_text_keys_of_a_large_dictionary_are_seen(shop):
    shop.SEEN = dict.fromkeys((f"session-{number}-{'x' * 500}" for number in range(200)), True)
    with heap_graph() as graph:
        assert graph.retained_sizes()[graph.find(shop.SEEN)] > 200 * 500


def test_a_linked_list_longer_than_any_batch_is_walked_in_bounded_time(shop):
    shop.HEAD = None
    for _ in range(20_000):
        shop.HEAD = [shop.HEAD]
    started = time.process_time()
    with heap_graph() as graph:
        sizes = graph.retained_sizes()
        assert sizes[graph.find(shop.HEAD)] >= 20_000 * sys.getsizeof([None])
    assert time.process_time() - started < 30
    while shop.HEAD is not None:
        shop.HEAD = shop.HEAD[0]


@pytest.mark.parametrize(
    "budget", [{"max_bytes": 2_000_000}, {"max_bytes": 0}, {"max_seconds": 0.0}], ids=lambda budget: next(iter(budget))
)
def test_a_walk_that_would_cost_too_much_is_cut_and_says_so(monkeypatch, budget):
    monkeypatch.setattr(walk, "_BATCH", 1_000)
    with heap_graph(**budget) as graph:
        n = len(graph.objects)
        assert not graph.complete
        assert any("stopped early" in note for note in graph.notes)
        assert 0 < n < 100_000
        assert graph.targets.max(initial=0) < n
        assert graph.starts.shape == (n + 1,)
        assert graph.starts[-1] == graph.targets.size
        assert graph.reach().all()
        assert (graph.retained_sizes() >= graph.sizes).all()
        assert [len(column) for column in (graph.sizes, graph.types, graph.addresses, graph.garbage)] == [n] * 4


def test_an_ample_budget_changes_nothing():
    with heap_graph(max_bytes=10**10, max_seconds=600) as graph:
        assert graph.complete
        assert not any("stopped" in note for note in graph.notes)


def test_looking_creates_no_instance_dictionaries(shop):
    shop.KEPT = [Box() for _ in range(1000)]
    for box in shop.KEPT:
        box.image = 1
    before = sum(type(obj) is dict for obj in gc.get_objects())
    with heap_graph() as graph:
        graph.retained_sizes()
        assert sum(type(obj) is dict for obj in gc.get_objects()) < before + 500


def test_a_second_look_gives_the_same_answer(shop):
    shop.STORE = {number: {"image": bytes(1000)} for number in range(100)}
    answers = []
    for _ in range(2):
        with heap_graph() as graph:
            answers.append(int(graph.retained_sizes()[graph.find(shop.STORE)]))
    assert answers[0] == answers[1]


def test_addresses_far_apart_have_their_own_numbers():
    numbers = addresses.AddressMap()
    some = np.array([0x7FFF_0000_0010, 0x10, 0x5555_0000_0000, 0x7FFF_0000_0020, 0x10], dtype=np.int64)
    assert numbers.get(some).tolist() == [-1] * 5
    found, new = numbers.claim(some, 7)
    assert found.tolist() == [7, 8, 9, 10, 8]
    assert new.tolist() == [0, 1, 2, 3]
    many = np.arange(1, 3_000, dtype=np.int64) << 21
    assert numbers.claim(many, 11)[0].tolist() == list(range(11, 11 + many.size))
    assert numbers.get(some).tolist() == [7, 8, 9, 10, 8]


def test_the_highest_address_of_64_bit_arm_has_its_number():
    numbers = addresses.AddressMap()
    highest = np.array([2**48 - 16])
    numbers.set(highest, np.array([7]))
    assert numbers.get(highest).tolist() == [7]


def test_a_dictionary_that_another_thread_empties_meanwhile_is_no_error(shop, monkeypatch):
    shop.EMPTIED = {}
    monkeypatch.setattr(walk, "lengths", lambda objects, _, at: np.array([max(len(objects[i]), 100) for i in at]))
    with heap_graph() as graph:
        assert graph.find(shop.EMPTIED) is not None


def test_roots_that_were_gathered_before_are_used():
    kept = []

    class Given:
        notes = ("Something could not be had.",)

        @staticmethod
        def named():
            return iter([(Root(RootKind.LOCAL, "image", "worker", "render"), kept[0])])

    kept.append({"image": bytes(SIZE)})
    with heap_graph(Given()) as graph:
        assert graph.local_roots[graph.find(kept[0])].title == "thread worker in render, local image"
        assert "Something could not be had." in graph.notes


def test_what_a_look_itself_lets_go_is_no_garbage():
    """CPython joins a StringIO's parts when it is read; the parts are nobody's then."""
    streams = [io.StringIO() for _ in range(50)]
    for stream in streams:
        for number in range(100):
            stream.write(f"part {number}")
    with heap_graph() as graph:
        garbage = [graph.objects[node] for node in np.flatnonzero(graph.garbage)]
        parts = sum(type(obj) is str and obj.startswith("part ") for obj in garbage)
        garbage.clear()
    assert parts == 0


def test_memory_that_a_c_object_owns_counts_with_the_array_that_shows_it_and_only_once(shop):
    own = np.ones(40_000)
    foreign = types.SimpleNamespace(__array_interface__=own.__array_interface__ | {"version": 3})
    shop.ARRAYS = [np.asarray(foreign), np.lib.stride_tricks.as_strided(own, (1000, 40_000), (0, 8)), own[:10]]
    assert type(shop.ARRAYS[0].base) is types.SimpleNamespace
    del foreign
    with heap_graph() as graph:
        sizes = [int(graph.sizes[graph.find(array)]) for array in shop.ARRAYS]
        assert sizes[0] == sys.getsizeof(shop.ARRAYS[0]) + own.nbytes
        assert sizes[1:] == [sys.getsizeof(array) for array in shop.ARRAYS[1:]]


KEEPING = {
    "an exception": "except ValueError as error: shop.KEPT.append(error)",
    "its traceback": "except ValueError as error: shop.KEPT.append(error.__traceback__)",
    "all that is known of it": "except ValueError: shop.KEPT.append(sys.exc_info())",
    "the frame itself": "finally: shop.KEPT.append(sys._getframe())",
}


@pytest.mark.parametrize("kept", KEEPING.values(), ids=KEEPING)
def test_calls_of_the_tool_that_a_frame_keeps_are_no_part_of_what_is_seen(shop, monkeypatch, kept):
    """Nobody can let go of them but whoever keeps what was called, and their variables are the tool's own."""
    tool = types.ModuleType("labserver.diagnosis.planted")
    monkeypatch.setitem(sys.modules, tool.__name__, tool)
    code = """
def drive_all(job):
    state = bytearray(100_000)
    call_one(job)
def call_one(job):
    result = bytearray(200_000)
    try:
        job()
    except ValueError:
        pass
"""
    exec(code, vars(tool))
    application = {"shop": shop, "sys": sys}
    exec(f"def job():\n try: raise ValueError\n {kept}", application)
    shop.KEPT = []
    gc.collect()  # the frames of another run, whose module is gone
    for _ in range(3):
        tool.drive_all(application["job"])
    with heap_graph() as graph:
        nodes = [node for node, one in enumerate(graph.objects) if type(one) is types.FrameType]
        names = [graph.objects[node].f_code.co_name for node in nodes]
        of_jobs = [node for node, name in zip(nodes, names, strict=True) if name == "job"]
        sizes = [int(graph.sizes[node]) - sys.getsizeof(graph.objects[node]) for node in of_jobs]
        buffers = [one for one in graph.objects if type(one) is bytearray and len(one) in {100_000, 200_000}]
    assert not {"drive_all", "call_one"} & set(names)
    assert buffers == []
    assert len(sizes) == 3
    least = sys.getsizeof(sys._getframe()) // 2
    assert min(sizes) > least  # what the calls take counts where they are kept
