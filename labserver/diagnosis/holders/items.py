"""Where the items of a group hang: what lies directly below the place that gains or loses them."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from labserver.diagnosis.holders.changes import Changes
from labserver.diagnosis.holders.siblings import NESTING
from labserver.heap.graph import HeapGraph, Indices, Mask
from labserver.heap.search import each_once, references_of

_RARE = 0.05  # of the items: types that fewer are of came beside them, such as a counter
_STEPS = 3  # node → node, node → namespace → node, node → list → tuple → node
_DEEPEST, _DEEPEST_NESTING = 4, 8  # objects, and containers, of one type within one another: more are a list or a tree
_FAR = 12  # references between an item's place and one below it, at most
_TRIED = 8  # items, to see whether they are linked
_SAMPLE = 4096  # of what went, to see whether most of it is to be found elsewhere
_SHAPES_OF = 512  # places, whose likes are looked for
_NESTING = np.array([id(cls) for cls in NESTING])


@dataclass(frozen=True, slots=True)
class ItemPlaces:
    """Where the items of a group are to be found, those included that were there before.

    Attributes:
        places: nodes that refer to items; where these are linked, the first of them alone; shape (p,).
        kinds: the addresses of the items' types, shape (t,).
        apart: items that came and that no such node refers to: roots, and what stands under one name; shape (a,).
        linked: whether items refer to one another, as in a linked list or a tree.
        new: which nodes of the graph came since the baseline, shape (n,).
    """

    places: Indices
    kinds: Indices
    apart: Indices
    linked: bool
    new: Mask


def items_of(graph: HeapGraph, found: Changes, node: int, entries: Indices, *, named: bool) -> ItemPlaces:
    """Where the items of a group hang.

    Args:
        graph: the heap.
        found: what came and what went.
        node: the object that the group has in common.
        entries: of the group, indices into the changes.
        named: whether the group is what `node` refers to by one name, such as a global.
    """
    parents, none = graph.parents(), np.zeros(0, dtype=np.int64)
    came = entries[found.count[entries] > 0]
    tops = each_once(found.top[came], parents.size)
    if not tops.size:
        went = found.place[entries[found.count[entries] < 0]]
        return ItemPlaces(each_once(went[went >= 0], parents.size), none, none, linked=False, new=found.new)
    if (parents[tops] < 0).sum() > 1:
        return ItemPlaces(none, _frequent(graph.types[tops]), tops, linked=False, new=found.new)
    if found.new[node]:  # it took the place of another one, and its items are what it refers to
        nodes = each_once(found.node[came], parents.size)
        items, places = nodes[parents[nodes] == node], np.array([node])
    else:
        tops = _of_one_level(graph, found, entries, _without_namespaces(graph, found, tops))
        items, places = _below_replaced(graph, found, entries, tops)
    kinds = _frequent(graph.types[items])
    for kind in kinds.tolist():
        if _is_linked(graph, found.node[came], kind):
            head = np.array([_head(graph, int(items[graph.types[items] == kind][0]))])
            return ItemPlaces(head, np.array([kind]), none, linked=True, new=found.new)
    if named and places.tolist() == [node] and not found.new[node]:
        return ItemPlaces(none, kinds, tops, linked=False, new=found.new)
    return ItemPlaces(_with_alike(graph, node, places), kinds, none, linked=False, new=found.new)


def together(one: ItemPlaces, other: ItemPlaces) -> ItemPlaces:
    """The places of two groups that a reader takes for one; those of the first where their items are of other kinds."""
    if one.linked or other.linked or not np.isin(one.kinds, other.kinds).any():
        return one
    return replace(
        one,
        places=np.union1d(one.places, other.places),
        kinds=np.union1d(one.kinds, other.kinds),
        apart=np.union1d(one.apart, other.apart),
    )


def linked_items(graph: HeapGraph, head: int, kind: int) -> Indices:
    """The nodes of a type that hang from one of them by their like, that one included."""
    types, parents = graph.types, graph.parents()
    nodes = np.flatnonzero(types == kind)
    own = np.arange(nodes.size)
    up, above = own.copy(), nodes
    for _ in range(_STEPS):
        above = np.where(above >= 0, parents[above], -1)
        like = (above >= 0) & (types[above] == kind) & (up == own)
        up[like] = np.searchsorted(nodes, above[like])
    up[nodes == head] = np.searchsorted(nodes, head)
    while not np.array_equal(further := up[up], up):
        up = further
    found: Indices = nodes[nodes[up] == head]
    return found


def _without_namespaces(graph: HeapGraph, found: Changes, tops: Indices) -> Indices:
    """What came, without the namespaces that were made for old instances: what these have was there before."""
    has_old = np.zeros(found.new.size, dtype=bool)
    above = graph.parents()[~found.new]
    has_old[above[above >= 0]] = True
    kept = tops[~(has_old[tops] & (graph.types[tops] == id(dict)))]
    return kept if kept.size else tops


def _of_one_level(graph: HeapGraph, found: Changes, entries: Indices, tops: Indices) -> Indices:
    """What came at the places that gained most, where some lie below items of others.

    Either old items get more, or an item got the address of an old one, so that its contents alone seem to have come.
    """
    parents, places = graph.parents(), found.place[entries]
    distinct = each_once(places[places >= 0], parents.size)
    is_place, is_below = np.zeros((2, parents.size), dtype=bool)
    is_place[distinct], above = True, distinct
    for _ in range(_FAR):
        above = np.where(above >= 0, parents[above], -1)
        is_below[distinct[(above >= 0) & is_place[above]]] = True
    below = (places >= 0) & is_below[places]
    of_lower, gained = is_below[parents[tops]] & (parents[tops] >= 0), found.bytes[entries]
    if of_lower.all() or not of_lower.any():
        return tops
    return tops[of_lower if gained[below].sum() > gained[~below].sum() else ~of_lower]


def _below_replaced(graph: HeapGraph, found: Changes, entries: Indices, tops: Indices) -> tuple[Indices, Indices]:
    """The items and their places: one step further down where what was there got copies with more in them."""
    parents, before, size = graph.parents(), found.before, graph.types.size
    above = parents[tops]
    places = each_once(above[above >= 0], size)
    nodes = each_once(found.node[entries[found.count[entries] > 0]], size)
    below = nodes[_among(tops, size, parents[nodes])]
    went = entries[found.count[entries] < 0]
    gone = each_once(found.then[went], before.addresses.size)
    lost = each_once(-1 - found.top[went], before.addresses.size)
    if not below.size or 2 * lost.size < tops.size:
        return tops, places
    moved = before.addresses[gone[_among(lost, before.addresses.size, before.parents[gone])]]
    moved = moved[:: moved.size // _SAMPLE + 1]
    is_copied = 2 * np.isin(moved, graph.addresses[below]).sum() >= max(moved.size, 1)
    return (below, tops) if is_copied else (tops, places)


def _among(wanted: Indices, size: int, nodes: Indices) -> Mask:
    """Which of some nodes are wanted, of so many; -1 never is."""
    is_wanted = np.zeros(size + 1, dtype=bool)
    is_wanted[wanted] = True
    is_wanted[-1] = False
    found: Mask = is_wanted[nodes]
    return found


def _frequent(kinds: Indices) -> Indices:
    distinct, counts = np.unique(kinds, return_counts=True)
    found: Indices = distinct[counts >= _RARE * counts.sum()]
    return found


def _is_linked(graph: HeapGraph, came: Indices, kind: int) -> bool:
    """Whether what came of a type hangs from its like, so deep that nobody nests objects like that by hand."""
    nodes = came[graph.types[came] == kind]
    deepest = _DEEPEST_NESTING if kind in _NESTING else _DEEPEST
    # The nodes are in the order in which the walk found them, what is near to a root first.
    for node in {*nodes[-_TRIED:].tolist(), *nodes[:: -(nodes.size // _TRIED + 1)].tolist()}:
        at, depth = node, 0
        while depth < deepest and (above := _like_above(graph, at)) >= 0:
            at, depth = above, depth + 1
        if depth == deepest:
            return True
    return False


def _with_alike(graph: HeapGraph, node: int, places: Indices) -> Indices:
    """The places with those that nothing has come to, and that hang from the common node through the same types."""
    tried = places[:: places.size // _SHAPES_OF + 1]
    shapes = Counter(shape for shape in (_shape(graph, node, place) for place in tried.tolist()) if shape)
    found = [places]
    for shape, count in shapes.items():
        if count >= _RARE * tried.size:
            level = np.array([node])
            for kind in shape:
                level = _children(graph, level, kind)
            found.append(level)
    return each_once(np.concatenate(found), graph.types.size)


def _shape(graph: HeapGraph, node: int, place: int) -> tuple[int, ...]:
    """The types on the way from a node down to a place, without namespaces; none where it is no such way."""
    parents, at = graph.parents(), place
    shape: list[int] = []
    for _ in range(_FAR):
        if at == node:
            return tuple(reversed(shape))
        above = int(parents[at])
        if above < 0:
            break
        if graph.types[at] != id(dict) or graph.types[above] in _NESTING:
            shape.append(int(graph.types[at]))
        at = above
    return ()


def _children(graph: HeapGraph, nodes: Indices, kind: int) -> Indices:
    """The nodes of a type that hang from some nodes or from their namespaces."""
    owners, below = references_of(graph.starts, graph.targets, nodes)
    below = below[graph.parents()[below] == owners]
    spaces = below[(graph.types[below] == id(dict)) & ~np.isin(graph.types[graph.parents()[below]], _NESTING)]
    owners, inner = references_of(graph.starts, graph.targets, spaces)
    both = np.concatenate([below, inner[graph.parents()[inner] == owners]])
    return each_once(both[graph.types[both] == kind], graph.types.size)


def _head(graph: HeapGraph, node: int) -> int:
    while (above := _like_above(graph, node)) >= 0:
        node = above
    return node


def _like_above(graph: HeapGraph, node: int) -> int:
    """The nearest ancestor of a node's type within a few steps, -1 where there is none."""
    parents, types = graph.parents(), graph.types
    kind = types[node]
    for _ in range(_STEPS):
        node = int(parents[node])
        if node < 0 or types[node] == kind:
            return node
    return -1
