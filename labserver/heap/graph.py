"""The heap as a graph, walked forward from its roots.

Back-references (`gc.get_referrers`, objgraph) cannot see untracked containers, such as a `dict[str, bytes]`. Forward
references (`gc.get_referents`) reach whatever the collector could traverse, tracked or not; so the walk starts at the
roots and follows them until nothing new is found.
"""

import gc
import inspect
import sys
import threading
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labserver.heap.analyst import analyst_objects, is_analyst_module

Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_BATCH = 32_768


@dataclass(slots=True)
class HeapGraph:
    """Objects that the roots reach, and the references between them; n nodes, m references.

    It keeps every object alive, so it is emptied when its block ends.

    Attributes:
        objects: the nodes; the modules come first, then what running frames hold in their locals.
        sizes: `sys.getsizeof` of each, shape (n,), bytes.
        starts: node i's references are `targets[starts[i]:starts[i + 1]]`; shape (n + 1,).
        targets: node indices, shape (m,).
        modules: how many nodes are modules.
        local_roots: the names of the roots that are no modules: node index → "thread … in function, local".
    """

    objects: list[object]
    sizes: Indices
    starts: Indices
    targets: Indices
    modules: int
    local_roots: dict[int, str]

    def reach(self, *, without: Sequence[int] = ()) -> Mask:
        """Which nodes the roots reach when some nodes are taken away; shape (n,)."""
        seen = np.zeros(len(self.objects), dtype=bool)
        seen[list(without)] = True
        self._walk(self._roots(), seen)
        seen[list(without)] = False
        return seen

    def retained(self, node: int) -> Mask:
        """The nodes that would be freed if this one let go of everything: all that roots reach only through it.

        The dominator sense of Eclipse MAT's "retained set"; the node itself counts. Shape (n,).
        """
        return self.reach() & ~self.reach(without=[node])

    def parents(self) -> Indices:
        """The node before each node on a shortest path from a root, -1 for roots and unreached nodes; shape (n,).

        Paths from modules win over paths from running frames: a module's name says more than a local variable's.
        """
        seen = np.zeros(len(self.objects), dtype=bool)
        parents = np.full(len(self.objects), -1, dtype=np.int64)
        roots = self._roots()
        self._walk(roots[: self.modules], seen, parents)
        self._walk(roots[self.modules :], seen, parents)
        return parents

    def find(self, obj: object) -> int | None:
        """The node of an object, or None where no root reaches it."""
        return next((index for index, other in enumerate(self.objects) if other is obj), None)

    def _roots(self) -> Indices:
        return np.array([*range(self.modules), *self.local_roots], dtype=np.int64)

    def _walk(self, frontier: Indices, seen: Mask, parents: Indices | None = None) -> None:
        """Mark what is reached, breadth first, a level at a time."""
        frontier = frontier[~seen[frontier]]
        seen[frontier] = True
        while frontier.size:
            counts = self.starts[frontier + 1] - self.starts[frontier]
            first_edge = np.repeat(self.starts[frontier] - (np.cumsum(counts) - counts), counts)
            reached = self.targets[first_edge + np.arange(first_edge.size)]
            fresh = ~seen[reached]
            found, first = np.unique(reached[fresh], return_index=True)
            if parents is not None:
                parents[found] = np.repeat(frontier, counts)[fresh][first]
            seen[found] = True
            frontier = found


def path_to(node: int, parents: Indices) -> list[int]:
    """The nodes from a root to this one, both included."""
    path = [node]
    while parents[path[-1]] >= 0:
        path.append(int(parents[path[-1]]))
    return path[::-1]


@contextmanager
def heap_graph() -> Iterator[HeapGraph]:
    """Walk the heap of this process; the analyst (notebook, IPython, this code) is not entered.

    The collector is off meanwhile. Other threads go on between batches, so an object may be seen without what it held
    a moment earlier; at a floor nothing moves.
    """
    collecting = gc.isenabled()
    gc.disable()
    graph = _capture()
    try:
        yield graph
    finally:
        graph.objects.clear()
        if collecting:
            gc.enable()


def _capture() -> HeapGraph:
    walk = _Walk(shut=analyst_objects())
    walk.add(
        [module for name, module in list(sys.modules.items()) if module is not None and not is_analyst_module(name)]
    )
    module_count = len(walk.objects)
    local_roots = {}
    for label, value in running_locals():
        if walk.add([value]):
            local_roots[len(walk.objects) - 1] = label
    walk.close()
    starts, targets = walk.edges()
    return HeapGraph(walk.objects, _sizes(walk.objects), starts, targets, module_count, local_roots)


