"""Places that were laid out beforehand and are filled one by one: a ring, the nodes of a list, an array's slots."""

import numpy as np

from labserver.diagnosis.holders.changes import Changes
from labserver.diagnosis.holders.lengths import length_of
from labserver.diagnosis.holders.snapshot import Snapshot
from labserver.heap.graph import HeapGraph, Indices

_LEAST = 20  # places: an object with fewer has attributes


def fixed_places(graph: HeapGraph, before: Snapshot, found: Changes, entries: Indices, holder: int) -> int | None:
    """How many places there are for what came, where it came into such as stood at the baseline and got no more.

    What each place keeps is not bounded by that: it may grow in turn.

    Args:
        graph: the heap now.
        before: the heap at the baseline.
        found: what has changed.
        entries: of the changes, those that are held together.
        holder: the node that they have in common.

    Returns:
        The number of places, filled or not; None where they are no such places.
    """
    came = entries[found.count[entries] > 0]
    places = np.unique(found.place[came])
    if not places.size or found.new[holder] or found.new[places].any() or not _as_many(graph, before, places):
        return None
    kinds, counts = np.unique(graph.types[places], return_counts=True)
    kind = int(kinds[np.argmax(counts)])
    if places.size == 1 and length_of(graph.objects[int(places[0])]) is None and kind != _array_type():
        return None  # attributes
    alike = alike_below(graph, found, kind, holder) if places.size > 1 else places
    lengths = [length_of(graph.objects[node]) for node in alike.tolist()]
    if None in lengths:
        tops = np.unique(found.top[came])
        _, at_each = np.unique(found.place[came][np.unique(found.top[came], return_index=True)[1]], return_counts=True)
        total = alike.size * int(at_each.max()) if tops.size else 0
        if places.size == 1:
            total = int(np.diff(graph.starts)[places].sum())
    else:
        total = sum(length for length in lengths if length is not None)
    return total if total >= _LEAST else None


def _array_type() -> int:
    return id(np.ndarray)


def _as_many(graph: HeapGraph, before: Snapshot, places: Indices) -> bool:
    """Whether each of some objects has as many references as it had at the baseline."""
    at = np.minimum(np.searchsorted(before.addresses, graph.addresses[places]), before.addresses.size - 1)
    same = before.addresses[at] == graph.addresses[places]
    return bool((same & (before.references[at] == np.diff(graph.starts)[places])).all())


def alike_below(graph: HeapGraph, found: Changes, kind: int, holder: int) -> Indices:
    """All objects of a type that stood at the baseline below a node."""
    parents = graph.parents()
    nodes = np.arange(parents.size)
    up = np.where(parents >= 0, parents, nodes)
    up[holder] = holder
    while not np.array_equal(further := up[up], up):
        up = further
    alike: Indices = np.flatnonzero((graph.types == kind) & ~found.new & (up == holder) & (nodes != holder))
    return alike
