"""The shortest paths from the roots to some objects; those that differ in keys and places alone are one."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from labserver.errors import UsageError
from labserver.heap.chain import Chain, Link
from labserver.heap.file.heap_view import HeapView
from labserver.heap.file.record import NAMESPACE
from labserver.heap.layout.objects import Indices
from labserver.heap.search import places_of
from labserver.names import closest

MOST_FOLLOWED = 200
"""Kinds of paths that are followed at a time; beyond them are those with the fewest paths."""
_ALIKE = 0.6  # that a name must be, to be offered in place of one that nothing has


@dataclass(frozen=True, slots=True)
class PathGroup:
    """Shortest paths that look alike.

    Attributes:
        chain: what they look like, the root first.
        paths: how many there are.
    """

    chain: Chain
    paths: int

    @property
    def path(self) -> str:
        """The chain in one line."""
        return self.chain.path


@dataclass(frozen=True, slots=True)
class ShortestPaths:
    """The shortest paths to some objects.

    Attributes:
        groups: by what they look like, those that are most first.
        dropped: kinds of paths, counted from their ends, that were not followed to the roots: there were too many.
    """

    groups: tuple[PathGroup, ...]
    dropped: int


@dataclass(frozen=True, slots=True)
class _Way:
    """Ways that look alike from some objects on to the ends.

    Attributes:
        nodes: where they begin, each once.
        paths: how many lead on from each.
        links: what they look like, the end first; that of the first object is not among them yet.
    """

    nodes: Indices
    paths: npt.NDArray[np.float64]
    links: tuple[Link, ...] = field(default=())


def objects_named(view: HeapView, name: str) -> Indices:
    """The objects of a type, or the modules, classes and functions, of a name.

    Raises:
        UsageError: there are none.
    """
    record = view.record
    kinds = [at for at, one in enumerate(record.type_names) if name in {one.name, str(one)}]
    nodes = np.flatnonzero(np.isin(record.types, kinds))
    called = [node for node, own in record.names.items() if own == name]
    found = np.union1d(nodes, np.array(called, dtype=np.int64)).astype(np.int64)
    if not found.size:
        known = {one.name for one in record.type_names} | {*map(str, record.type_names)} | {*record.names.values()}
        near = closest(name, known, alike=_ALIKE)
        hint = f": did you mean {near!r}?" if near else "."
        raise UsageError(
            f"The heap has no object of a type {name!r}, and no module, class or function of that name{hint}"
        )
    return found


def shortest_paths(view: HeapView, name: str) -> ShortestPaths:
    """The shortest paths from roots to what has a name.

    Raises:
        UsageError: nothing has that name.
    """
    ends = objects_named(view, name)
    back = _Back(view)
    ways = [_Way(ends, np.ones(ends.size))]
    found: dict[Chain, float] = {}
    dropped = 0
    while ways:
        following: list[_Way] = []
        for way in ways:
            for chain, paths in _arrived(view, way):
                found[chain] = found.get(chain, 0) + paths
            following += back.before(way)
        following.sort(key=lambda one: -float(one.paths.sum()))
        ways = following[:MOST_FOLLOWED]
        dropped += len(following) - len(ways)
    groups = (PathGroup(chain, round(paths)) for chain, paths in sorted(found.items(), key=lambda one: -one[1]))
    return ShortestPaths(tuple(groups), dropped)


def _arrived(view: HeapView, way: _Way) -> Iterator[tuple[Chain, float]]:
    """The whole chains of the ways that have come to a root."""
    for node, paths in zip(way.nodes.tolist(), way.paths.tolist(), strict=True):
        if view.depth[node] == 0:
            yield Chain((view.link(None, node), *way.links[::-1])), paths


class _Back:
    """Goes from objects to those before them on shortest paths."""

    def __init__(self, view: HeapView) -> None:
        record, depth, group = view.record, view.depth, view.reached_from
        owners = view.owners
        short = (depth[owners] + 1 == depth[record.targets]) & (group[owners] == group[record.targets])
        at = np.flatnonzero(short)
        self._view = view
        self._edges = at[np.argsort(record.targets[at], kind="stable")]
        self._first = np.searchsorted(record.targets[self._edges], np.arange(record.types.size + 1))

    def before(self, way: _Way) -> Iterator[_Way]:
        """The ways that are one reference longer."""
        view, record = self._view, self._view.record
        counts = self._first[way.nodes + 1] - self._first[way.nodes]
        if not counts.sum():
            return
        edges = self._edges[places_of(self._first, way.nodes)]
        owners, paths = view.owners[edges].astype(np.int64), np.repeat(way.paths, counts)
        ends = np.repeat(way.nodes, counts)
        # What is named stands for itself: a module, a class, a function.
        named = np.array([record.names.get(node, "") for node in ends.tolist()])
        keys = np.stack([record.edge_of[edges], record.types[ends], np.unique(named, return_inverse=True)[1]])
        _, example, which = np.unique(keys, axis=1, return_index=True, return_inverse=True)
        for group, one in enumerate(example.tolist()):
            inside = which.reshape(-1) == group
            nodes, place = np.unique(owners[inside], return_inverse=True)
            summed = np.bincount(place, weights=paths[inside]).astype(np.float64)
            edge = record.edges[int(record.edge_of[edges[one]])]
            skipped = edge == NAMESPACE and way.links
            links = way.links if skipped else (*way.links, view.link(edge, int(ends[one])))
            yield _Way(nodes, summed, links)
