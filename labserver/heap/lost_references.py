"""Objects that are kept for no reference: an extension counted one up and never down again.

Neither the walk over the heap nor the collector sees a `str` that nothing refers to. But tracemalloc knows its block,
and its memory says what it is. Whether a reference is lost, or C code keeps it where nobody looks, is told by counting:
an object whose count is higher than the number of words in all of memory that point to it can never be let go of.

What a word seems to be is not trusted: memory is read through the kernel, and an object is touched only after
tracemalloc has confirmed that its block begins where it should.
"""

import ctypes
import gc
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from labserver.heap.frame import Frame
from labserver.heap.graph import HeapGraph
from labserver.heap.heap_growth import LostReferences
from labserver.heap.is_a import of_class, type_name
from labserver.heap.kinds import Kinds, bytes_before
from labserver.heap.layout.objects import Indices, addresses_of, word_of_each
from labserver.heap.layout.own_memory import inverted_words, writable_bytes
from labserver.heap.layout.traces import Trace, can_be_traced, trace_of
from labserver.heap.origin import origin_of
from labserver.heap.process_memory import give_back_freed_memory
from labserver.heap.raised import raised_in
from labserver.heap.root import RootKind
from labserver.heap.search import search
from labserver.heap.stack import called_part, own_lines
from labserver.heap.tracemalloc_tools import frame_at, short_path

Mask = npt.NDArray[np.bool_]

_MOST_BYTES = 2 << 30  # of memory that is read, twice: some seconds
_MOST_COUNT = 16  # references of what is believed to be an object: what has more is text, or shared by many
_FEWEST = 8  # of one type and stack that are a habit: of a few, a thread's registers may have the only reference
_MOST_GROUPS = 10
_HALF = 0xFFFF_FFFF  # a count is the lower half of its word
_MARKS = 7  # low bits, in which the interpreter may mark a reference
_MAY_BE_UNTRACKED = (tuple, dict)
_STEP = 16  # bytes from one place where an object may begin to the next


@dataclass(frozen=True, slots=True)
class Reached:
    """What a walk over the heap has met: addresses, inverted, so that whoever looks for them does not find these.

    Attributes:
        held: of all objects that modules and threads lead to, and of what waits for the collector; ascending.
        seen: of all objects; ascending.
    """

    held: Indices
    seen: Indices

    @classmethod
    def by(cls, graph: HeapGraph) -> Self:
        """What a graph has met."""
        held = graph.garbage.copy()
        others = [node for node, root in graph.local_roots.items() if root.kind is not RootKind.C_CODE]
        search(graph.starts, graph.targets, np.array([*range(graph.modules), *others], dtype=np.int64), held)
        return cls(np.sort(~graph.addresses[held]), np.sort(~graph.addresses))

    def save(self, file: BinaryIO) -> None:
        """Write it to a file."""
        np.savez(file, held=self.held, seen=self.seen)

    @classmethod
    def load(cls, file: BinaryIO) -> Self:
        """Read it back."""
        with np.load(file) as arrays:
            return cls(arrays["held"], arrays["seen"])


def lost_references(reached: Reached) -> tuple[LostReferences, ...]:
    """What is kept for no reference and was allocated since tracing began, most bytes first.

    Call it in a forked child of a process that traces, and before anything there has looked at the heap.

    Args:
        reached: what another child's walk has met in the same heap, all of it.

    Raises:
        OSError: the kernel shows no process its memory.
    """
    if not can_be_traced() or writable_bytes() > _MOST_BYTES:
        return ()
    give_back_freed_memory()  # stale words there would pass for references
    inverted, counts, before, sizes = _like_objects(reached.held)
    # The books of tracemalloc point to each block, which begins with the object where nothing stands before it.
    lost = np.flatnonzero(counts > _pointed_at(inverted) - (before == 0))
    found = _Unreached(reached)
    for trace, addresses in _alike(~inverted[lost], before[lost], sizes[lost]):
        found.add(trace, [ctypes.cast(address, ctypes.py_object).value for address in addresses])
    return tuple(sorted(found.groups, key=lambda one: one.bytes, reverse=True)[:_MOST_GROUPS])


def _alike(addresses: Indices, before: Indices, sizes: Indices) -> Iterator[tuple[Trace, list[int]]]:
    """Those addresses at which there are objects, by the stack that allocated them: a habit, and the application's.

    What looks like an object may be the inside of another one, such as a class that a tuple has behind a number: the
    collector knows all objects that it could follow but tuples and dictionaries, some of which it leaves out. Or it may
    be a short text before what was left in memory: then another block begins where the object would still be.
    """
    tracked = np.sort(addresses_of(gc.get_objects()))
    known = (before == 0) | _is_in(addresses, tracked)
    others = np.flatnonzero(~known)
    kinds, next_one = word_of_each(addresses[others], 1), word_of_each(addresses[others] - _STEP, 0)
    known[others] = np.isin(kinds, list(map(id, _MAY_BE_UNTRACKED))) & (next_one == 0)
    found: dict[Trace, list[int]] = defaultdict(list)
    for address, ahead, size in np.stack([addresses, before, sizes], axis=1)[known].tolist():
        trace = trace_of(address - ahead)
        if trace is not None and not any(map(trace_of, range(address + _STEP, address + size, _STEP))):
            found[trace].append(address)
    for trace, habit in found.items():
        if len(habit) >= _FEWEST and _is_called(trace):
            yield trace, habit


