"""Which items of each holder were there at which look: a leak keeps its oldest ones, whatever is bounded does not.

Addresses are used again: what is cleared and filled anew gets the same ones, with the same types, in the same place. So
an item is the same if address and type are, its key says the same, and not all that the item alone has (its texts and
numbers, `contents.LEAVES` of them) is different: an object that is changed in place changes some of them, hardly ever
all. Of a dictionary's entry it is enough that the very key is still there: its value may have been replaced. The place
goes by its name, not by its address: what is copied to a larger container stays, what a new one has not is gone.

Not told apart are items that say nothing or the same (equal buffers) where they got the same addresses.

Of more than some thousands of items a sample is remembered: those whose key (or address) has a certain hash, so it is
the same items at each look, and fewer of them as they become more. Cohorts are scaled up: each by what keeps its size
where the sample shrinks, so that what is left of it compares. What is remembered is numbers alone, 120 bytes an item.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

from labserver.diagnosis.holders.contents import LEAVES, agree, leaves_of
from labserver.diagnosis.holders.item_entries import ItemEntries, in_sample
from labserver.diagnosis.holders.items import ItemPlaces, together
from labserver.diagnosis.holders.paths import Paths
from labserver.diagnosis.holders.snapshot import Snapshot
from labserver.heap.graph import HeapGraph, Indices, Mask
from labserver.heap.heap_growth import HeapGrowth, Remembered

Cohorts = tuple[int, ...]
"""The items at one look, by the look at which each was first seen, the baseline's first."""

Records = npt.NDArray[Any]
Weights = npt.NDArray[np.floating]

_MOST_HOLDERS = 40  # are remembered
_MOST_ALIKE = 64  # that a place's successor is looked for among
_FINGERPRINT = 32  # characters at most

_ITEM = np.dtype(
    [
        ("holder", np.int32),
        ("look", np.int32),
        ("address", np.int64),
        ("type", np.int64),
        ("key", np.int64),
        ("key_address", np.int64),
        ("number", np.int64),
        ("leaves", np.int64, (LEAVES,)),
    ]
)
_PLACE = np.dtype(
    [("holder", np.int32), ("address", np.int64), ("type", np.int64), ("above", np.int64), ("edge", np.int64)]
)
_KIND = np.dtype([("holder", np.int32), ("type", np.int64)])
_WEIGHT = np.dtype([("holder", np.int32), ("weight", np.float64)])
_HOLDER = np.dtype(
    [
        ("fingerprint", f"S{_FINGERPRINT}"),
        ("level", np.int32),
        ("place_level", np.int32),
        ("linked", np.bool_),
    ]
)


@dataclass(frozen=True, slots=True)
class _Items:
    """One holder as the last look that knew it left it.

    Attributes:
        items: address, type, key and leaves of each item of the sample, and the look that saw it first.
        places: the address and type of each place, the address of what refers to it, and by what edge.
        kinds: the addresses of the items' types.
        weights: how many items one of each cohort stands for.
        level: of the items' sample.
        place_level: of the places'.
        linked: as of `ItemPlaces`.
    """

    items: Records
    places: Records
    kinds: Indices
    weights: Weights
    level: int
    place_level: int
    linked: bool

    @property
    def cohorts(self) -> Cohorts:
        """The items by the look that saw them first."""
        counts = np.bincount(self.items["look"], minlength=self.weights.size)
        return tuple(np.rint(counts * self.weights).astype(np.int64).tolist())

    def weights_at(self, level: int, place_level: int) -> Weights:
        """The weights at the next look, of a sample that may have become smaller: no cohort's size changes by that."""
        before = np.bincount(self.items["look"], minlength=self.weights.size)
        kept = self.items["look"][in_sample(self.items["number"], level)]
        left = np.bincount(kept, minlength=self.weights.size)
        scale = np.where(left > 0, before / np.maximum(left, 1), 2.0 ** (level - self.level))
        weights = self.weights * scale * 2.0 ** (place_level - self.place_level)
        return np.append(weights, 2.0 ** (level + place_level))


