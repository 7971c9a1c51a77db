"""Two or three heaps of one process: what came, went and stayed, and who holds it.

Within one process an object is known again by its address and type. An address is given anew, though: what went may
look as if it had stayed. So a holder counts as growing by how many items it has, and not by what came to it alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from labserver.heap.file.heap_view import HeapView
from labserver.heap.file.record import Mask, Record, TypeName
from labserver.heap.layout.objects import Indices
from labserver.heap.search import references_of

_KEPT = 0.5  # of the items by which a holder has grown, that are still there in the third heap
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class HolderChange:
    """What has changed at a holder, or at several that are reached by the same path.

    Attributes:
        path: to it, from a root.
        item_type: what came to it or went, by the most bytes.
        came: items that are new at it.
        went: items that are no longer there.
        items: how many of that type it has in each heap.
        came_bytes: of all that came with them.
        went_bytes: of all that went with them.
        kept: of what came between the first two heaps, how many are still there in the third; None without one.
        kept_bytes: of all that is.
    """

    path: str
    item_type: str
    came: int
    went: int
    items: tuple[int, ...]
    came_bytes: int
    went_bytes: int
    kept: int | None = None
    kept_bytes: int | None = None

    @property
    def grows(self) -> bool:
        """Whether it has more than before, and not only others."""
        more = self.items[0] < self.items[1] or self.items[0] == self.items[1] == 0
        return more and self.came_bytes > self.went_bytes

    @property
    def grows_on(self) -> bool:
        """Whether it has still more in the third heap."""
        return self.items[-1] > self.items[1]

    @property
    def keeps(self) -> bool:
        """Whether it has grown from the first heap to the second, and has kept that in the third."""
        if self.kept is None:
            return False
        first, second, third = self.items
        return first < second <= third and self.kept >= _KEPT * (second - first)


@dataclass(frozen=True, slots=True)
class TypeChange:
    """How many objects of a type came, went and stayed, and the bytes that it has more."""

    type: str
    came: int
    went: int
    stayed: int
    more_bytes: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different between heaps.

    Attributes:
        holders: the most bytes that came, or were kept, first.
        types: the most bytes more or fewer first.
        came: objects that are in the second heap alone.
        went: objects that are in the first alone.
        stayed: objects that are in both.
        came_bytes: of those that came.
        went_bytes: of those that went.
    """

    holders: tuple[HolderChange, ...]
    types: tuple[TypeChange, ...]
    came: int
    went: int
    stayed: int
    came_bytes: int
    went_bytes: int


def compare_heaps(old: HeapView, new: HeapView, newer: HeapView | None = None) -> Comparison:
    """Compare heaps of one process, in the order in which they were taken."""
    before, after = _matches(old.record, new.record), _matches(new.record, old.record)
    later = None if newer is None else _matches(new.record, newer.record)
    came, went = after < 0, before < 0
    views = [old, new] if newer is None else [old, new, newer]
    places = [after, np.arange(after.size), *([] if later is None else [later])]
    holders = tuple(_holders(views, places, came, went, before))
    order = _by_growth if newer is None else _by_kept
    return Comparison(
        holders=tuple(sorted(holders, key=order)),
        types=tuple(_types(old.record, new.record, came, went)),
        came=int(came.sum()),
        went=int(went.sum()),
        stayed=int(after.size - came.sum()),
        came_bytes=int(new.record.sizes[came].sum()),
        went_bytes=int(old.record.sizes[went].sum()),
    )


def _by_growth(change: HolderChange) -> int:
    return change.went_bytes - change.came_bytes


def _by_kept(change: HolderChange) -> tuple[bool, int]:
    return not change.grows_on, -(change.kept_bytes or 0)


def _matches(record: Record, other: Record) -> Indices:
    """For each object of a heap the same one in another, -1 where it is not there; shape (n,)."""
    order = np.argsort(other.addresses, kind="stable")
    addresses = other.addresses[order]
    at = np.minimum(np.searchsorted(addresses, record.addresses), addresses.size - 1)
    found = order[at]
    number: dict[TypeName, int] = {}  # two types may have one name
    mine, its = (np.array([number.setdefault(name, len(number)) for name in one.type_names]) for one in (record, other))
    same = (addresses[at] == record.addresses) & (mine[record.types] == its[other.types[found]])
    matches: Indices = np.where(same, found, -1)
    return matches


def _types(old: Record, new: Record, came: Mask, went: Mask) -> list[TypeChange]:
    found: dict[str, list[int]] = {}
    for record, changed, sign, at in ((new, came, 1, 0), (old, went, -1, 1)):
        k = len(record.type_names)
        many = np.bincount(record.types[changed], minlength=k).tolist()
        sizes = np.bincount(record.types, weights=record.sizes, minlength=k).astype(np.int64).tolist()
        all_of = np.bincount(record.types, minlength=k).tolist()
        for one, count, size, total in zip(record.type_names, many, sizes, all_of, strict=True):
            row = found.setdefault(str(one), [0, 0, 0, 0])
            row[at] += count
            row[3] += sign * size
            if sign > 0:
                row[2] += total - count
    changes = [TypeChange(name, *row) for name, row in found.items() if row[0] or row[1] or row[3]]
    return sorted(changes, key=lambda one: -abs(one.more_bytes))