def _like_objects(reached: Indices) -> tuple[Indices, Indices, Indices, Indices]:
    """What looks like an object and was not reached: inverted address, ascending; count; bytes before; least size."""
    classes = _classes()
    order = np.argsort(~addresses_of(classes))
    kinds = ~addresses_of(classes)[order]
    before = np.array([bytes_before(cls) for cls in classes], dtype=np.int64)[order]
    sizes = np.array([of_class(cls, "__basicsize__") for cls in classes], dtype=np.int64)[order]
    found = []
    for first, words in inverted_words():
        headers = words[: words.size // 2 * 2].reshape(-1, 2)
        counts = _HALF - (headers[:, 0] & _HALF)
        rows = np.flatnonzero((counts > 0) & (counts < _MOST_COUNT))
        at = np.minimum(np.searchsorted(kinds, headers[rows, 1]), kinds.size - 1)
        inverted = first - _STEP * rows
        fits = np.flatnonzero((kinds[at] == headers[rows, 1]) & ~_is_in(inverted, reached))
        found.append(np.stack([inverted[fits], counts[rows[fits]], before[at[fits]], sizes[at[fits]]]))
    columns = np.concatenate(found, axis=1)
    inverted, counts, before, sizes = columns[:, np.argsort(columns[0])]
    return inverted, counts, before, sizes


def _pointed_at(wanted: Indices) -> Indices:
    """How many words of memory point to each of some inverted addresses, which ascend; shape as given."""
    counts = np.zeros(wanted.size, dtype=np.int64)
    if not wanted.size:
        return counts
    for _, words in inverted_words():
        np.bitwise_or(words, _MARKS, out=words)
        near = words[(words >= wanted[0]) & (words <= wanted[-1])]
        at = np.searchsorted(wanted, near)
        counts += np.bincount(at[wanted[at] == near], minlength=wanted.size)
    return counts


def _is_called(trace: Trace) -> bool:
    """Whether the application allocated it, and not this package for itself."""
    return bool(called_part([Frame(short_path(file), line, "", origin_of(file)) for file, line in trace]))


class _Unreached:
    """Lost objects by what allocated them.

    Args:
        reached: see `lost_references`.

    Attributes:
        groups: what was added, one for each type and stack.
    """

    def __init__(self, reached: Reached) -> None:
        self.groups: list[LostReferences] = []
        self._reached = reached
        self._taken: set[int] = set()

    def add(self, trace: Trace, objects: Sequence[object]) -> None:
        """Objects that one stack allocated."""
        by_type: dict[int, list[object]] = defaultdict(list)
        for obj in objects:
            by_type[id(type(obj))].append(obj)
        self.groups += [self._group(trace, alike) for alike in by_type.values() if len(alike) >= _FEWEST]

    def _group(self, trace: Trace, objects: list[object]) -> LostReferences:
        below, example, kinds = self._below(objects), objects[-1], Kinds()
        addresses = addresses_of(below)
        sizes = kinds.sizes(below, addresses, kinds.of(below, addresses))
        stack = called_part([frame_at(file, line) for file, line in trace])
        return LostReferences(
            type=type_name(example),
            items=len(objects),
            bytes=int(sizes.sum()),
            unseen_bytes=int(sizes[~_is_in(~addresses, self._reached.seen)].sum()),
            raised_in=raised_in(example),
            allocated_at=own_lines(stack),
            stack=stack,
        )

    def _below(self, level: list[object]) -> list[object]:
        """Some objects and what came with them, each taken once: what is reached otherwise hangs elsewhere."""
        found: list[object] = []
        while level:
            addresses = addresses_of(level)
            loose = np.flatnonzero(~_is_in(~addresses, self._reached.held)).tolist()
            fresh = {int(addresses[at]): level[at] for at in loose if int(addresses[at]) not in self._taken}
            self._taken.update(fresh)
            level = [obj for address, obj in fresh.items() if trace_of(address - bytes_before(type(obj))) is not None]
            found += level
            level = gc.get_referents(*level)
        return found


def _is_in(values: Indices, wanted: Indices) -> Mask:
    """Which values are among some ascending ones; shape as given."""
    if not wanted.size:
        return np.zeros(values.shape, dtype=bool)
    found: Mask = wanted[np.minimum(np.searchsorted(wanted, values), wanted.size - 1)] == values
    return found


def _classes() -> list[type]:
    """All classes that are alive, without asking their metaclasses; without metaclasses: no class is lost like that."""
    found: dict[int, type[Any]] = {id(object): object}
    level: list[type[Any]] = [object]
    while level:
        below: dict[int, type[Any]] = {id(cls): cls for known in level for cls in type.__subclasses__(known)}
        level = [below[address] for address in below.keys() - found.keys()]
        found |= below
    return [cls for cls in found.values() if not issubclass(cls, type)]
