"""The heap as a graph, walked forward from its roots.

Back-references (`gc.get_referrers`, objgraph) cannot see untracked containers, such as a `dict[str, bytes]`. Forward
references (`gc.get_referents`) reach whatever the collector could traverse, tracked or not.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from labserver.heap.capture import capture
from labserver.heap.dominators import DominatorTree, dominator_tree
from labserver.heap.root import Root
from labserver.heap.roots import Roots, gather_roots
from labserver.heap.search import search

Indices = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class HeapGraph:
    """All objects of a process but the analyst's, and the references between them; n nodes, m references.

    It keeps every object alive, so it is emptied when its block ends.

    Attributes:
        objects: the nodes; the modules come first, then what threads hold.
        sizes: `sys.getsizeof` of each and what it hides besides, shape (n,), bytes.
        starts: node i's references are `targets[starts[i]:starts[i + 1]]`; shape (n + 1,).
        targets: node indices, shape (m,).
        modules: how many nodes are modules.
        local_roots: the roots that are no modules, by node; of C code is what nothing reaches and more references lead
            to than can be seen.
        addresses: each object's `id`, shape (n,).
        types: the address of each object's type, shape (n,).
        garbage: what only cycles that wait for the collector hold, shape (n,).
        complete: whether everything was walked; if not, what is missing here may be held all the same.
        notes: what could not be seen, a sentence each.
    """

    objects: list[object]
    sizes: Indices
    starts: Indices
    targets: Indices
    modules: int
    local_roots: dict[int, Root]
    addresses: Indices
    types: Indices
    garbage: Mask
    complete: bool
    notes: tuple[str, ...]
    _cycles: Indices = field(repr=False)
    _parents: Indices = field(repr=False)
    _no_roots: set[int] = field(default_factory=set, repr=False)
    _tree: DominatorTree | None = field(default=None, repr=False)

    def reach(self, *, without: Sequence[int] = ()) -> Mask:
        """Which nodes the roots reach when some nodes are taken away; garbage is not reached; shape (n,)."""
        seen = np.zeros(len(self.objects), dtype=bool)
        seen[list(without)] = True
        search(self.starts, self.targets, self._roots(), seen)
        seen[list(without)] = False
        return seen

    def retained(self, node: int) -> Mask:
        """The nodes that would be freed if this one let go of everything: all that roots reach only through it.

        The dominator sense of Eclipse MAT's "retained set"; the node itself counts. Shape (n,).
        """
        return self._dominator_tree().below(node)

    def dominators(self) -> Indices:
        """The nearest node that lies on every path from the roots to each node, -1 where there is none; shape (n,)."""
        return self._dominator_tree().idom

    def retained_sizes(self) -> Indices:
        """For each node the bytes of `retained(node)`; shape (n,)."""
        return self._dominator_tree().sums(self.sizes)

    def parents(self) -> Indices:
        """The node before each node on a shortest path from a root, -1 for roots; shape (n,).

        Paths from modules win over paths from threads, and those over references from C code: a module's name says
        the most. Nodes of garbage come after one of their cycle.
        """
        return self._parents

    def hang(self, modules: Indices, below: int) -> None:
        """Let some modules be no roots, but held by a node that refers to them."""
        self._parents[modules] = below
        self._no_roots |= set(modules.tolist())
        self._tree = None

    def cycles(self) -> Indices:
        """Nodes from which all garbage is reached; shape (c,)."""
        return self._cycles

    def find(self, obj: object) -> int | None:
        """The node of an object, or None where it is none."""
        found = np.flatnonzero(self.addresses == id(obj))
        return int(found[0]) if found.size else None

    def _roots(self) -> Indices:
        modules = [node for node in range(self.modules) if node not in self._no_roots]
        return np.array([*modules, *self.local_roots], dtype=np.int64)

    def _dominator_tree(self) -> DominatorTree:
        if self._tree is None:
            roots = np.concatenate([self._roots(), self._cycles])
            self._tree = dominator_tree(self.starts, self.targets, roots)
        return self._tree


def path_to(node: int, parents: Indices) -> list[int]:
    """The nodes from a root to this one, both included."""
    path = [node]
    while parents[path[-1]] >= 0:
        path.append(int(parents[path[-1]]))
    return path[::-1]


@contextmanager
def heap_graph(
    roots: Roots | None = None, *, max_bytes: int | None = None, max_seconds: float | None = None
) -> Iterator[HeapGraph]:
    """Walk the heap of this process; the analyst (notebook, IPython, this code) is not entered.

    The collector is off meanwhile. Other threads go on between batches, so an object may be seen without what it held
    a moment earlier; at a floor, or in a forked copy, nothing moves.

    Args:
        roots: what no module holds, where it was gathered before a fork.
        max_bytes: the most memory that graph and dominators may take, roughly. A graph that would take more is cut.
        max_seconds: the longest time to walk; a graph that would take longer is cut.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        graph = _walk(roots if roots is not None else gather_roots(), max_bytes, max_seconds)
        try:
            yield graph
        finally:
            graph.objects.clear()
    finally:
        if collecting:
            gc.enable()


def _walk(roots: Roots, max_bytes: int | None, max_seconds: float | None) -> HeapGraph:
    found = capture(roots, max_bytes=max_bytes, max_seconds=max_seconds)
    return HeapGraph(
        objects=found.objects,
        sizes=found.sizes,
        starts=found.starts,
        targets=found.targets,
        modules=found.modules,
        local_roots=found.local_roots,
        addresses=found.addresses,
        types=found.types,
        garbage=found.garbage,
        complete=found.complete,
        notes=found.notes,
        _cycles=found.cycles,
        _parents=found.parents,
    )
