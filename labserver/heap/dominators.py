"""Immediate dominators of a graph with many roots, in NumPy.

A node's immediate dominator is the nearest node that lies on every path from the roots to it: what the node's memory
goes with. A node with one distinct predecessor is dominated by it, and that settles most of a heap at once. What is
left is squeezed, again and again, to a core that plain Python can solve (semi-NCA: Georgiadis, "Linear-Time Algorithms
for Dominators and Related Problems", 2005). Leaves are added last: the common ancestor of their holders.

Inside, the nodes are numbered anew: 0 is a root above the roots, then come the nodes with references of their own.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]

_FEW = 2_000  # nodes that plain Python solves quicker than another round of squeezing
_DEEP = 64  # steps up a tree after which leaps are worth their tables


@dataclass(frozen=True, slots=True)
class DominatorTree:
    """The dominator tree of n nodes.

    Attributes:
        idom: the immediate dominator of each node, -1 where several roots hold it or it is a root; shape (n,).
        inner: the nodes that have references of their own; shape (k,).
        first: where each inner node stands in a depth-first order of them; shape (k,).
        last: where the inner nodes below it end in that order, exclusive; shape (k,).
    """

    idom: Indices
    inner: Indices
    first: Indices
    last: Indices

    def sums(self, values: Indices) -> Indices:
        """For each node, the sum of what it and all nodes below it are worth; shape (n,)."""
        rank = self._ranks()
        leaf = rank < 0
        held = leaf & (self.idom >= 0)
        # Floats hold these sums exactly: nobody has 2**53 bytes.
        at = np.zeros(self.inner.size + 1)
        at[self.first + 1] = values[self.inner]
        at[1:] += np.bincount(rank[self.idom[held]], weights=values[held], minlength=self.inner.size)
        total = np.cumsum(at, out=at)
        sums = values.astype(np.int64)
        sums[self.inner] = total[self.last] - total[self.first]
        return sums

    def below(self, node: int) -> Mask:
        """The node itself and all nodes below it; shape (n,)."""
        rank = self._ranks()
        inside = np.zeros(self.inner.size + 1, dtype=bool)  # the last stands for "no holder"
        at = np.flatnonzero(self.inner == node)
        if at.size:
            inside[self.first[at[0]] : self.last[at[0]]] = True
        mask: Mask = inside[np.where(rank >= 0, rank, np.where(self.idom >= 0, rank[self.idom], -1))]
        mask[node] = True
        return mask

    def _ranks(self) -> Indices:
        """Each node's place in the depth-first order, -1 for leaves; shape (n,)."""
        rank = np.full(self.idom.size, -1, dtype=np.int32)
        rank[self.inner] = self.first
        return rank


def dominator_tree(starts: Indices, targets: Indices, roots: Indices) -> DominatorTree:
    """The dominator tree of a graph in which the roots reach every node.

    Args:
        starts: node i's references are `targets[starts[i]:starts[i + 1]]`; shape (n + 1,).
        targets: node indices, shape (m,).
        roots: nodes that are held from outside.
    """
    degrees = np.diff(starts)
    inner = np.flatnonzero(degrees).astype(np.int32)
    inside = np.zeros(degrees.size, dtype=np.int32)
    inside[inner] = np.arange(1, inner.size + 1, dtype=np.int32)
    held_by = np.full(degrees.size, -1, dtype=np.int32)  # in the new numbers
    held_by[roots] = 0
    source = np.repeat(np.arange(1, inner.size + 1, dtype=np.int32), degrees[inner])
    other = np.repeat(inner, degrees[inner]) != targets  # what refers to itself does not hold itself
    if not other.all():
        source, targets = source[other], targets[other]
    several = _settle_singles(held_by, source, targets)

    shared = several[targets]
    source, target = source[shared], targets[shared]
    to_inner = inside[target] > 0
    parent = np.zeros(inner.size + 1, dtype=np.int32)
    parent[1:] = held_by[inner]
    parent[1:][several[inner]] = -1
    _solve(parent, source[to_inner], inside[target[to_inner]])
    held_by[inner] = parent[1:]

    tree = _Tree.of(parent)
    leaves = np.flatnonzero(several & (inside == 0))
    held_by[leaves] = _common_holders(tree, source[~to_inner], target[~to_inner], degrees.size)[leaves]
    idom = np.concatenate([np.array([-1], dtype=np.int32), inner])[held_by]
    first = tree.first[1:] - 1
    return DominatorTree(idom, inner, first, tree.last[1:] - 1)


def _settle_singles(held_by: Indices, source: Indices, target: Indices) -> Mask:
    """Give each node that has one distinct holder that holder; returns which have several.

    No sorting: whichever holder was written last, another one beside it shows.
    """
    free = held_by < 0
    one = np.zeros_like(held_by)
    one[target] = source
    several = np.zeros(held_by.size, dtype=bool)
    several[target[one[target] != source]] = True
    several &= free
    single = free & ~several
    held_by[single] = one[single]
    return several


