"""Who holds what has come since a snapshot: objects of any type, grouped by the deepest object that holds them all."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from labserver.diagnosis.holders.changes import Changes, changes
from labserver.diagnosis.holders.composition import Compositions
from labserver.diagnosis.holders.items import ItemPlaces, items_of
from labserver.diagnosis.holders.new_modules import hang_new_modules
from labserver.diagnosis.holders.paths import Paths
from labserver.diagnosis.holders.rooting import rooted
from labserver.diagnosis.holders.siblings import merge_alike
from labserver.diagnosis.holders.snapshot import Snapshot, allocated_for, unknown_sizes
from labserver.diagnosis.holders.upkeep import Upkeeps
from labserver.heap.edge import Edge
from labserver.heap.frame import Frame
from labserver.heap.graph import HeapGraph, Indices, Mask, path_to
from labserver.heap.heap_growth import Garbage, HeapGrowth, HeldGroup, HolderGrowth
from labserver.heap.is_a import type_name
from labserver.heap.raised import raised_in
from labserver.heap.search import each_once
from labserver.heap.stack import called_part, own_lines
from labserver.heap.tracemalloc_tools import allocated_at

_MOST_GROUPS = 200  # are named; the rest is too small to matter
_MOST_EDGES = 8  # of one namespace that grow separately
_SHARE = 0.98  # of a group, that one object below its place must hold to be its holder
_FAR = 24  # nodes
_TRIED = 20  # objects, for one whose allocation was traced
_ALIKE = 8  # objects, to see whether their keys are the same
_HEAVY = 0.01  # of what came at a place
_LEAST_BYTES = 1024  # that a group must have grown by to be named


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder(HeldGroup):
    """Such a group, as the process that has it sees it.

    Attributes:
        holder_retained_bytes: what would be freed if the holder let go; see `HolderGrowth`.
        example_node: the node of the object that the path leads to.
        examples: addresses of that object and of others that came with it, the likeliest to have been traced first.
        allocated_at: the stack that allocated the first of them that was traced, the allocating line first.
        item_places: where its items hang.
        path_as_found: the path from whichever module was seen first; fingerprints in users' files are made of it.
    """

    holder_retained_bytes: int
    example_node: int
    examples: tuple[int, ...]
    allocated_at: tuple[Frame, ...]
    item_places: ItemPlaces = field(compare=False)
    path_as_found: str

    @property
    def fingerprint(self) -> str:
        """A short name, the same in every run."""
        return hashlib.sha256(f"{self.path_as_found}\n{self.buffer_type}".encode()).hexdigest()[:16]

    def growth(self) -> HolderGrowth:
        """What is told of it outside of the process."""
        stack = called_part(self.allocated_at)
        return HolderGrowth(
            **{one.name: getattr(self, one.name) for one in fields(HeldGroup)},
            holder_retained_bytes=self.holder_retained_bytes,
            allocated_at=own_lines(stack),
            stack=stack,
            fingerprint=self.fingerprint,
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What has changed in a heap since a snapshot of it.

    Attributes:
        holders: who holds what has come, the most bytes first.
        bytes: how much more the allocators gave.
        objects: how many more there are.
        garbage: of these, what no root reaches: cycles that wait for the collector.
        notes: sentences about single holders, and about what could not be seen.
        complete: whether the whole heap was walked; if not, holders may be missing.
    """

    holders: tuple[Holder, ...]
    bytes: int
    objects: int
    garbage: Garbage
    notes: tuple[str, ...]
    complete: bool

    def growth(self) -> HeapGrowth:
        """What is told of it outside of the process."""
        return HeapGrowth(
            holders=tuple(holder.growth() for holder in self.holders),
            bytes=self.bytes,
            objects=self.objects,
            garbage=self.garbage,
            notes=self.notes,
            complete=self.complete,
        )


@dataclass(slots=True)
class _Group:
    """Entries of the changes that belong to one place.

    Attributes:
        node: the object that they have in common.
        entries: indices into the changes.
        edge: the name under which `node` refers to them, where it has others too.
    """

    node: int
    entries: Indices
    edge: Edge | None = None


