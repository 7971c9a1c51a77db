"""Paths in a heap graph as a reader wants them: short, generalised, and with what else holds their end."""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from labserver.diagnosis.holders.siblings import NESTING
from labserver.heap.chain import Chain
from labserver.heap.chains import chain_of, keys_of
from labserver.heap.edge import UNKNOWN, VALUE, Edge, EdgeKind
from labserver.heap.edges import namespace
from labserver.heap.graph import HeapGraph, Indices, Mask, path_to
from labserver.heap.is_a import is_a, type_name
from labserver.heap.root import Root, RootKind

# So many nodes of one type, one after the other, are a list or a branch of a tree; containers nest more often.
_LIKE, _LIKE_CONTAINERS = 4, 8
_CACHE = functools._lru_cache_wrapper  # noqa: SLF001 - the type has no public name
_CONTAINERS = [id(cls) for cls in NESTING]
_LONGEST_PERIOD = 3  # node → node, node → namespace → node, node → list → tuple → node
_SAMPLES = 20
_MOST_OTHERS, _MOST_OWNERS = 2, 64


class Paths:
    """Names nodes; what it has named once, it remembers.

    Args:
        graph: the heap.
        parents: of the graph.
    """

    def __init__(self, graph: HeapGraph, parents: Indices) -> None:
        self._graph = graph
        self._parents = parents
        self._chains: dict[int, Chain] = {}
        self._sizes: Indices | None = None

    def nodes(self, node: int) -> list[int]:
        """The path to a node, without the middle of lists and trees."""
        return [node for part in self._parts(path_to(node, self._parents)) for node in part]

    def chain(self, node: int) -> Chain:
        """The path to a node with named edges; numbers in a thread's name are left out."""
        if node not in self._chains:
            parts = self._parts(path_to(node, self._parents))
            links = chain_of([self._graph.objects[index] for index in parts[0]])
            for part in parts[1:]:
                links += chain_of([self._graph.objects[index] for index in part])[1:]
            root = self.root(parts[0][0])
            if root is not None:
                links[0] = replace(links[0], name=root.title)
            self._chains[node] = Chain(tuple(links))
        return self._chains[node]

    def with_keys(self, chain: Chain, node: int, others: Sequence[int], known: int) -> Chain:
        """A chain with the keys that never change: those on the way to all, and those that are the same for all.

        Args:
            chain: to `node`.
            node: an example of what came.
            others: more of these.
            known: the last link of the chain that all of them share.
        """
        own, rest = self._keys(node), [self._keys(other) for other in others]
        links = [
            replace(link, edge=Edge(EdgeKind.VALUE, key))
            if key is not None
            and link.edge == VALUE
            and (at <= known or (rest and all(len(keys) == len(own) and keys[at] == key for keys in rest)))
            else link
            for at, (link, key) in enumerate(zip(chain.links, own, strict=True))
        ]
        return Chain(tuple(links))

    def _keys(self, node: int) -> list[str | None]:
        """The key under which each object of the chain to a node stands; None where that is no plain one."""
        parts = self._parts(path_to(node, self._parents))
        named = [keys_of([self._graph.objects[index] for index in part]) for part in parts]
        return [*named[0], *(key for keys in named[1:] for key in keys[1:])]

    def root(self, node: int) -> Root | None:
        """What holds a root that is no module, without the numbers in a thread's name; None for other nodes."""
        root = self._graph.local_roots.get(node)
        return None if root is None else root.without_numbers()

    def root_of(self, node: int) -> Root:
        """Where the path to a node begins."""
        first = path_to(node, self._parents)[0]
        return self.root(first) or Root(RootKind.MODULE, self.chain(first).links[0].name)

    def chain_below(self, node: int, example: int) -> Chain:
        """The path to an example of what a node refers to by many names: that name is left out."""
        chain, at = self.chain(example), len(self.chain(node).links)
        if at >= len(chain.links) or (chain.links[at].edge or UNKNOWN).attribute is None:
            return chain
        named = replace(chain.links[at], edge=VALUE)
        return Chain((*chain.links[:at], named, *chain.links[at + 1 :]))

    def edge(self, owner: int, child: int) -> Edge:
        """How an object refers to another."""
        objects = [self._graph.objects[index] for index in [*path_to(owner, self._parents)[-2:], child]]
        return chain_of(objects)[-1].edge or UNKNOWN

    def owner(self, node: int) -> int:
        """The object that a reader knows: of a namespace its owner, of what no edge names the last that one does."""
        while (above := int(self._parents[node])) >= 0:
            is_namespace = namespace(self._graph.objects[above], self._graph.objects[node]) is not None
            edge = self.chain(node).links[-1].edge
            if not is_namespace and (edge is None or edge.is_named):
                break
            node = above
        return node

    def kind(self, node: int) -> str:
        """What a holder is: its type, or a thread where one of its frames holds the node."""
        root = self._graph.local_roots.get(node)
        if root is not None and root.kind.is_thread:
            return "Thread"
        return type_name(self._graph.objects[node])

    def first_of_its_like(self, node: int, below: Sequence[int] = ()) -> int:
        """The first node of the list or branch that a node is in, else the node itself.

        Args:
            node: where to look.
            below: how the list may go on after it.
        """
        nodes = [*path_to(node, self._parents), *below]
        own = len(nodes) - len(below) - 1
        runs = [first for first, last, period in self._runs(nodes) if first <= own <= last]
        return nodes[runs[0]] if runs else node

    def last_common(self, nodes: Sequence[int]) -> int:
        """The last node that all paths share; the first of the nodes where they share none."""
        common = path_to(nodes[0], self._parents)
        for node in nodes[1:]:
            path = path_to(node, self._parents)
            same = [a == b for a, b in zip(common, path, strict=False)]
            common = common[: same.index(False) if False in same else len(same)]
        return common[-1] if common else nodes[0]

    def without_table(self, node: int) -> int:
        """Of the dictionary in a memoized function that function: it has the keys and results, too."""
        above = int(self._parents[node])
        if above >= 0 and is_a(self._graph.objects[above], _CACHE):
            obj = self._graph.objects[node]
            return above if type(obj) is dict and namespace(self._graph.objects[above], obj) is None else node
        return node

    def subtrees(self, nodes: Indices) -> tuple[Indices, Callable[[int], Indices]]:
        """Sizes below each of some nodes, by shortest paths among them, and a function that gives a node's children.

        Args:
            nodes: ascending.
        """
        parents = self._parents[nodes]
        at = np.minimum(np.searchsorted(nodes, parents), nodes.size - 1)
        up = np.where(nodes[at] == parents, at, nodes.size)
        below = np.append(self._graph.sizes[nodes], 0)
        # Each pass adds what hangs twice as far below.
        up = np.append(up, nodes.size)
        while (up != nodes.size).any():
            below = below + np.bincount(up, weights=below, minlength=below.size).astype(np.int64)
            below[-1] = 0
            up = up[up]
        order = np.argsort(parents, kind="stable")
        ordered = parents[order]

        def children(node: int) -> Indices:
            first, last = np.searchsorted(ordered, [node, node + 1])
            return order[first:last]

        return below[:-1], children

    def others(self, holder: int, tops: Indices, new: Mask) -> list[int]:
        """Who else refers to what a holder got, so that letting go of the holder alone would free nothing.

        Args:
            holder: a node.
            tops: what it got.
            new: which nodes came since the snapshot.
        """
        dominators = self._graph.dominators()
        way = set(path_to(holder, self._parents))
        samples = [top for top in tops[:: max(tops.size // _SAMPLES, 1)].tolist() if top not in way]
        shared = [top for top in samples if not _is_above(holder, top, dominators)]
        if 2 * len(shared) <= len(samples):
            return []
        wanted = np.zeros(new.size, dtype=bool)
        wanted[shared] = True
        edges = np.flatnonzero(wanted[self._graph.targets])
        owners = np.searchsorted(self._graph.starts, edges, side="right") - 1
        return self._holding_most(holder, len(shared), owners[~new[owners]], self._graph.targets[edges][~new[owners]])

    def _holding_most(self, holder: int, samples: int, owners: Indices, held: Indices) -> list[int]:
        """Of the owners of some samples those that hold most of them, alone or with others of the same path."""
        alike: dict[str, list[int]] = {}
        for owner, _ in Counter(owners.tolist()).most_common(_MOST_OWNERS):
            if holder not in path_to(owner, self._parents):
                alike.setdefault(self.chain(owner).trail, []).append(owner)
        counts = Counter({trail: np.unique(held[np.isin(owners, nodes)]).size for trail, nodes in alike.items()})
        return [
            node for trail, count in counts.most_common(_MOST_OTHERS) if 2 * count > samples for node in alike[trail]
        ]

    def freed_by(self, nodes: Sequence[int]) -> int:
        """What would be freed if all these let go, bytes; of a root, all of its name and type."""
        root = self.root(nodes[0])
        if root is not None:
            kind = self._graph.types[nodes[0]]
            alike = [node for node in self._graph.local_roots if self.root(node) == root]
            return int(sum(self._retained()[node] for node in alike if self._graph.types[node] == kind))
        if len(nodes) == 1:
            return int(self._retained()[nodes[0]])
        return int(self._graph.sizes[self._graph.reach() & ~self._graph.reach(without=nodes)].sum())

    def _retained(self) -> Indices:
        if self._sizes is None:
            self._sizes = self._graph.retained_sizes()
        return self._sizes

    def _parts(self, nodes: list[int]) -> list[list[int]]:
        """A path without the middle of its lists: each part begins with a node that stands for the last one's end."""
        parts, begin = [], 0
        for first, last, period in self._runs(nodes):
            if first + period > begin:
                parts.append(nodes[begin : first + period + 1])
                begin = first + (last - first) // period * period
        return [*parts, nodes[begin:]]

    def _runs(self, nodes: Sequence[int]) -> list[tuple[int, int, int]]:
        """Where a path goes through lists: first and last index, and after how many nodes it repeats."""
        kinds = self._graph.types[list(nodes)]
        found: list[tuple[int, int, int]] = []
        for period in range(1, min(_LONGEST_PERIOD, len(nodes) // 2) + 1):
            ends = np.flatnonzero(np.append(kinds[period:] != kinds[:-period], True))
            begin = 0
            for end in ends.tolist():
                # From `begin` to `end + period - 1` each node is like the one a period before it.
                first = next((i for i in range(begin, begin + period) if kinds[i] not in _CONTAINERS), begin)
                least = (_LIKE_CONTAINERS if kinds[begin] in _CONTAINERS and first == begin else _LIKE) * period
                last = end + period - 1
                if last + 1 - first >= least and not any(a <= last and first <= b for a, b, _ in found):
                    found.append((first, last, period))
                begin = end + 1
        return sorted(found)


def _is_above(holder: int, node: int, dominators: Indices) -> bool:
    """Whether every path to a node leads through a holder."""
    for _ in range(10_000):
        if node == holder:
            return True
        if node < 0:
            return False
        node = int(dominators[node])
    return True
