import gc
import itertools
import os
import sys
import threading
import weakref

import numpy as np
import pytest

from labserver.errors import UsageError
from labserver.heap.file import HeapFile
from labserver.heap.file.path_groups import MOST_FOLLOWED, shortest_paths
from labserver.heap.graph import heap_graph
from labserver.heap.is_a import module_of
from labserver.report.heap.terminal import paths_page

SECRET = "hunter2-correct-horse"
SIZE = 54_321


class Job:
    def __init__(self, number):
        self.number, self.image = number, bytes(SIZE + number)
        self.parent = None


class Picture(bytes):
    """Of which there are fewer than of what each function has."""


class Slim:
    __slots__ = ("image", "more")

    def __init__(self):
        self.image, self.more = Picture(SIZE), None


def chain(length):
    node = None
    for _ in range(length):
        node = [node]
    return node


def node_of(graph, obj):
    return int(np.flatnonzero(graph.addresses == id(obj))[0])


def test_the_file_says_what_the_live_graph_says_to_the_byte(shop, keep):
    shop.STORE = {number: Job(number) for number in range(50)}
    shop.DEEP, shop.SLIM = chain(5_000), [Slim() for _ in range(20)]
    shop.STORE[3].parent = shop.STORE[4]
    cycle = [bytes(SIZE)]
    cycle.append(cycle)
    del cycle

    def live(graph):
        return {
            "retained": graph.retained_sizes().copy(),
            "idom": graph.dominators().copy(),
            "sizes": graph.sizes.copy(),
            "garbage": np.flatnonzero(graph.garbage),
            "edges": (graph.starts.copy(), graph.targets.copy()),
            "types": [(type(obj).__qualname__, module_of(type(obj))) for obj in graph.objects],
            "addresses": graph.addresses.copy(),
            "roots": dict(graph.local_roots),
            "store": node_of(graph, shop.STORE),
        }

    gc.disable()
    try:
        heap, told = keep(live)
    finally:
        gc.enable()
    record = heap.record
    assert np.array_equal(heap.retained_sizes, told["retained"])
    assert np.array_equal(heap.dominator_tree.idom, told["idom"])
    assert np.array_equal(record.sizes, told["sizes"])
    assert np.array_equal(record.addresses, told["addresses"])
    assert np.array_equal(record.garbage, told["garbage"])
    assert told["garbage"].size >= 2
    assert np.array_equal(record.starts, told["edges"][0])
    assert np.array_equal(record.targets, told["edges"][1])
    names = [record.type_names[at] for at in record.types.tolist()]
    assert [(one.name, one.module) for one in names] == told["types"]
    assert {node: root.kind for node, root in record.roots.items()} == {
        node: root.kind for node, root in told["roots"].items()
    }
    assert heap.retained_sizes[told["store"]] > 50 * SIZE


def test_types_tell_what_is_there_and_count_no_byte_twice(shop, keep):
    shop.OUTER = [[bytes(SIZE)], [bytes(SIZE)]]
    heap, _ = keep()
    rows = heap.types()
    assert sum(row["count"] for row in rows) == heap.record.types.size
    assert sum(row["bytes"] for row in rows) == heap.bytes
    assert all(row["bytes"] <= row["retained_bytes"] <= heap.bytes for row in rows)


def test_what_a_type_retains_is_that_of_its_outermost_objects(keep, shop):
    shop.JOBS = [Job(0)]
    shop.JOBS[0].parent = Job(1)
    heap, whole = keep(lambda graph: int(graph.retained_sizes()[node_of(graph, shop.JOBS[0])]))
    row = next(row for row in heap.types() if row["type"] == f"{__name__}.Job")
    assert (row["count"], row["retained_bytes"]) == (2, whole)