def find_growth(graph: HeapGraph, before: Snapshot, *, most: int = 10) -> Comparison:
    """Compare a heap with what it was before, and name who holds what has come.

    What is replaced, evicted or moved cancels out: a holder's growth is net. What came and went between the two does
    not appear at all.

    Args:
        graph: the heap now.
        before: what `snapshot_of` gave earlier.
        most: how many holders to name.
    """
    return _Finder(graph, before).comparison(most)


class _Finder:
    def __init__(self, graph: HeapGraph, before: Snapshot) -> None:
        self._graph = graph
        self._before = before
        hang_new_modules(graph, before)
        self._parents = graph.parents()
        self._paths = self._shown = Paths(graph, self._parents)
        self._allocated = allocated_for(graph)
        self._changes: Changes = changes(graph, before, self._parents, self._allocated)
        self._upkeeps = Upkeeps(graph, before, self._changes)
        self._compositions = Compositions(graph, self._changes)

    def comparison(self, most: int) -> Comparison:
        graph, before = self._graph, self._before
        garbage = graph.garbage
        groups = [group for group in self._groups(garbage) if self._bytes(group) >= _LEAST_BYTES]
        groups.sort(key=self._bytes, reverse=True)
        leading = groups[:most]
        self._shown = Paths(graph, rooted(graph, self._parents, [group.node for group in leading]))
        holders = tuple(map(self._holder, leading))
        return Comparison(
            holders=holders,
            bytes=int(self._allocated.sum() - before.allocated.sum()),
            objects=len(graph.objects) - before.addresses.size,
            garbage=Garbage(
                objects=int(garbage.sum() - before.garbage.sum()),
                bytes=int(self._allocated[garbage].sum() - before.allocated[before.garbage].sum()),
            ),
            notes=(*(_note(holder) for holder in holders if holder.also_held_by), *graph.notes, *unknown_sizes()),
            complete=graph.complete,
        )

    def _groups(self, garbage: Mask) -> list[_Group]:
        """The groups with the most bytes, those of one path and of one holder merged."""
        found = self._changes
        held = np.flatnonzero((found.place >= 0) & ~garbage[found.place])
        places, which = np.unique(found.place[held], return_inverse=True)
        if not places.size:
            return []
        merged, nodes = merge_alike(self._graph, places, self._parents)
        merged, nodes = self._merge_roots(merged, nodes)
        owner = merged[which]
        alone = np.bincount(merged)[np.arange(nodes.size)] == 1
        net = np.abs(np.bincount(owner, weights=found.bytes[held], minlength=nodes.size))
        turnover = np.bincount(owner, weights=np.abs(found.bytes[held]), minlength=nodes.size)
        order = np.argsort(owner, kind="stable")
        ends = np.searchsorted(owner[order], np.arange(nodes.size + 1))
        leading = np.argsort(-(net + turnover / 4), kind="stable")[:_MOST_GROUPS]
        groups: list[_Group] = []
        for number in leading.tolist():
            group = _Group(int(nodes[number]), held[order[ends[number] : ends[number + 1]]])
            groups += self._by_edge(group) if alone[number] else [group]
        return self._merged([self._descend(group) for group in groups])

    def _merge_roots(self, merged: Indices, nodes: Indices) -> tuple[Indices, Indices]:
        """One group for roots of one name and type, such as the locals of many threads."""
        roots = [(self._paths.root(node), int(self._graph.types[node])) for node in nodes.tolist()]
        first: dict[object, int] = {}
        leader = [at if root is None else first.setdefault((root, kind), at) for at, (root, kind) in enumerate(roots)]
        kept, renumbered = np.unique(leader, return_inverse=True)
        return renumbered[merged], nodes[kept]

    def _by_edge(self, group: _Group) -> list[_Group]:
        """Tell apart what an object refers to by different names, such as the globals of a module."""
        found, entries = self._changes, group.entries
        tops, which = np.unique(found.top[entries], return_inverse=True)
        weight = np.bincount(which, weights=found.bytes[entries])
        heavy = np.flatnonzero((tops >= 0) & (tops != group.node) & (weight > _HEAVY * np.abs(weight).sum()))
        if not 0 < heavy.size <= _MOST_EDGES:
            return [group]
        edges = {int(top): self._paths.edge(group.node, int(top)) for top in tops[heavy].tolist()}
        if len(set(edges.values())) == 1 and next(iter(edges.values())).is_one_of_many:
            return [group]
        # What went is taken for the forerunner of what came with its type, the largest of the largest.
        names: dict[int, Edge] = {}
        gone = [index for index in np.argsort(weight, kind="stable").tolist() if tops[index] < 0]
        for index in sorted(heavy.tolist(), key=lambda index: -weight[index]):
            names[index] = edges[int(tops[index])]
            kind = self._graph.types[tops[index]]
            forerunner = next((g for g in gone if self._before.types[-1 - tops[g]] == kind), None)
            if forerunner is not None:
                names[forerunner] = names[index]
                gone.remove(forerunner)
        label = np.zeros(tops.size, dtype=np.int64)  # 0 for what has no name of its own
        distinct = sorted(set(names.values()), key=lambda edge: edge.words)
        for index, name in names.items():
            label[index] = 1 + distinct.index(name)
        parts = [(entries[label[which] == number], edge) for number, edge in enumerate([None, *distinct])]
        return [_Group(group.node, part, edge) for part, edge in parts if part.size]

    def _descend(self, group: _Group) -> _Group:
        """Go down from a group's place to the last object that came and holds the group."""
        found = self._changes
        nodes = each_once(found.node[group.entries[found.count[group.entries] > 0]], self._parents.size)
        if not nodes.size:
            return group
        below, children = self._paths.subtrees(nodes)
        whole = below[np.isin(self._parents[nodes], nodes, invert=True)].sum()
        at = group.node
        while True:
            inside = children(at)
            if not inside.size:
                break
            best = int(inside[np.argmax(below[inside])])
            like = self._graph.types[nodes[inside]] == self._graph.types[nodes[best]]
            node = int(nodes[best])
            if below[best] < _SHARE * whole or like.sum() > _MOST_EDGES or not children(node).size:
                break
            at = node
        return replace(group, node=self._paths.first_of_its_like(at, self._largest_below(at, nodes, below, children)))

    def _largest_below(
        self, node: int, nodes: Indices, below: Indices, children: Callable[[int], Indices]
    ) -> list[int]:
        """How it goes on below a node, from the largest to the largest, as far as it takes to recognise a list."""
        way: list[int] = []
        while len(way) < _FAR and (inside := children(node)).size:
            node = int(nodes[inside[np.argmax(below[inside])]])
            way.append(node)
        return way

    def _merged(self, groups: Sequence[_Group]) -> list[_Group]:
        """One group for each path, then one for each holder."""
        by_path: dict[tuple[str, Edge | None, int], list[_Group]] = defaultdict(list)
        for group in groups:
            kind = int(self._graph.types[group.node]) if self._parents[group.node] < 0 else 0
            by_path[self._paths.chain(group.node).trail, group.edge, kind].append(group)
        by_node: dict[tuple[int, Edge | None], list[_Group]] = defaultdict(list)
        for (_, edge, _), alike in by_path.items():
            node = self._paths.without_table(self._paths.last_common([group.node for group in alike]))
            by_node[node, edge].append(_Group(node, np.concatenate([group.entries for group in alike]), edge))
        return [
            _Group(node, np.concatenate([group.entries for group in alike]), edge)
            for (node, edge), alike in by_node.items()
        ]

    def _bytes(self, group: _Group) -> int:
        return int(self._changes.bytes[group.entries].sum())

    def _holder(self, group: _Group) -> Holder:
        graph, paths = self._graph, self._shown
        example, buffers = self._example(group)
        tops = self._tops(group)
        node = paths.owner(group.node)
        many = (self._parents[tops] == group.node).sum() > _MOST_EDGES
        chain, as_found = (
            one.chain_below(group.node, example) if many else one.chain(example) for one in (paths, self._paths)
        )
        others = paths.others(group.node, tops, self._changes.new)
        # Those others are known by a sample: what all of them let go of is what hangs from what came.
        freed = paths.freed_by([group.node, *others, *(tops.tolist() if others else ())])
        upkeep = self._upkeeps.of(group.node, group.entries)
        examples = self._examples(example, group)
        to_holder = paths.chain(node)
        places = items_of(graph, self._changes, group.node, group.entries, named=group.edge is not None)
        composition = self._compositions.of(group.entries, places)
        holder_at = max(chain.shared_with(to_holder) - 1, 0)
        return Holder(
            chain=paths.with_keys(chain, example, self._alike(example, group), holder_at),
            root=paths.root_of(example),
            holder_at=holder_at,
            path=chain.trail,
            holder=to_holder.trail,
            holder_type=paths.kind(node),
            example_node=example,
            buffer_type=type_name(graph.objects[example]),
            buffers=max(buffers, 1),
            growth_bytes=self._bytes(group),
            # Some of what came may be held by others as well, such as keys that are also in an index.
            retained_bytes=min(int(self._changes.sizes[group.entries].sum()), freed),
            holder_retained_bytes=freed,
            also_held_by=tuple(sorted({paths.chain(node).trail for node in others})),
            bound=None if upkeep.bound is None else upkeep.bound.entries,
            bound_from=None if upkeep.bound is None else upkeep.bound.said_by,
            length=upkeep.length,
            removal=upkeep.removal,
            bound_bytes=None if upkeep.budget is None else upkeep.budget.most,
            thinks_bytes=None if upkeep.budget is None else upkeep.budget.thinks,
            raised_in=raised_in(graph.objects[path_to(example, self._parents)[0]]),
            examples=tuple(self._graph.addresses[examples].tolist()),
            path_as_found=as_found.trail,
            item_places=places,
            item_type=composition.item_type,
            items=composition.items,
            item_bytes=composition.item_bytes,
            contents=composition.contents,
            allocated_at=next(filter(None, (allocated_at(graph.objects[node]) for node in examples)), ()),
        )

    def _examples(self, example: int, group: _Group) -> list[int]:
        """The example, and others that came with it: one of them tells where it was allocated.

        A small object may lie in memory that was allocated for another one of its type, before anybody traced.
        """
        found, entries = self._changes, group.entries
        came = entries[found.count[entries] > 0]
        same = came[found.top[came] == self._top_of(example, came)]
        largest = same[np.argsort(-found.bytes[same], kind="stable")][:_TRIED]
        others = came[:: max(came.size // _TRIED, 1)][:_TRIED]
        return [example, *found.node[largest].tolist(), *found.node[others].tolist()]

    def _alike(self, example: int, group: _Group) -> list[int]:
        """Some of the example's type that hang from other objects that came."""
        found, entries = self._changes, group.entries
        like = entries[(found.count[entries] > 0) & (found.type[entries] == self._graph.types[example])]
        _, first = np.unique(found.top[like], return_index=True)
        other = like[first][found.top[like[first]] != self._top_of(example, like)]
        nodes: list[int] = found.node[other[:: max(other.size // _ALIKE, 1)][:_ALIKE]].tolist()
        return nodes

    def _top_of(self, node: int, entries: Indices) -> int:
        at = entries[self._changes.node[entries] == node]
        return int(self._changes.top[at[0]]) if at.size else node

    def _tops(self, group: _Group) -> Indices:
        """The objects that came and hang from what was there."""
        found, entries = self._changes, group.entries
        return each_once(found.top[entries[found.count[entries] > 0]], self._parents.size)

    def _example(self, group: _Group) -> tuple[int, int]:
        """The largest object of the type that has gained the most bytes, and by how many that type has grown."""
        found, entries = self._changes, group.entries
        if not (found.count[entries] > 0).any():
            grown = entries[np.argmax(found.bytes[entries])]
            return int(found.node[grown]), 0
        moved = entries[found.count[entries] != 0]
        _, which = np.unique(found.type[moved], return_inverse=True)
        gained = np.bincount(which, weights=found.bytes[moved])
        came = np.bincount(which, weights=found.count[moved] > 0)
        kind = int(np.argmax(np.where(came > 0, gained, -np.inf)))
        members = moved[(which == kind) & (found.count[moved] > 0)]
        largest = members[np.argmax(found.bytes[members])]
        return int(found.node[largest]), int(found.count[moved[which == kind]].sum())


def _note(holder: Holder) -> str:
    return f"What {holder.holder} holds is also held by {' and '.join(holder.also_held_by)}: both must let go."
