"""The items that hang in some places now: their addresses and types, and the keys under which they stand.

No code of the application runs: dictionaries are read by `dict`'s own methods, and keys of exact builtin types alone
are hashed.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from labserver.diagnosis.holders.contents import content
from labserver.diagnosis.holders.items import ItemPlaces, linked_items
from labserver.heap.graph import HeapGraph, Indices, Mask
from labserver.heap.is_a import is_a
from labserver.heap.layout.objects import addresses_of, type_addresses
from labserver.heap.search import references_of

_MOST, _MOST_PLACES = 4096, 1024  # of a holder that are read: of more, a sample that is the same at each look
_PLAIN_KEYS = np.array([id(cls) for cls in (str, bytes, int, float)])
_OWN_REFERENCES = 3  # of a key that is looked at: a list's, a variable's and an argument's
_OTHERS = 4  # references to a key that is its dictionary's own: the dictionary, the graph, and what it stands for
_MIX = np.uint64(0x9E37_79B9_7F4A_7C15)


@dataclass(frozen=True, slots=True)
class ItemEntries:
    """The items of a holder or a sample of them, one entry each; s entries.

    Attributes:
        node: in the graph, shape (s,).
        address: shape (s,).
        type: the address of its type, shape (s,).
        key: a number for what its key says, 0 where it has none; shape (s,).
        key_address: where the key is an object that nobody else has, else 0; shape (s,).
        number: decides who is in the sample, see `in_sample`; shape (s,).
        place: the node that refers to it, -1 where none does; shape (s,).
        places: the nodes that were read, shape (p,).
        level: of 2**level items one is here.
        place_level: the same of the places.
    """

    node: Indices
    address: Indices
    type: Indices
    key: Indices
    key_address: Indices
    number: Indices
    place: Indices
    places: Indices
    level: int
    place_level: int

    @classmethod
    def read(cls, graph: HeapGraph, where: ItemPlaces, *, level: int, place_level: int) -> Self:
        """The items in some places.

        Args:
            graph: the heap.
            where: the places.
            level: of the sample at the look before; it grows with the items, and never shrinks.
            place_level: the same of the places.
        """
        places = where.places
        if where.linked:
            nodes, at = linked_items(graph, int(places[0]), int(where.kinds[0])), places[:1]
            found = [_Candidates.of_nodes(graph, nodes, np.broadcast_to(at, nodes.shape))]
        else:
            place_level = _level(places.size, _MOST_PLACES, place_level)
            places = places[in_sample(graph.addresses[places], place_level)]
            found = list(_candidates(graph, places, where.kinds))
        if where.apart.size:
            found.append(_Candidates.of_nodes(graph, where.apart, np.full(where.apart.size, -1)))
        level = _level(sum(one.address.size for one in found), _MOST, level)
        sampled = [one.sampled(level) for one in found]
        address = np.concatenate([one.address for one in sampled])
        place = np.concatenate([one.place for one in sampled])
        node = np.concatenate([one.node for one in sampled])
        unknown = np.flatnonzero(node < 0)
        node[unknown] = _referred(graph, places, address[unknown])
        keys = [_key(key) for one in sampled for key in one.keys]
        there = node >= 0
        return cls(
            node=node[there],
            address=address[there],
            type=graph.types[node[there]],
            key=np.array([key for key, _ in keys], dtype=np.int64)[there],
            key_address=np.array([own for _, own in keys], dtype=np.int64)[there],
            number=np.concatenate([one.number for one in sampled])[there],
            place=place[there],
            places=places,
            level=level,
            place_level=place_level,
        )


_NO_KEY = object()


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Items of one or more places before sampling; `number` decides who is in the sample."""

    address: Indices
    node: Indices
    place: Indices
    number: Indices
    keys: list[Any]

    @classmethod
    def of_nodes(cls, graph: HeapGraph, nodes: Indices, places: Indices) -> Self:
        """Items without keys."""
        addresses = graph.addresses[nodes]
        return cls(addresses, nodes.copy(), places, addresses, [_NO_KEY] * nodes.size)

    def sampled(self, level: int) -> "_Candidates":
        """Those that are in the sample."""
        if not level:
            return self
        kept = np.flatnonzero(in_sample(self.number, level))
        keys = list(map(self.keys.__getitem__, kept.tolist()))
        return _Candidates(self.address[kept], self.node[kept], self.place[kept], self.number[kept], keys)