def test_paths_are_spelt_as_the_code_spells_them(shop, keep):
    shop.STORE = {f"job {number}": Job(number) for number in range(40)}
    shop.SLIM = [Slim() for _ in range(5)]
    shop.BOTH = shop.ALSO = Job(9)
    heap, _ = keep()
    paths = {row["path"]: row["paths"] for row in heap.paths("Job")}
    assert paths["module shop → STORE → ['…'] → Job"] == 40
    assert paths["module shop → BOTH → Job"] + paths.get("module shop → ALSO → Job", 0) >= 1
    images = {row["path"]: row["paths"] for row in heap.paths("bytes")}
    assert images["module shop → STORE → ['…'] → Job.image → bytes"] == 40
    pictures = {row["path"]: row["paths"] for row in heap.paths("Picture")}
    assert pictures["module shop → SLIM → […] → Slim.image → Picture"] == 5


def test_all_shortest_paths_are_counted_where_there_are_several(shop, keep):
    image = Job(1)
    shop.LEFT, shop.RIGHT, shop.FAR = [image, image], {1: image}, [[image]]
    heap, _ = keep()
    paths = {row["path"]: row["paths"] for row in heap.paths("Job")}
    assert paths["module shop → LEFT → […] → Job"] == 2
    assert paths["module shop → RIGHT → ['…'] → Job"] == 1
    assert not any("FAR" in path for path in paths)


def test_of_too_many_kinds_of_paths_the_rarest_are_left_out_and_that_is_said(shop, keep):
    for first, second in itertools.islice(itertools.product("abcdefghijklmnop", repeat=2), MOST_FOLLOWED + 20):
        setattr(shop, f"place_{first}{second}", [Picture(SIZE)])
    shop.OFTEN = [Picture(SIZE) for _ in range(7)]
    heap, _ = keep()
    found = shortest_paths(heap, "Picture")
    assert found.groups[0].path == "module shop → OFTEN → […] → Picture"
    assert found.groups[0].paths == 7
    assert found.dropped >= 20
    assert any("rarer kinds of paths" in line.plain for line in paths_page(heap, "Picture", 5)(100))
    assert shortest_paths(heap, "Thread").dropped == 0


def test_a_name_that_nothing_has_is_one_sentence(shop, keep):
    shop.SLIM = Slim()
    heap, _ = keep()
    with pytest.raises(UsageError, match=r"has no object of a type 'Pictuer', .* did you mean 'Picture'\?$"):
        heap.paths("Pictuer")


def test_tables_are_rows_for_pandas_and_markup_for_a_notebook(shop, keep):
    shop.IMAGES = [bytes(SIZE)]
    heap, _ = keep()
    table = heap.dominators()
    assert isinstance(table, list)
    assert set(table[0]) == {"object", "bytes", "retained_bytes", "path"}
    assert [row["retained_bytes"] for row in table] == sorted((row["retained_bytes"] for row in table), reverse=True)
    assert table._repr_html_().startswith("<table>")
    type(shop)("</table><script>")
    shop.EVIL = type("<script>alert(1)</script>", (), {})()
    heap, _ = keep()
    assert "<script>" not in heap.types()._repr_html_()


def plant_secrets(shop):
    class Row:
        """Whose columns only its data know."""

    row = Row()
    vars(row).update({f"{SECRET}_attribute": 1, "x" * 20: 2})
    setattr(row, f"{SECRET} set", 3)
    shop.TABLE = {SECRET: SECRET.encode(), (SECRET,): [SECRET], 1: {SECRET + str(at): at for at in range(50)}}
    shop.ROW, shop.ROWS = row, [type("Row2", (), {f"{SECRET}_class": 1})()]
    vars(shop)[f"{SECRET}_global"] = SECRET
    shop.LINES = [(SECRET, bytearray(SECRET.encode()), memoryview(SECRET.encode()), weakref.ref(row))]
    shop.TAGS = {SECRET, frozenset([SECRET])}


