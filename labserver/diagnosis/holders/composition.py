"""What a holder's growth consists of: the items that hang directly below it, and all that is in them, by type."""

import functools
import gc
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from labserver.diagnosis.holders.changes import Changes
from labserver.diagnosis.holders.items import ItemPlaces
from labserver.heap.edges import namespace
from labserver.heap.graph import HeapGraph, Indices, Mask
from labserver.heap.heap_growth import TypeChange
from labserver.heap.is_a import is_a, is_any, is_made_in_c, of_class, text_of, type_name
from labserver.heap.layout.objects import addresses_of

_MOST_TYPES = 20  # of the contents
_SAMPLES = 16  # items that are looked into
_MOST = 0.5  # of an item, that what it wraps must be to give the item its name
_CONSTANTS = np.array([id(cls) for cls in (int, float, bool, complex, type(None))])
# Wrapped around what people know: one asks for the sessions that are kept, not for the pairs that they stand in.
_WRAPPERS: tuple[type, ...] = (
    dict,
    list,
    tuple,
    set,
    frozenset,
    deque,
    OrderedDict,
    defaultdict,
    types.CellType,
    types.MethodType,
)
_NOT_WRAPPED = (type, types.ModuleType, types.FunctionType)
_CACHE = functools._lru_cache_wrapper  # noqa: SLF001 - the type has no public name


@dataclass(frozen=True, slots=True)
class Composition:
    """What came to a holder, less what went.

    Attributes:
        item_type: the type of what hangs directly below it; None where it has itself grown.
        items: how many of these came, less those that went.
        item_bytes: what the allocators gave for these and what hangs below them, less what they got back.
        contents: all of it by type, the most bytes first; the smallest are left out.
    """

    item_type: str | None
    items: int | None
    item_bytes: int | None
    contents: tuple[TypeChange, ...]