@dataclass(frozen=True, slots=True)
class Memory:
    """What the looks since the baseline remember.

    Attributes:
        looks: how many there were.
        holders: by fingerprint, those that were ever named.
    """

    looks: int
    holders: Mapping[str, _Items]

    @classmethod
    def at_baseline(cls) -> Self:
        """Nothing: the baseline itself is remembered by its snapshot."""
        return cls(0, {})

    def save(self, file: IO[bytes]) -> None:
        """Write it to a file."""
        holders = np.zeros(len(self.holders), dtype=_HOLDER)
        for at, (fingerprint, one) in enumerate(self.holders.items()):
            holders[at] = (fingerprint.encode(), one.level, one.place_level, one.linked)
        known = list(self.holders.values())
        np.savez(
            file,
            looks=np.array(self.looks),
            holders=holders,
            items=_numbered([one.items for one in known], _ITEM),
            places=_numbered([one.places for one in known], _PLACE),
            kinds=_numbered([_column(one.kinds, "type", _KIND) for one in known], _KIND),
            weights=_numbered([_column(one.weights, "weight", _WEIGHT) for one in known], _WEIGHT),
        )

    @classmethod
    def load(cls, file: IO[bytes]) -> Self:
        """Read it back."""
        with np.load(file) as arrays:
            looks, holders, items, places, kinds, weights = (
                arrays[name] for name in ("looks", "holders", "items", "places", "kinds", "weights")
            )
        found = {}
        for at, holder in enumerate(holders):
            found[holder["fingerprint"].decode()] = _Items(
                items[items["holder"] == at],
                places[places["holder"] == at],
                kinds["type"][kinds["holder"] == at],
                weights["weight"][weights["holder"] == at],
                int(holder["level"]),
                int(holder["place_level"]),
                bool(holder["linked"]),
            )
        return cls(int(looks), found)

    def after(self, graph: HeapGraph, before: Snapshot, named: Iterable[tuple[str, ItemPlaces]]) -> "Memory":
        """What is remembered after one more look.

        Args:
            graph: the heap now, the whole of it.
            before: the baseline.
            named: the fingerprints of the holders that this look names, and where their items hang.
        """
        places: dict[str, ItemPlaces] = {}
        for fingerprint, where in named:
            places[fingerprint] = together(places[fingerprint], where) if fingerprint in places else where
        look = _Look(graph, before, self.looks + 1, self.holders)
        holders = {fingerprint: look.named(fingerprint, where) for fingerprint, where in places.items()}
        for fingerprint, one in self.holders.items():
            if fingerprint not in holders and len(holders) < _MOST_HOLDERS:
                holders[fingerprint] = look.unnamed(one)
        return Memory(self.looks + 1, holders)

    def told_in(self, growth: HeapGrowth) -> HeapGrowth:
        """The growth that the last look has found, with the cohorts of its holders, and of those it does not name."""
        told = {name: one.cohorts for name, one in self.holders.items() if one.kinds.size}
        named = {one.fingerprint for one in growth.holders}
        return replace(
            growth,
            holders=tuple(replace(one, cohorts=told.get(one.fingerprint, ())) for one in growth.holders),
            remembered=tuple(Remembered(name, cohorts) for name, cohorts in told.items() if name not in named),
        )


