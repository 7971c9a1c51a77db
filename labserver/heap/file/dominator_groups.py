"""The dominator tree for people: what goes with whom, and objects of one type below one owner as one group."""

from dataclasses import dataclass, field

import numpy as np

from labserver.heap.edge import UNKNOWN
from labserver.heap.file.heap_view import HeapView
from labserver.heap.layout.objects import Indices
from labserver.heap.root import RootKind
from labserver.heap.search import places_of

_DEEPEST = 60
_WHOLE = "heap"


@dataclass(slots=True)
class Group:
    """Objects that are shown as one.

    Attributes:
        title: what they are called: `Order`, `module shop`.
        edge: how their owner refers to them: `STORE`, `['…']`; empty where several roots do.
        count: how many they are; 0 for what is left out.
        bytes: of their own.
        retained: bytes of these and of all that goes with them.
        groups: what goes with them, the most retained bytes first.
    """

    title: str
    edge: str = ""
    count: int = 1
    bytes: int = 0
    retained: int = 0
    groups: "list[Group]" = field(default_factory=list)

    @property
    def name(self) -> str:
        """Edge and title."""
        return f"{self.edge}: {self.title}" if self.edge else self.title


class DominatorGroups:
    """Makes the tree of a heap.

    Args:
        view: the heap.
        least: bytes that a group must retain to be shown by itself.
        most: groups below one.
        most_tops: groups that go with no other.
    """

    def __init__(self, view: HeapView, *, least: int, most: int, most_tops: int) -> None:
        self._view, self._least, self._most, self._most_tops = view, least, most, most_tops
        idom = view.dominator_tree.idom
        self._order = np.argsort(idom, kind="stable")
        self._first = np.searchsorted(idom[self._order], np.arange(idom.size + 1))
        self._tops = self._order[: self._first[0]]
        # A module's functions hold its namespace, too, so that it does not go with the module.
        self._space_of = view.module_namespaces

    def tree(self) -> Group:
        """The whole heap as one group, down to what is too small to be shown."""
        view = self._view
        whole = Group(_WHOLE, count=view.record.types.size, retained=view.bytes)
        whole.groups = self._grouped(None, self._tops, depth=0)
        return whole

    def _below(self, nodes: Indices) -> tuple[Indices, int]:
        """What some objects dominate next, what namespaces hold in their place; and the bytes of these."""
        children = self._children(nodes)
        spaces = children[self._view.namespaces[children]]
        inside = self._children(spaces)
        kept = np.concatenate([children[~self._view.namespaces[children]], inside])
        return kept, int(self._view.record.sizes[spaces].sum())

    def _children(self, nodes: Indices) -> Indices:
        children: Indices = self._order[places_of(self._first, nodes)]
        return children

    def _grouped(self, owners: Indices | None, nodes: Indices, depth: int) -> list[Group]:
        record, sizes = self._view.record, self._view.retained_sizes
        if not nodes.size:
            return []
        edges = self._edges_to(owners, nodes)
        # A module, a class, a function and a root have a name, and stand alone.
        alone = np.array([node in record.names or (owners is None and self._is_named(node)) for node in nodes.tolist()])
        spaces = self._view.namespaces[nodes]
        keys = np.stack([record.types[nodes], edges, np.where(alone, nodes, -1), spaces])
        _, example, which = np.unique(keys, axis=1, return_index=True, return_inverse=True)
        which = which.reshape(-1)
        retained = np.bincount(which, weights=sizes[nodes]).astype(np.int64)
        order = np.argsort(-retained, kind="stable")
        most = self._most_tops if owners is None else self._most
        shown = [at for at in order[:most].tolist() if retained[at] >= self._least]
        groups = []
        for at in shown:
            alike, one = nodes[which == at], int(example[at])
            groups.append(self._group(owners, alike, int(nodes[one]), int(edges[one]), depth))
        left = nodes[~np.isin(which, shown)]
        if left.size:
            small = int(sizes[left].sum())
            groups.append(Group(f"{left.size:,} smaller", count=0, bytes=small, retained=small))
        return groups

    def _group(self, owners: Indices | None, nodes: Indices, example: int, edge: int, depth: int) -> Group:
        view = self._view
        below, spaces = self._below(nodes)
        group = Group(
            self._title(example),
            self._words(owners, edge),
            nodes.size,
            int(view.record.sizes[nodes].sum()) + spaces,
            int(view.retained_sizes[nodes].sum()),
        )
        if depth < _DEEPEST:
            group.groups = self._grouped(nodes, below, depth + 1)
        return group

    def _root(self, node: int) -> str:
        root = self._view.record.roots.get(node)
        return "" if root is None or root.kind is RootKind.C_CODE else root.title

    def _is_named(self, node: int) -> bool:
        return node in self._space_of or bool(self._root(node))

    def _title(self, node: int) -> str:
        if node in self._space_of:
            return f"module {self._view.record.names.get(self._space_of[node], '?')}"
        if node < self._view.record.modules:
            return f"module {self._view.record.names.get(node, '?')}"
        if self._view.namespaces[node]:
            return "namespace"
        root = self._root(node)
        title = self._view.title_of(node)
        return f"{title} of {root}" if root else title

    def _words(self, owners: Indices | None, edge: int) -> str:
        named = self._view.record.edges[edge]
        return "" if owners is None or named == UNKNOWN else named.general_words

    def _edges_to(self, owners: Indices | None, nodes: Indices) -> Indices:
        """How its owner refers to each object: an index into the edges, 0 where nothing is known; shape (k,)."""
        found = np.zeros(nodes.size, dtype=np.int64)
        if owners is None:
            return found
        record = self._view.record
        spaces = self._children(owners)
        owners = np.concatenate([owners, spaces[self._view.namespaces[spaces]]])
        at = places_of(record.starts, owners)
        order = np.argsort(nodes)
        place = np.minimum(np.searchsorted(nodes, record.targets[at], sorter=order), nodes.size - 1)
        there = nodes[order[place]] == record.targets[at]
        # Backwards: the first of several references wins.
        found[order[place[there]][::-1]] = record.edge_of[at[there]][::-1]
        return found


def groups_in(view: HeapView, *, least_share: float, most: int, most_tops: int) -> Group:
    """The dominator tree of a heap.

    Args:
        view: the heap.
        least_share: of the heap's bytes, that a group must retain to be shown by itself.
        most: groups below one that are.
        most_tops: groups that go with no other.
    """
    least = max(round(least_share * view.bytes), 1)
    return DominatorGroups(view, least=least, most=most, most_tops=most_tops).tree()
