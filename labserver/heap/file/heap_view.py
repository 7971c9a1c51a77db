"""A heap from a file as a graph: who holds whom, who goes with whom, and what each is called."""

from functools import cached_property
from itertools import pairwise

import numpy as np

from labserver.heap.chain import Chain, Link
from labserver.heap.dominators import DominatorTree, dominator_tree
from labserver.heap.edge import UNKNOWN, Edge
from labserver.heap.file.record import NAMESPACE, Mask, Record
from labserver.heap.layout.objects import Indices
from labserver.heap.root import RootKind
from labserver.heap.search import search


class HeapView:
    """Answers questions about a record; what takes long is worked out once, when it is first asked for.

    Args:
        record: the heap.
    """

    def __init__(self, record: Record) -> None:
        self.record = record

    @property
    def bytes(self) -> int:
        """Of all objects."""
        return int(self.record.sizes.sum())

    @cached_property
    def roots(self) -> Indices:
        """The objects that are held from outside, those of cyclic garbage among them."""
        record = self.record
        held = np.array([*range(record.modules), *record.roots], dtype=np.int64)
        return np.concatenate([held, record.cycles])

    @cached_property
    def dominator_tree(self) -> DominatorTree:
        """Who goes with whom."""
        return dominator_tree(self.record.starts, self.record.targets, self.roots)

    @cached_property
    def retained_sizes(self) -> Indices:
        """For each object the bytes that would be freed if it let go of everything; shape (n,)."""
        return self.dominator_tree.sums(self.record.sizes)

    @cached_property
    def _ways(self) -> tuple[Indices, Indices]:
        record = self.record
        n = record.types.size
        seen, parents, group = np.zeros(n, dtype=bool), np.full(n, -1, dtype=np.int32), np.full(n, -1, dtype=np.int8)
        # A module's name says the most, and a reference from C code the least.
        by_c = [node for node, root in record.roots.items() if root.kind is RootKind.C_CODE]
        named = [node for node, root in record.roots.items() if root.kind is not RootKind.C_CODE]
        for at, nodes in enumerate((np.arange(record.modules), named, by_c, record.cycles)):
            search(record.starts, record.targets, np.array(nodes, dtype=np.int64), seen, parents)
            group[seen & (group < 0)] = at
        return parents, group

    @property
    def parents(self) -> Indices:
        """The object before each on a shortest path from a root, -1 for roots; shape (n,)."""
        return self._ways[0]

    @property
    def reached_from(self) -> Indices:
        """What reaches each object: 0 modules, 1 other named roots, 2 C code, 3 garbage; shape (n,)."""
        return self._ways[1]

    @cached_property
    def depth(self) -> Indices:
        """How many references lead to each object on a shortest path; 0 for roots; shape (n,)."""
        here = np.arange(self.parents.size, dtype=np.int32)
        up = np.where(self.parents >= 0, self.parents, here)
        steps = (self.parents >= 0).astype(np.int32)
        while not np.array_equal(further := up[up], up):
            steps += steps[up]
            up = further
        return steps

    @cached_property
    def owners(self) -> Indices:
        """The object that each reference is of, shape (m,)."""
        starts = self.record.starts
        return np.repeat(np.arange(starts.size - 1, dtype=np.int32), np.diff(starts))

    @cached_property
    def namespaces(self) -> Mask:
        """Which objects are the dictionaries behind others' attributes, and so a part of these; shape (n,)."""
        record = self.record
        found = np.zeros(record.types.size, dtype=bool)
        at = [place for place, edge in enumerate(record.edges) if edge == NAMESPACE]
        found[record.targets[np.isin(record.edge_of, at)]] = True
        return found

    @cached_property
    def module_namespaces(self) -> dict[int, int]:
        """The dictionaries that are modules' namespaces, and of which each is."""
        record = self.record
        end = int(record.starts[record.modules])
        at = np.flatnonzero(self.namespaces[record.targets[:end]])
        return dict(zip(record.targets[at].tolist(), self.owners[at].tolist(), strict=True))

    def type_of(self, node: int) -> str:
        """The name of an object's type."""
        return self.record.type_names[int(self.record.types[node])].name

    def title_of(self, node: int) -> str:
        """An object by its name, where it has one, and its type."""
        kind, name = self.type_of(node), self.record.names.get(node)
        return f"{kind} {name}" if name is not None else kind

    def edge(self, owner: int, node: int) -> Edge:
        """How an object refers to another."""
        record = self.record
        begin, end = int(record.starts[owner]), int(record.starts[owner + 1])
        found = record.edge_of[begin:end][record.targets[begin:end] == node]
        named = found[found > 0]
        return record.edges[int(named[0])] if named.size else UNKNOWN

    def link(self, edge: Edge | None, node: int) -> Link:
        """An object as a link of a chain."""
        if edge is None and node < self.record.modules:
            return Link(None, "module", self.record.names.get(node, "?"))
        kind = self.type_of(node)
        if edge is None and node in self.record.roots:
            return Link(None, kind, self.record.roots[node].title)
        return Link(edge, kind, self.record.names.get(node, kind))

    def chain_to(self, node: int) -> Chain:
        """The shortest chain from a root to an object."""
        way = [node]
        while self.parents[way[-1]] >= 0:
            way.append(int(self.parents[way[-1]]))
        way.reverse()
        links = [self.link(None, way[0])]
        for owner, child in pairwise(way):
            edge = self.edge(owner, child)
            if edge != NAMESPACE or child == node:
                links.append(self.link(edge, child))
        return Chain(tuple(links))

    def path_to(self, node: int) -> str:
        """The same in one line."""
        return self.chain_to(node).path