class _Look:
    """One look at the items of several holders.

    Args:
        graph: the heap.
        before: the baseline.
        number: of the look, the first one after the baseline is 1.
        known: what the look before remembered.
    """

    def __init__(self, graph: HeapGraph, before: Snapshot, number: int, known: Mapping[str, _Items]) -> None:
        self._graph = graph
        self._before = before
        self._number = number
        self._parents = graph.parents()
        self._paths = Paths(graph, self._parents)
        self._known = known
        self._nodes: dict[int, int] | None = None

    def named(self, fingerprint: str, where: ItemPlaces) -> _Items:
        """A holder that this look names."""
        known = self._known.get(fingerprint)
        if known is None:
            entries = self._read(where, level=0, place_level=0)
            weights = np.full(self._number + 1, 2.0 ** (entries.level + entries.place_level))
            return self._remember(where, entries, self._first_looks(entries, where), weights)
        return self._continued(known, self._with_known(where, known))

    def unnamed(self, known: _Items) -> _Items:
        """A holder that an earlier look named: it keeps no more now than at the baseline, if it is still there."""
        places = self._same_places(known)
        if not places.size:
            alive = known.items[self._still_alive(known.items)]
            return replace(known, items=alive, weights=known.weights_at(known.level, known.place_level))
        none = np.zeros(0, dtype=np.int64)
        new = np.zeros(0, dtype=bool)
        return self._continued(known, ItemPlaces(places, known.kinds, none, linked=known.linked, new=new))

    def _with_known(self, where: ItemPlaces, known: _Items) -> ItemPlaces:
        """The places with those of the look before: a list that has let go of all that came is no less one of them."""
        if where.linked or known.linked:
            return where
        kinds = np.union1d(where.kinds, known.kinds)
        places = where.places
        if max(places.size, known.places.size) > 1:
            places = np.union1d(places, self._same_places(known))
        return replace(where, places=places, kinds=kinds)

    def _continued(self, known: _Items, where: ItemPlaces) -> _Items:
        entries = self._read(where, level=known.level, place_level=known.place_level)
        weights = known.weights_at(entries.level, entries.place_level)
        fresh = self._remember(where, entries, np.full(entries.node.size, self._number), weights)
        fresh.items["look"] = _looks(fresh.items, known.items, self._number)
        unseen = ~np.isin(entries.place, self._nodes_of(known.places["address"])) & (entries.place >= 0)
        if unseen.any() and not known.linked and where.new.size:  # a place that nothing was known of: it may be old
            old = unseen & ~where.new[entries.node] & (fresh.items["look"] == self._number)
            fresh.items["look"][old & ~_is_among(fresh.items, known.items)] = 0
        return fresh

    def _read(self, where: ItemPlaces, *, level: int, place_level: int) -> ItemEntries:
        return ItemEntries.read(self._graph, where, level=level, place_level=place_level)

    def _remember(self, where: ItemPlaces, entries: ItemEntries, looks: Indices, weights: Weights) -> _Items:
        items = np.zeros(entries.node.size, dtype=_ITEM)
        for name in ("address", "type", "key", "key_address", "number"):
            items[name] = getattr(entries, name)
        items["look"] = looks
        distinct, which = np.unique(entries.node, return_inverse=True)
        items["leaves"] = leaves_of(self._graph, distinct)[which]
        at = np.zeros(entries.places.size, dtype=_PLACE)
        above = self._parents[entries.places]
        at["address"], at["type"] = self._graph.addresses[entries.places], self._graph.types[entries.places]
        at["above"] = np.where(above >= 0, self._graph.addresses[above], 0)
        if at.size == 1 and above[0] >= 0:
            at["edge"] = self._edge(int(above[0]), int(entries.places[0]))
        return _Items(items, at, where.kinds, weights, entries.level, entries.place_level, where.linked)

    def _first_looks(self, entries: ItemEntries, where: ItemPlaces) -> Indices:
        """0 for what was there at the baseline, this look for the rest."""
        old = ~where.new[entries.node] | self._was_copied(entries, linked=where.linked)
        return np.where(old, 0, self._number)

    def _was_copied(self, entries: ItemEntries, *, linked: bool) -> Mask:
        """Which items were at the baseline in a container of their place's type, which the same object referred to.

        The nodes of a list that grows at its head stay, and have another way to them.
        """
        then = self._before
        at = np.minimum(np.searchsorted(then.addresses, entries.address), then.addresses.size - 1)
        same: Mask = (then.addresses[at] == entries.address) & (then.types[at] == entries.type) & (entries.place >= 0)
        place, above = then.parents[at], self._parents[entries.node]
        same &= (place >= 0) & (above >= 0)
        same &= then.types[place] == self._graph.types[above]
        if not linked:
            same &= then.addresses[then.parents[place]] == self._graph.addresses[self._parents[above]]
        return same

    def _same_places(self, known: _Items) -> Indices:
        """The nodes of known places: the same objects below the same ones, else what has taken one's place."""
        nodes = self._nodes_of(known.places["address"])
        above = self._nodes_of(known.places["above"])
        there = np.flatnonzero((nodes >= 0) & (self._graph.types[nodes] == known.places["type"]))
        held = self._parents[nodes[there]]
        held_by = np.where(held >= 0, self._parents[held], -1)  # a namespace may have been made in between
        same = (held == above[there]) | (held_by == above[there])
        there = there[np.where(held >= 0, same & (above[there] >= 0), known.places["above"][there] == 0)]
        found: Indices = nodes[there]
        if known.places.size != 1:
            return found
        edge, owner = int(known.places["edge"][0]), int(above[0])
        if found.size and (owner < 0 or self._edge(owner, int(found[0])) == edge):
            return found
        successor = -1 if owner < 0 else self._successor(owner, int(known.places["type"][0]), edge)
        return np.array([successor] if successor >= 0 else [], dtype=np.int64)

    def _successor(self, owner: int, kind: int, edge: int) -> int:
        """What an owner refers to by an edge now."""
        references = self._graph.targets[self._graph.starts[owner] : self._graph.starts[owner + 1]]
        alike = np.unique(references[self._graph.types[references] == kind])
        if alike.size > _MOST_ALIKE:
            return -1
        found = [node for node in alike.tolist() if self._edge(owner, node) == edge]
        return found[0] if len(found) == 1 else -1

    def _edge(self, owner: int, node: int) -> int:
        return hash(self._paths.edge(owner, node).words)

    def _still_alive(self, items: Records) -> Mask:
        """Which items are anywhere in the heap; of a holder that is not found this is all that can be said."""
        nodes = self._nodes_of(items["address"])
        there = np.flatnonzero((nodes >= 0) & (self._graph.types[nodes] == items["type"]))
        alive = np.zeros(items.size, dtype=bool)
        distinct, which = np.unique(nodes[there], return_inverse=True)
        leaves = leaves_of(self._graph, distinct)[which]
        alive[there] = agree(leaves, items["leaves"][there])
        return alive

    def _nodes_of(self, addresses: Indices) -> Indices:
        """The node at each address, -1 where there is none; shape as given."""
        if self._nodes is None:  # one search for all holders
            known = [one.places[name] for one in self._known.values() for name in ("address", "above")]
            lost = [one.items["address"] for one in self._known.values()]
            self._nodes = self._search(np.unique(np.concatenate([*known, *lost])))
        return np.array([self._nodes.get(address, -1) for address in addresses.tolist()], dtype=np.int64)

    def _search(self, wanted: Indices) -> dict[int, int]:
        at = np.minimum(np.searchsorted(wanted, self._graph.addresses), wanted.size - 1)
        nodes = np.flatnonzero(wanted[at] == self._graph.addresses) if wanted.size else at[:0]
        return dict(zip(self._graph.addresses[nodes].tolist(), nodes.tolist(), strict=True))


