"""Siblings that are alike, such as one list in each user's session: they grow for one reason and get one holder."""

import functools
import types
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass

import numpy as np

from labserver.heap.graph import HeapGraph, Indices

_ALIKE = 20  # so many siblings of one type are a collection's items, not attributes
_HIGHEST = 5  # references between a collection and what grows in its items
_ROUNDS = 3  # collections within collections
# Their nesting is what a reader wants to see; nodes of any other type that hold their like are a list or a tree.
NESTING = (
    dict,
    list,
    tuple,
    set,
    frozenset,
    deque,
    OrderedDict,
    defaultdict,
    functools.partial,
    type,
    types.ModuleType,
)


def merge_alike(graph: HeapGraph, places: Indices, parents: Indices) -> tuple[Indices, Indices]:
    """Merge places that have the same types on the way up to a common object.

    Args:
        graph: the heap.
        places: nodes, each once, shape (k,).
        parents: of the graph.

    Returns:
        The group of each place, shape (k,), and the node that each group has in common, shape (groups,).
    """
    found = _Groups(np.arange(places.size), places.copy(), graph.types[places].view(np.uint64))
    if places.size:
        found = found.merged(at=_heads(graph, parents)[places], key=found.shape, least=2)
    for _ in range(_ROUNDS):
        before = found
        at, key = found.holder, found.shape
        for _ in range(_HIGHEST):
            up = np.where(at >= 0, parents[at], -1)
            key = key * np.uint64(1_000_003) ^ np.where(at >= 0, graph.types[at], 0).view(np.uint64)
            found = found.merged(at=up, key=key, least=_ALIKE)
            if found.holder.size < before.holder.size:
                break
            at = up
        else:
            break
    # What a collection itself got belongs to it as well.
    found = found.merged(at=found.holder, key=np.zeros_like(found.shape), least=2)
    return found.group, found.holder


@dataclass(frozen=True, slots=True)
class _Groups:
    """Places in groups.

    Attributes:
        group: of each place, shape (k,).
        holder: the node that each group has in common, shape (groups,).
        shape: stands for the types on the way from it to the places, shape (groups,).
    """

    group: Indices
    holder: Indices
    shape: Indices

    def merged(self, *, at: Indices, key: Indices, least: int) -> "_Groups":
        """One group for those that meet at the same node with the same key, where they are so many."""
        table = np.rec.fromarrays([at, key])
        _, first, which, count = np.unique(table, return_index=True, return_inverse=True, return_counts=True)
        meets = (count[which] >= least) & (at >= 0)
        # The first of those that meet stands for all of them.
        leader = np.where(meets, first[which], np.arange(self.holder.size))
        kept, renumbered = np.unique(leader, return_inverse=True)
        return _Groups(
            renumbered[self.group], np.where(meets, at, self.holder)[kept], np.where(meets, key, self.shape)[kept]
        )


def _heads(graph: HeapGraph, parents: Indices) -> Indices:
    """The first node of the list or tree that each node is part of: its farthest ancestor through its like; (n,)."""
    nodes = np.arange(parents.size)
    parent = np.where(parents >= 0, parents, nodes)
    above = parent[parent]
    own = graph.types
    nesting = np.isin(own, [id(cls) for cls in NESTING])
    up = np.where(own[parent] == own, parent, np.where(own[above] == own, above, nodes))
    up = np.where(nesting, nodes, up)
    while True:
        further = up[up]
        if np.array_equal(further, up):
            return up
        up = further