def _common_holders(tree: "_Tree", source: Indices, target: Indices, n: int) -> Indices:
    low = np.full(n, np.iinfo(np.int32).max, dtype=np.int32)
    high = np.zeros(n, dtype=np.int32)
    ranks = tree.first[source]
    np.minimum.at(low, target, ranks)
    np.maximum.at(high, target, ranks)
    found = np.flatnonzero(low <= high)
    holders = np.zeros(n, dtype=np.int32)
    holders[found] = tree.common(tree.node_at()[low[found]], high[found])
    return holders


def _solve(parent: Indices, source: Indices, target: Indices) -> None:
    """Fill in the dominators that are still open (-1).

    Args:
        parent: the dominator of each node, that of node 0 is itself; shape (k,).
        source: where the references to open nodes come from; shape (e,).
        target: the open node that each leads to; shape (e,).
    """
    source, target = _settle_in_rounds(parent, source, target)
    unsettled = np.flatnonzero(parent < 0)
    if not unsettled.size:
        return
    core, core_parent, source, target = _squeeze(parent, unsettled, source, target)
    still_open = core_parent < 0
    if unsettled.size <= _FEW or core.size > 0.7 * parent.size:
        core_parent = _semi_nca(core_parent, source, target)
    else:
        _solve(core_parent, source, target)
    parent[core[still_open]] = core[core_parent[still_open]]


def _settle_in_rounds(parent: Indices, source: Indices, target: Indices) -> tuple[Indices, Indices]:
    """Settle what has one distinct holder once references from below itself are left out; returns what remains."""
    while True:
        top = _tops(parent)
        held = (top[source] != target) & (parent[target] < 0)
        source, target = source[held], target[held]
        one = np.zeros_like(parent)
        one[target] = source
        several = np.zeros(parent.size, dtype=bool)
        several[target[one[target] != source]] = True
        from_top = np.zeros(parent.size, dtype=bool)
        from_top[target[source == 0]] = True
        unsettled = parent < 0
        single = unsettled & ~several
        parent[single] = one[single]
        parent[from_top] = 0
        settled = int((single | from_top).sum())
        if settled <= 0.05 * int(unsettled.sum()):
            held = parent[target] < 0
            return source[held], target[held]


def _tops(parent: Indices) -> Indices:
    """The root of the tree that each node is in: an open node, or node 0; shape (k,)."""
    top = np.where(parent < 0, np.arange(parent.size, dtype=parent.dtype), parent)
    while True:
        above = top[top]
        if np.array_equal(above, top):
            return top
        top = above


def _squeeze(
    parent: Indices, unsettled: Indices, source: Indices, target: Indices
) -> tuple[Indices, Indices, Indices, Indices]:
    """The smallest graph that has the same dominators for the open nodes.

    All references that lead from one tree to one node can be replaced by one from their common ancestor. The trees are
    then needed at those ancestors only, and where the ways to them part.

    Returns:
        The nodes of the core, node 0 first; the dominator of each in the core's numbers (-1: open); and the references
        to open nodes, again as sources and targets.
    """
    top = _tops(parent)
    tree = _Tree.of(np.where(parent < 0, 0, parent))
    node_at = tree.node_at()

    key = target.astype(np.int64) * parent.size + top[source]
    order = np.argsort(key)
    begins = np.flatnonzero(np.diff(key[order], prepend=-1))
    ranks = tree.first[source[order]]
    low, high = np.minimum.reduceat(ranks, begins), np.maximum.reduceat(ranks, begins)
    common, target = tree.common(node_at[low], high), target[order[begins]]

    stops = np.zeros(parent.size, dtype=bool)
    stops[0] = True
    stops[common] = stops[unsettled] = True
    while True:
        # Between neighbours in depth-first order the ways part at their common ancestor.
        core = node_at[np.sort(tree.first[stops])]
        above = tree.common(core[:-1], tree.first[core[1:]])
        if stops[above].all():
            break
        stops[above] = True
    number = np.full(parent.size, -1, dtype=np.int32)
    number[core] = np.arange(core.size, dtype=np.int32)
    core_parent = np.zeros(core.size, dtype=np.int32)
    core_parent[1:] = number[above]
    core_parent[parent[core] < 0] = -1
    return core, core_parent, number[common], number[target]