def _numbered(records: Sequence[Records], dtype: np.dtype[Any]) -> Records:
    """The records of several holders in one array, each with its holder's number."""
    found = np.concatenate([*records, np.zeros(0, dtype=dtype)])
    found["holder"] = np.repeat(np.arange(len(records)), [one.size for one in records])
    return found


def _column(values: Indices | Weights, name: str, dtype: np.dtype[Any]) -> Records:
    """Records with values in one column."""
    found = np.zeros(values.size, dtype=dtype)
    found[name] = values
    return found


def _looks(items: Records, known: Records, number: int) -> Indices:
    """The look that saw each item first: that of the known one it is the same as, else this one."""
    looks = np.full(items.size, number)
    for names, by_leaves in ((("address", "type", "key"), True), (("key_address", "key"), False)):
        at = _positions(items, known, names)
        there = at >= 0
        if by_leaves:
            there[there] = agree(items["leaves"][there], known["leaves"][at[there]])
        else:
            there &= items["key_address"] != 0
        looks[there] = np.minimum(looks[there], known["look"][at[there]])
    return looks


def _is_among(items: Records, known: Records) -> Mask:
    """Which items have the address and type of a known one, whatever they say."""
    found: Mask = _positions(items, known, ("address", "type")) >= 0
    return found


def _positions(items: Records, known: Records, names: Sequence[str]) -> Indices:
    """Where each item stands among the known ones by some of its columns, -1 where it does not; shape (s,)."""
    both = np.zeros((items.size + known.size, len(names)), dtype=np.int64)
    for column, name in enumerate(names):
        both[: items.size, column], both[items.size :, column] = items[name], known[name]
    _, which = np.unique(both, axis=0, return_inverse=True)
    which = which.reshape(-1)
    place = np.full(which.max(initial=0) + 1, -1)
    place[which[items.size :]] = np.arange(known.size)
    found: Indices = place[which[: items.size]]
    return found