@dataclass(frozen=True, slots=True)
class _Below:
    """What of a heap changed, by the object that holds it and has itself not changed.

    Attributes:
        tops: what hangs directly below a holder, shape (t,).
        holders: of each; a root that has itself changed is its own holder; shape (t,).
        sizes: bytes of each top with all below it that changed, shape (t,).
        kept: the same bytes of what stayed afterwards.
    """

    tops: Indices
    holders: Indices
    sizes: Indices
    kept: Indices


def _below(view: HeapView, changed: Mask, kept: Mask) -> _Below:
    parents = view.parents
    here = np.arange(parents.size)
    up = np.where(changed & (parents >= 0) & changed[parents], parents, here)
    while not np.array_equal(further := up[up], up):
        up = further
    nodes = np.flatnonzero(changed)
    tops, which = np.unique(up[nodes], return_inverse=True)
    sizes = np.bincount(which, weights=view.record.sizes[nodes], minlength=tops.size)
    later = np.bincount(which, weights=np.where(kept[nodes], view.record.sizes[nodes], 0), minlength=tops.size)
    holders = np.where(parents[tops] >= 0, parents[tops], tops)
    return _Below(tops, holders, sizes.astype(np.int64), later.astype(np.int64))


def _holders(
    views: list[HeapView], places: list[Indices], came: Mask, went: Mask, before: Indices
) -> Iterator[HolderChange]:
    """Every holder to which something came, and what else happened there.

    Args:
        views: the heaps.
        places: where each object of the second heap is in each of them.
        came: objects of the second heap.
        went: objects of the first heap.
        before: where each object of the first heap is in the second.
    """
    new = views[1]
    stays = places[2] >= 0 if len(views) > 2 else np.zeros(came.size, dtype=bool)
    arrived, left = _below(new, came, stays), _below(views[0], went, np.zeros(went.size, dtype=bool))
    gone_from = before[left.holders]  # in the second heap
    alike = paths_alike(new)
    groups: dict[int, list[int]] = {}
    for at, number in enumerate(alike[arrived.holders].tolist()):
        groups.setdefault(number, []).append(at)
    gone: dict[int, list[int]] = {}
    for at, node in enumerate(gone_from.tolist()):
        if node >= 0:
            gone.setdefault(int(alike[node]), []).append(at)
    counted = [_Items(view) for view in views]
    for number, found in groups.items():
        ats = np.array(found)
        kinds, which = np.unique(new.record.types[arrived.tops[ats]], return_inverse=True)
        kind = int(kinds[np.argmax(np.bincount(which, weights=arrived.sizes[ats]))])
        tops = arrived.tops[ats][new.record.types[arrived.tops[ats]] == kind]
        item = new.record.type_names[kind]
        lost = np.array(gone.get(number, []), dtype=np.int64)
        lost_kind = next((at for at, one in enumerate(views[0].record.type_names) if one == item), -1)
        holders = np.unique(arrived.holders[ats])
        yield HolderChange(
            path=new.chain_to(int(holders[0])).trail,
            item_type=str(item),
            came=tops.size,
            went=int((views[0].record.types[left.tops[lost]] == lost_kind).sum()),
            items=tuple(one.of(place[holders], str(item)) for one, place in zip(counted, places, strict=True)),
            came_bytes=int(arrived.sizes[ats].sum()),
            went_bytes=int(left.sizes[lost].sum()),
            kept=int(stays[tops].sum()) if len(views) > 2 else None,
            kept_bytes=int(arrived.kept[ats].sum()) if len(views) > 2 else None,
        )


class _Items:
    """Counts what objects refer to: what others hold as well, such as a small number, is an item all the same."""

    def __init__(self, view: HeapView) -> None:
        self._record = view.record
        names = [str(one) for one in view.record.type_names]
        self._kinds = {kind: np.array([name == kind for name in names]) for kind in set(names)}

    def of(self, holders: Indices, kind: str) -> int:
        """How many of a type some objects have; those that are not there, -1, have none."""
        record = self._record
        if kind not in self._kinds:
            return 0
        found = references_of(record.starts, record.targets, holders[holders >= 0].astype(np.int64))[1]
        return int(np.count_nonzero(self._kinds[kind][record.types[found]]))


def paths_alike(view: HeapView) -> Indices:
    """A number for each object that is the same for all that are reached by paths that look alike; shape (n,)."""
    record, parents = view.record, view.parents
    edge = np.zeros(parents.size, dtype=np.uint64)
    first = np.flatnonzero(parents[record.targets] == view.owners)[::-1]
    edge[record.targets[first]] = record.edge_of[first].astype(np.uint64)
    root = parents < 0
    own = edge * np.uint64(1 << 32) + record.types.astype(np.uint64) + np.uint64(1)
    own[root] = np.arange(parents.size, dtype=np.uint64)[root] + np.uint64(1 << 62)
    mixed = _mixed(own)
    up = np.where(root, np.arange(parents.size), parents)
    power: Indices = np.where(root, np.uint64(0), _FACTOR)
    while power.any():
        mixed += power * mixed[up]
        power *= power[up]
        up = up[up]
    return mixed


def _mixed(values: Indices) -> Indices:
    """SplitMix64's last steps (Steele et al., 2014): neighbours become strangers."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Indices = values ^ (values >> np.uint64(31))
    return found