@dataclass(frozen=True, slots=True)
class _Tree:
    """A tree under node 0 in depth-first order: the nodes below x stand at `first[x]` up to `last[x]`, exclusive."""

    parent: Indices
    first: Indices
    last: Indices

    @classmethod
    def of(cls, parent: Indices) -> "_Tree":
        k = parent.size
        depth = _sums_to_the_top(parent, np.ones(k, dtype=np.int32))
        order = np.argsort(depth.astype(np.int64) * k + parent)  # breadth first, siblings side by side
        above = parent[order]
        above[0] = -1  # node 0 is no sibling of its children
        begins = np.flatnonzero(np.diff(above, prepend=-2))
        counts = _counts_below(parent, depth, order, above, begins)
        before = np.cumsum(counts[order]) - counts[order]
        offset = np.empty(k, dtype=np.int32)
        offset[order] = before - np.repeat(before[begins], np.diff(begins, append=k)) + 1
        first = _sums_to_the_top(parent, offset)
        return cls(parent, first, first + counts)

    def node_at(self) -> Indices:
        """The inverse of `first`."""
        nodes = np.empty_like(self.parent)
        nodes[self.first] = np.arange(self.parent.size, dtype=self.parent.dtype)
        return nodes

    def common(self, nodes: Indices, last_ranks: Indices) -> Indices:
        """The nearest ancestors of some nodes that also stand above the places `last_ranks`, which are not before."""
        found = nodes.copy()
        todo = np.flatnonzero(self.last[found] <= last_ranks)
        for _ in range(_DEEP):
            if not todo.size:
                return found
            found[todo] = self.parent[found[todo]]
            todo = todo[self.last[found[todo]] <= last_ranks[todo]]
        leaps = [self.parent]
        while leaps[-1].any():
            leaps.append(leaps[-1][leaps[-1]])
        for leap in reversed(leaps):
            there = leap[found[todo]]
            short = self.last[there] <= last_ranks[todo]
            found[todo[short]] = there[short]
        found[todo] = self.parent[found[todo]]
        return found


def _sums_to_the_top(parent: Indices, values: Indices) -> Indices:
    """The sum of the values on the way from each node up to, and without, node 0; shape (k,)."""
    sums, above = values.copy(), parent
    sums[0] = 0
    while above.any():
        sums += sums[above]
        above = above[above]
    return sums


def _counts_below(parent: Indices, depth: Indices, order: Indices, above: Indices, begins: Indices) -> Indices:
    """How many nodes each node's subtree has, itself included; shape (k,)."""
    counts = np.ones(parent.size, dtype=np.int32)
    levels = np.flatnonzero(np.diff(depth[order], prepend=-1))
    if levels.size > parent.size / 64:
        # A few long chains, such as linked lists: no level has enough nodes to be worth a call of NumPy.
        plain, up = counts.tolist(), parent.tolist()
        for node in order[:0:-1].tolist():
            plain[up[node]] += plain[node]
        return np.array(plain, dtype=np.int32)
    groups = np.searchsorted(begins, levels)
    ends = [*levels[1:].tolist(), parent.size]
    group_ends = [*groups[1:].tolist(), begins.size]
    for level in range(levels.size - 1, 0, -1):
        start, heads = int(levels[level]), begins[groups[level] : group_ends[level]]
        counts[above[heads]] += np.add.reduceat(counts[order[start : ends[level]]], heads - start)
    return counts


def _semi_nca(parent: Indices, source: Indices, target: Indices) -> Indices:
    """Immediate dominators of a small graph, in plain Python; shape (k,)."""
    k = parent.size
    holders: list[list[int]] = [[above] if above >= 0 else [] for above in parent.tolist()]
    children: list[list[int]] = [[] for _ in range(k)]
    holders[0] = []
    for node, above in enumerate(parent.tolist()):
        if node and above >= 0:
            children[above].append(node)
    for above, node in zip(source.tolist(), target.tolist(), strict=True):
        holders[node].append(above)
        children[above].append(node)

    # From here on a node is its number in depth-first order.
    number, nodes, before = _depth_first(children)
    semi, label, ancestor = list(range(len(nodes))), list(range(len(nodes))), list(before)
    for node in range(len(nodes) - 1, 0, -1):
        best = before[node]
        for holder in holders[nodes[node]]:
            found = number[holder]
            if found > node:
                found = semi[_least_above(found, node, ancestor, label, semi)]
            best = min(best, found)
        semi[node] = best
    dominators = list(before)
    result = np.zeros(k, dtype=np.int32)
    for node in range(1, len(nodes)):
        above = dominators[node]
        while above > semi[node]:
            above = dominators[above]
        dominators[node] = above
        result[nodes[node]] = nodes[above]
    return result


def _depth_first(children: list[list[int]]) -> tuple[list[int], list[int], list[int]]:
    """Each node's number in depth-first order from node 0; the node of each number; the number it was reached from."""
    number, nodes, before = [-1] * len(children), list[int](), list[int]()
    stack = [(0, 0)]
    while stack:
        node, came_from = stack.pop()
        if number[node] < 0:
            number[node] = len(nodes)
            nodes.append(node)
            before.append(came_from)
            stack += [(child, number[node]) for child in children[node] if number[child] < 0]
    return number, nodes, before


def _least_above(node: int, stop: int, ancestor: list[int], label: list[int], semi: list[int]) -> int:
    """The node with the least semidominator on the way up to `stop`, exclusive; shortens the way for the next time."""
    way = []
    while ancestor[node] > stop:
        way.append(node)
        node = ancestor[node]
    for lower in reversed(way):
        upper = ancestor[lower]
        if semi[label[upper]] < semi[label[lower]]:
            label[lower] = label[upper]
        ancestor[lower] = ancestor[upper]
    return label[way[0] if way else node]