class Compositions:
    """Tells what groups of changes consist of.

    Args:
        graph: the heap now.
        found: what has changed.
    """

    def __init__(self, graph: HeapGraph, found: Changes) -> None:
        self._graph = graph
        self._found = found
        self._parents = graph.parents()

    def of(self, entries: Indices, where: ItemPlaces) -> Composition:
        """What a group consists of.

        Args:
            entries: of the group, indices into the changes.
            where: where its items hang.
        """
        contents = tuple(self._contents(entries))
        came, went = self._came(entries, where), self._went(entries, where)
        if not came.nodes.size:
            return Composition(None, None, None, contents)
        if self._are_threads(came.nodes):
            whole = int(self._found.bytes[entries].sum())
            return Composition("Thread", came.nodes.size - went.nodes.size, whole, contents)
        named = self._named(came)
        kind = int(came.kinds[named][0])
        gone = went.kinds == kind
        # Of what went nobody knows whether it was a key or a value.
        alike = named.sum() / max((came.kinds == kind).sum(), 1)
        items = int(named.sum()) - round(alike * gone.sum())
        item_bytes = int(came.bytes[named].sum()) - round(alike * went.bytes[gone].sum())
        return Composition(self._name(entries, came, named), items, item_bytes, contents)

    def _contents(self, entries: Indices) -> Iterator[TypeChange]:
        found = self._found
        kinds, which = np.unique(found.type[entries], return_inverse=True)
        size = np.bincount(which, weights=found.bytes[entries])
        came = np.bincount(which, weights=found.count[entries] > 0)
        gone = np.bincount(which, weights=found.count[entries] < 0)
        for at in np.argsort(-np.abs(size), kind="stable")[:_MOST_TYPES].tolist():
            if size[at] or came[at] != gone[at]:
                yield TypeChange(self._type(int(kinds[at])), int(came[at]), int(gone[at]), int(size[at]))

    def _came(self, entries: Indices, where: ItemPlaces) -> "_Items":
        """The items that came, with the bytes of all that hangs below each."""
        found, graph = self._found, self._graph
        came = entries[found.count[entries] > 0]
        nodes, first = np.unique(found.node[came], return_index=True)
        if where.linked:
            items = nodes[np.isin(graph.types[nodes], where.kinds)]
        elif where.apart.size:
            items = where.apart
        else:
            items = nodes[np.isin(self._parents[nodes], where.places)]
        return _Items.of(items, graph.types[items], self._parents, nodes, found.bytes[came][first])

    def _went(self, entries: Indices, where: ItemPlaces) -> "_Items":
        """The same of those that went, as indices of the snapshot."""
        found, before = self._found, self._found.before
        went = entries[found.count[entries] < 0]
        nodes, first = np.unique(found.then[went], return_index=True)
        tops = -1 - found.top[went][first]
        if where.linked:
            items = nodes[np.isin(before.types[nodes], where.kinds)]
        else:
            above, replaced = nodes, self._replaced(where)
            for _ in replaced:
                above = np.where(above >= 0, before.parents[above], -1)
            items = nodes[(nodes if not replaced else above) == tops]
            if replaced:
                items = items[before.types[before.parents[items]] == replaced[-1]]
        return _Items.of(items, before.types[items], before.parents, nodes, -found.bytes[went][first])

    def _replaced(self, where: ItemPlaces) -> list[int]:
        """The types from what took the place of a former container down to the place of the items; mostly none."""
        if where.apart.size or not where.places.size:
            return []
        at, kinds = int(where.places[0]), []
        while at >= 0 and where.new[at]:
            kinds.append(int(self._graph.types[at]))
            at = int(self._parents[at])
        return kinds[::-1]

    def _are_threads(self, nodes: Indices) -> bool:
        """Whether these are what threads at work hold, each the same: the threads are what is kept."""
        if nodes.size < 2 or (self._parents[nodes] >= 0).any():
            return False
        roots = [self._graph.local_roots.get(node) for node in nodes[:_SAMPLES].tolist()]
        return all(root is not None and root.kind.is_thread for root in roots)

    def _named(self, came: "_Items") -> Mask:
        """Those of the type that has the most bytes; of a mapping the values, or the keys where these say nothing."""
        keys = self._are_keys(came.nodes)
        telling = ~keys & ~np.isin(came.kinds, _CONSTANTS)
        eligible = telling if telling.any() else keys if keys.any() else ~keys
        kinds, which = np.unique(came.kinds[eligible], return_inverse=True)
        kind = kinds[np.argmax(np.bincount(which, weights=came.bytes[eligible]))]
        named: Mask = eligible & (came.kinds == kind)
        return named

    def _are_keys(self, items: Indices) -> Mask:
        """Which items are no values of the mapping or memoized function that they are in; shape (k,)."""
        tables = list(self._tables(np.unique(self._parents[items])))
        if not tables:
            return np.zeros(items.size, dtype=bool)
        keys = np.concatenate([addresses_of(list(dict.keys(table))) for table in tables])
        values = np.concatenate([addresses_of(list(dict.values(table))) for table in tables])
        addresses = self._graph.addresses[items]
        found: Mask = np.isin(addresses, keys) & ~np.isin(addresses, values)
        return found

    def _tables(self, places: Indices) -> Iterator[dict[object, object]]:
        for place in places[places >= 0].tolist():
            obj = self._graph.objects[place]
            if is_a(obj, dict):
                yield obj
            elif is_a(obj, _CACHE):
                yield from (held for held in gc.get_referents(obj) if type(held) is dict and not namespace(obj, held))

    def _name(self, entries: Indices, came: "_Items", named: Mask) -> str:
        """What people call items of one type: by what each wraps, where that is one thing that has a name."""
        items = came.nodes[named]
        first = self._graph.objects[int(items[0])]
        if type(first) in _WRAPPERS:
            at = np.flatnonzero(named)[:: max(items.size // _SAMPLES, 1)]
            wrapped = self._wrapped(entries, came.nodes[at], came.bytes[at])
            names = {type_name(self._graph.objects[node]) for node in wrapped}
            if wrapped and len(names) == 1:
                return names.pop()
        return type_name(first)

    def _wrapped(self, entries: Indices, items: Indices, weights: Indices) -> list[int]:
        """The one object of a class of its own that each item has directly below it; nothing if one has not."""
        found = self._found
        came = entries[found.count[entries] > 0]
        nodes, first = np.unique(found.node[came], return_index=True)
        below = nodes[np.isin(self._parents[nodes], items)]
        known = below[[_is_known(self._graph.objects[node]) for node in below.tolist()]]
        inside = _Items.of(known, self._graph.types[known], self._parents, nodes, found.bytes[came][first])
        owners = self._parents[known]
        if not np.array_equal(np.sort(owners), np.sort(items)):
            return []
        whole = dict(zip(items.tolist(), weights.tolist(), strict=True))
        for node, owner, size in zip(known.tolist(), owners.tolist(), inside.bytes.tolist(), strict=True):
            # An exception stands beside its traceback, which has the bytes.
            if size < _MOST * whole[owner] and not is_a(self._graph.objects[node], BaseException):
                return []
        return [int(node) for node in known]

    def _type(self, address: int) -> str:
        """The name of the type at an address."""
        alive = np.flatnonzero(self._graph.types == address)[:1].tolist()
        if alive:
            return type_name(self._graph.objects[alive[0]])
        itself = np.flatnonzero(self._graph.addresses == address)[:1].tolist()
        cls = self._graph.objects[itself[0]] if itself else None
        return text_of(of_class(cls, "__name__")) if is_a(cls, type) else "?"


@dataclass(frozen=True, slots=True)
class _Items:
    """Items as nodes of a graph, or as indices of a snapshot; k of them.

    Attributes:
        nodes: shape (k,).
        kinds: the addresses of their types, shape (k,).
        bytes: what each and all below it have, shape (k,).
    """

    nodes: Indices
    kinds: Indices
    bytes: Indices

    @classmethod
    def of(cls, items: Indices, kinds: Indices, parents: Indices, nodes: Indices, sizes: Indices) -> "_Items":
        """Items with all that hangs below them among some nodes.

        Args:
            items: each once.
            kinds: of them.
            parents: of all nodes.
            nodes: ascending, shape (m,).
            sizes: of these, bytes, shape (m,).
        """
        order = np.argsort(items)
        items, kinds = items[order], kinds[order]
        if not items.size:
            return cls(items, kinds, np.zeros(0, dtype=np.int64))
        above = parents[nodes]
        at = np.minimum(np.searchsorted(nodes, above), nodes.size - 1)
        up = np.where((nodes[at] == above) & ~np.isin(nodes, items), at, np.arange(nodes.size))
        while not np.array_equal(further := up[up], up):
            up = further
        owners = nodes[up]
        place = np.minimum(np.searchsorted(items, owners), items.size - 1)
        inside = items[place] == owners
        whole = np.bincount(place[inside], weights=sizes[inside], minlength=items.size)
        return cls(items, kinds, whole.astype(np.int64))


def _is_known(obj: object) -> bool:
    """Whether a class statement made its type, or it is an exception: what people know by name."""
    return not is_any(obj, _NOT_WRAPPED) and (is_a(obj, BaseException) or not is_made_in_c(type(obj)))