class _Walk:
    """Collects the closure of some objects under `gc.get_referents`.

    Args:
        shut: objects that are not entered.
    """

    def __init__(self, shut: Sequence[object]) -> None:
        self.objects: list[object] = []
        self._shut = np.unique(_addresses(shut))
        self._known = self._shut
        self._counts: list[Indices] = []
        self._referents: list[Indices] = []

    def add(self, objects: Sequence[object]) -> bool:
        """Append those objects that are new; returns whether there were any."""
        addresses, first = np.unique(_addresses(objects), return_index=True)
        new = ~_isin(addresses, self._known)
        self.objects.extend(objects[i] for i in np.sort(first[new]))
        # Merged by hand: np.union1d sorts or hashes everything again, which takes the most of the walk.
        self._known = np.insert(self._known, np.searchsorted(self._known, addresses[new]), addresses[new])
        return bool(new.any())

    def close(self) -> None:
        """Follow references until nothing new is found."""
        done = 0
        while done < len(self.objects):
            batch = self.objects[done : done + _BATCH]
            done += len(batch)
            referents, counts = _referents(batch)
            addresses = _addresses(referents)
            shut = _isin(addresses, self._shut)
            owner = np.repeat(np.arange(len(batch)), counts)[~shut]
            self._counts.append(np.bincount(owner, minlength=len(batch)))
            self._referents.append(addresses[~shut])
            self.add(referents)
            referents.clear()

    def edges(self) -> tuple[Indices, Indices]:
        """Offsets, shape (n + 1,), and target nodes, shape (m,)."""
        addresses = _addresses(self.objects)
        order = np.argsort(addresses)
        targets = order[np.searchsorted(addresses[order], np.concatenate(self._referents))]
        return np.concatenate([[0], np.cumsum(np.concatenate(self._counts))]), targets


def _referents(batch: Sequence[object]) -> tuple[list[object], Indices]:
    """What each object refers to, all in one list, and how many each has, shape (len(batch),).

    One call for the whole batch: after each object comes a list whose only item marks the boundary.
    """
    mark = object()
    boundary = [mark]
    interleaved: list[object] = [boundary] * (2 * len(batch))
    interleaved[::2] = batch
    referents = gc.get_referents(*interleaved)
    marks = np.flatnonzero(_addresses(referents) == id(mark))
    counts = np.diff(marks, prepend=-1) - 1
    return [item for item in referents if item is not mark], counts


def running_locals() -> Iterator[tuple[str, object]]:
    """What the other threads' running frames hold: `("thread name in function, local", value)`.

    `gc.get_referents` of a running frame does not show its locals.
    """
    own = threading.get_ident()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, top in sys._current_frames().items():  # noqa: SLF001 - the only way to another thread's stack
        frame: types.FrameType | None = top if ident != own else None
        while frame is not None:
            label = f"thread {names.get(ident, ident)} in {frame.f_code.co_qualname}"
            for name, value in frame_locals(frame):
                yield f"{label}, local {name}", value
            frame = frame.f_back


def frame_locals(frame: types.FrameType) -> list[tuple[str, object]]:
    """A frame's local variables by name; the frame is left without a copy of them."""
    namespace = frame.f_locals
    found = list(namespace.items())
    if isinstance(namespace, dict) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        # Up to CPython 3.12 the frame keeps this copy, which would prolong the life of what it holds.
        namespace.clear()
    return found


def _addresses(objects: Sequence[object]) -> Indices:
    """The objects' addresses, shape (len(objects),).

    What `id` gives, read in one go from an object array's own pointers: an integer object for each address would
    cost the most of the walk, and many times that while allocations are traced.
    """
    pointers = np.fromiter(objects, dtype=object, count=len(objects))
    return np.asarray(_Pointers(pointers)).copy()


class _Pointers:
    """An object array's memory as integers, by NumPy's array interface; CPython's `id` is the address."""

    def __init__(self, array: npt.NDArray[np.object_]) -> None:
        self._array = array
        self.__array_interface__ = {**array.__array_interface__, "typestr": np.dtype(np.int64).str, "descr": []}


def _isin(addresses: Indices, known: Indices) -> Mask:
    """Which addresses are in a sorted array; `np.isin` would sort it again for every batch."""
    if not known.size:
        return np.zeros(addresses.size, dtype=bool)
    at = np.minimum(np.searchsorted(known, addresses), known.size - 1)
    inside: Mask = known[at] == addresses
    return inside


def _sizes(objects: Sequence[object]) -> Indices:
    """`sys.getsizeof` of each, bytes; 0 where a type's own answer fails."""
    try:
        return np.fromiter(map(sys.getsizeof, objects), dtype=np.int64, count=len(objects))
    except Exception:  # noqa: BLE001 - a type's own __sizeof__ may do anything; the walk must not end for it
        return np.fromiter(map(_size, objects), dtype=np.int64, count=len(objects))


def _size(obj: object) -> int:
    try:
        return sys.getsizeof(obj)
    except Exception:  # noqa: BLE001 - a type's own __sizeof__ may do anything; the walk must not end for it
        return 0