def test_a_file_carries_no_contents(shop, keep):
    plant_secrets(shop)
    threading.current_thread().name, before = f"worker for {SECRET}@example.com", threading.current_thread().name
    try:
        heap, _ = keep()
    finally:
        threading.current_thread().name = before
    whole = repr(heap.record)
    assert SECRET not in whole
    assert "hunter2" not in whole
    assert "x" * 20 not in whole
    assert heap.record.texts == {}
    assert heap.strings() == []


def test_with_names_keys_and_strings_are_there_shortened_and_bytes_never(shop, keep):
    long = "".join(["a long text ", *map(str, range(100))])
    shop.TABLE = {"customer 7": b"bytes of a secret".replace(b" ", b"-"), long: 1}
    shop.COPIES = [" and ".join(["again"] * 2) for _ in range(5)]
    shop.LONG = ["".join([long, str(at)]) for at in range(2)]
    heap, _ = keep(with_names=True)
    whole = repr(heap.record)
    assert "customer 7" in whole
    assert long not in whole
    assert long[:60] in whole
    assert "bytes of a secret".replace(" ", "-") not in whole
    copies = next(row for row in heap.strings() if row["text"] == shop.COPIES[0])
    assert copies["times"] == 5
    assert copies["wasted_bytes"] == 4 * sys.getsizeof(shop.COPIES[0])
    assert not any(row["text"].startswith("a long text") for row in heap.strings())


def test_classes_functions_and_code_are_named_with_their_first_lines(shop, keep):
    def render(image):
        return image

    shop.HANDLER = render
    heap, (function, code) = keep(lambda graph: (node_of(graph, render), node_of(graph, render.__code__)))
    assert heap.record.names[function] == render.__qualname__
    assert heap.record.lines[code].line == render.__code__.co_firstlineno
    assert heap.record.lines[code].file.endswith("test_heap_file.py")


def test_threads_are_told_with_their_stacks(keep):
    leave, there = threading.Event(), threading.Event()

    def wait_for_it():
        there.set()
        leave.wait()

    thread = threading.Thread(target=wait_for_it, name="worker-1")
    thread.start()
    there.wait()
    try:
        heap, _ = keep()
    finally:
        leave.set()
        thread.join()
    stack = next(one for one in heap.threads() if one.name == "worker-1")
    assert any("wait_for_it" in line for line in stack.lines)


def test_no_code_of_the_application_runs(shop, keep):
    called = []

    class Proxy:
        def __getattribute__(self, name):
            called.append(name)
            raise RuntimeError(name)

        def __eq__(self, other):
            called.append("eq")
            raise RuntimeError

        def __hash__(self):
            called.append("hash")
            return 1

        def __len__(self):
            called.append("len")
            return 1

    class Key(str):
        __slots__ = ()

        def __hash__(self):
            called.append("key hash")
            return 1

        def __eq__(self, other):
            called.append("key eq")
            return self is other

    shop.PROXIES = [Proxy() for _ in range(5)]
    shop.KEYED = {Key("a"): 1, "b": 2}
    vars(shop)[Key("odd")] = 1
    called.clear()
    for with_names in (False, True):
        keep(lambda _: None, with_names=with_names)
    assert called == []


def test_a_file_of_one_process_knows_itself_again(keep):
    (first, _), (second, _) = keep(), keep(target="pid:1")
    assert first.about.is_same_process(second.about)
    assert first.about.pid == os.getpid()
    assert second.about.target == "pid:1"


@pytest.mark.parametrize("name", ["missing.heap", "."])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, name):
    with pytest.raises(UsageError, match=r"cannot be read \(.+\)\.$"):
        HeapFile(tmp_path / name)


def test_reading_leaves_nothing_alive(shop, keep):
    shop.JOB = Job(1)
    alive = weakref.ref(shop.JOB)
    heap, _ = keep()
    del shop.JOB
    gc.collect()
    assert alive() is None
    assert heap.record.types.size
    with heap_graph() as graph:
        assert graph.complete