def _candidates(graph: HeapGraph, places: Indices, kinds: Indices) -> Iterable[_Candidates]:
    mappings = np.array([is_a(graph.objects[place], dict) for place in places.tolist()], dtype=bool)
    owners, nodes = references_of(graph.starts, graph.targets, places[~mappings])
    of_kind = np.isin(graph.types[nodes], kinds)
    distinct, first = np.unique(nodes[of_kind], return_index=True)
    yield _Candidates.of_nodes(graph, distinct, owners[of_kind][first])
    yield _of_dictionaries(graph, places[mappings], kinds)


def _of_dictionaries(graph: HeapGraph, places: Indices, kinds: Indices) -> _Candidates:
    """Dictionaries' values, or keys where these are what came: those of the items' types.

    All at once: of a thousand small ones, NumPy's calls would take longer than their entries.
    """
    keys: list[Any] = []
    values: list[Any] = []
    counts = []
    for place in places.tolist():
        mapping: Any = graph.objects[place]
        own, held = list(dict.keys(mapping)), list(dict.values(mapping))
        if len(own) != len(held):  # another thread has changed it in between
            own, held = [], []
        keys += own
        values += held
        counts.append(len(own))
    of_keys, of_values = addresses_of(keys), addresses_of(values)
    key_kinds = type_addresses(keys, of_keys)
    by_value = np.isin(type_addresses(values, of_values), kinds)
    at = np.flatnonzero(by_value | np.isin(key_kinds, kinds))
    plain = np.flatnonzero(np.isin(key_kinds, _PLAIN_KEYS))
    number = of_keys.copy()
    number[plain] = np.fromiter((hash(keys[index]) for index in plain.tolist()), dtype=np.int64, count=plain.size)
    address = np.where(by_value, of_values, of_keys)[at]
    here = np.repeat(places, np.array(counts, dtype=np.int64))[at]
    return _Candidates(address, np.full(at.size, -1), here, number[at], list(map(keys.__getitem__, at.tolist())))


def _key(key: Any) -> tuple[int, int]:
    """A number for what a key says, and its address where it is its dictionary's own."""
    if key is _NO_KEY:
        return 0, 0
    said = content(key)
    own = sys.getrefcount(key) <= _OWN_REFERENCES + _OTHERS
    return (id(key) if said is None else said) or 1, id(key) if own else 0


def _referred(graph: HeapGraph, places: Indices, addresses: Indices) -> Indices:
    """The nodes of some addresses, of those that the places refer to; -1 for others; shape (len(addresses),)."""
    if not addresses.size:
        return addresses
    wanted, which = np.unique(addresses, return_inverse=True)
    _, nodes = references_of(graph.starts, graph.targets, places)
    there = graph.addresses[nodes]
    at = np.minimum(np.searchsorted(wanted, there), wanted.size - 1)
    hit = wanted[at] == there
    found = np.full(wanted.size, -1)
    found[at[hit]] = nodes[hit]
    return found[which]


def _level(count: int, most: int, before: int) -> int:
    level = before
    while count > most << level:
        level += 1
    return level


def in_sample(numbers: Indices, level: int) -> Mask:
    """Which of some numbers are in the sample of a level; those of a higher one are among them."""
    if not level:
        return np.ones(numbers.size, dtype=bool)
    mixed = numbers.astype(np.int64).view(np.uint64) * _MIX
    found: Mask = (mixed >> np.uint64(64 - level)) == 0
    return found
