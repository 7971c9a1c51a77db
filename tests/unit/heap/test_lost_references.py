"""Objects whose counts are higher than the number of references that there are to them."""

import ctypes
import os
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from labserver.heap import lost_references as module
from labserver.heap.child import in_child
from labserver.heap.graph import heap_graph
from labserver.heap.heap_growth import LostReferences
from labserver.heap.layout.objects import headers_are_known
from labserver.heap.layout.own_memory import inverted_words, writable_bytes
from labserver.heap.layout.traces import can_be_traced, trace_of
from labserver.heap.lost_references import Reached, lost_references

pytestmark = [
    pytest.mark.linux("needs a copy of the process"),
    pytest.mark.skipif(not headers_are_known(), reason="needs objects as they usually are"),
]

_NEW = f"""import pickle, sys
sys.path[:] = {sys.path}
work, *arguments = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps(work(*arguments)))"""
JOBS = 200  # more than the blocks that lie ready to be used again, which nobody traces
# As a compiled extension does that forgets to let go.
FORGET = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("Py_IncRef", ctypes.pythonapi))


class Order:
    def __init__(self, number):
        self.number, self.note = number, "note " * 20 + str(number)

    def fail(self):
        raise ValueError(str(self.number) * 100)


def text(number):
    FORGET("text " * 100 + str(number))


def octets(number):
    FORGET(bytes(500 + number))


def pair(number):
    FORGET((number + 1000, "name " * 20 + str(number)) * 13)  # shorter ones lie in blocks that were used before


def mapping(number):
    FORGET({"number": number, "name": "name " * 20 + str(number)})


def instance(number):
    FORGET(Order(number))


def error(number):
    try:
        Order(number).fail()
    except ValueError as failed:
        FORGET(failed)


@pytest.fixture
def look(tmp_path):
    """Runs jobs in a new process, and gives what they have lost.

    In one that has worked before, addresses of what is gone lie about in memory that was freed, where they pass for
    references to what lies there now: such an object is not told.
    """

    def look(job):
        # Not by multiprocessing: it leaves this process a child for good.
        asked = pickle.dumps((lost_by, job, tmp_path / "reached.npz"))
        done = subprocess.run([sys.executable, "-c", _NEW], input=asked, stdout=subprocess.PIPE, check=True)
        return pickle.loads(done.stdout)

    return look


def lost_by(job, notes):
    """What jobs under tracemalloc have lost."""
    spare = [{number: number} for number in range(300)]  # as many blocks as lie ready to be used again
    tracemalloc.start(10)
    try:
        for number in range(JOBS):
            job(number)
        in_child(lambda: _reach(notes), within_s=100)
        answer = in_child(lambda: _lost(notes), within_s=100)
    finally:
        tracemalloc.stop()
        del spare
    return [LostReferences.from_json(one) for one in answer]


def _reach(notes):
    tracemalloc.stop()
    with heap_graph() as graph, notes.open("wb") as file:
        Reached.by(graph).save(file)


def _lost(notes):
    with notes.open("rb") as file:
        return [one.to_json() for one in lost_references(Reached.load(file))]


@pytest.mark.parametrize(
    ("job", "kind", "least"),
    [
        (text, "str", 500),
        (octets, "bytes", 500),
        (pair, "tuple", 100),
        (mapping, "dict", 250),
        (instance, "Order", 150),
        (error, "ValueError", 500),
    ],
)
def test_objects_of_any_kind_are_found_with_their_line(look, job, kind, least):
    (found,) = look(job)
    assert found.type == kind
    assert JOBS / 2 <= found.items <= JOBS  # some lie in blocks that were used before
    assert found.bytes >= least * found.items
    assert any(f" in {job.__name__}" in line for line in found.allocated_at)


def test_an_exception_is_told_with_what_raised_it(look):
    (found,) = look(error)
    line = Order.fail.__code__.co_firstlineno + 1
    assert found.raised_in.startswith("Order.fail (")
    assert found.raised_in.endswith(f"test_lost_references.py:{line})")


def test_what_the_collector_does_not_track_is_told_apart(look):
    (found,) = look(text)
    assert found.unseen_bytes == found.bytes
    (found,) = look(instance)
    assert found.unseen_bytes == 0


def interned(number):
    sys.intern(f"interned {number}")


def numbers(number):
    for small in range(200):
        assert small + number >= 0


def freed(number):
    assert len([(number, text) for text in map(str, range(100))]) == 100
    assert {number: 1.5 * number}


def compiled(number):
    exec(compile(f"def made(): return 'constant {number}', {number}", "made.py", "exec"), SPACES.setdefault(number, {}))


def held_by_c(number):
    HELD[number] = "held " * 50 + str(number)


def native(number):
    BLOCKS.append(ctypes.create_string_buffer(2000 + number))


SPACES, BLOCKS = {}, []
HELD = (ctypes.py_object * JOBS)()  # C code's own array, which shows its items to the collector, too
BEHIND = {}


def in_raw_memory(number):
    """A reference of C code's, in memory that no object shows."""
    kept = "behind " * 50 + str(number)
    FORGET(kept)
    BEHIND.setdefault("memory", ctypes.create_string_buffer(8 * JOBS))[8 * number : 8 * number + 8] = id(kept).to_bytes(
        8, sys.byteorder
    )


@pytest.mark.parametrize("job", [interned, numbers, freed, compiled, held_by_c, native, in_raw_memory])
def test_what_somebody_refers_to_is_not_lost(look, job):
    assert look(job) == []


def some(number):
    if number < 5:
        text(number)


def test_a_few_are_no_habit(look):
    assert look(some) == []


def test_nothing_is_told_without_traces():
    assert not can_be_traced()
    assert lost_references(Reached(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))) == ()


def test_a_process_that_is_too_large_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_BYTES", 1)
    assert lost_by(text, tmp_path / "reached.npz") == []


def test_the_memory_is_read_without_a_trace_of_who_reads_it():
    needle = int.from_bytes(os.urandom(6), "little") << 4
    planted = np.array([needle], dtype=np.int64)
    assert writable_bytes() > 1_000_000
    found = [
        ~first + 8 * int(at) for first, words in inverted_words() for at in np.flatnonzero(words == ~needle).tolist()
    ]
    assert planted.ctypes.data in found
    # NumPy may keep a copy of a number for a while, but the reader has no other.
    assert len(found) <= 3


def test_a_block_is_known_by_its_address_alone():
    tracemalloc.start(3)
    try:
        kept = bytes(1000)
        assert trace_of(id(kept))[0][0] == __file__
        assert trace_of(id(kept) + 16) is None
        assert trace_of(8) is None
    finally:
        tracemalloc.stop()
    assert trace_of(id(kept)) is None
