"""Breadth-first search over a graph in arrays, a level at a time."""

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]

_NARROW = 16  # nodes of a level below which a loop is quicker than NumPy's calls


def search(starts: Indices, targets: Indices, roots: Indices, seen: Mask, parents: Indices | None = None) -> None:
    """Mark what some roots reach without passing through what was marked before.

    Args:
        starts: node i's references are `targets[starts[i]:starts[i + 1]]`; shape (n + 1,).
        targets: node indices, shape (m,).
        roots: where to begin.
        seen: is marked, shape (n,).
        parents: gets, for each node that is newly marked, the node that led to it; shape (n,).
    """
    place = np.empty(seen.size, dtype=np.int32)
    roots = np.asarray(roots, dtype=np.int64)
    level = _distinct(roots[~seen[roots]], place)
    seen[level] = True
    while level.size:
        if level.size < _NARROW:
            level = _follow_narrow(starts, targets, level, seen, parents)
            continue
        owners, found = references_of(starts, targets, level)
        fresh = np.flatnonzero(~seen[found])
        found = found[fresh]
        if parents is not None:
            # Backwards: the first of several wins.
            parents[found[::-1]] = owners[fresh][::-1]
        seen[found] = True
        level = _distinct(found, place)


def each_once(nodes: Indices, size: int) -> Indices:
    """Some nodes of a graph of so many, each once, ascending; as `np.unique`, which takes many times as long."""
    there = np.zeros(size, dtype=bool)
    there[nodes] = True
    return np.flatnonzero(there)


def places_of(starts: Indices, nodes: Indices) -> Indices:
    """Where the references of some nodes stand, those of one after those of another; shape (e,)."""
    counts = starts[nodes + 1] - starts[nodes]
    ends = np.cumsum(counts)
    places = np.arange(ends[-1] if ends.size else 0)
    places += np.repeat(starts[nodes] - (ends - counts), counts)
    return places


def references_of(starts: Indices, targets: Indices, nodes: Indices) -> tuple[Indices, Indices]:
    """All references of some nodes: from which node, and to which; shapes (e,)."""
    counts = starts[nodes + 1] - starts[nodes]
    return np.repeat(nodes, counts), targets[places_of(starts, nodes)]


def _distinct(nodes: Indices, place: Indices) -> Indices:
    """The nodes without repetition, in the order of their first place."""
    places = np.arange(nodes.size, dtype=place.dtype)
    place[nodes[::-1]] = places[::-1]
    distinct: Indices = nodes[place[nodes] == places]
    return distinct


def _follow_narrow(starts: Indices, targets: Indices, level: Indices, seen: Mask, parents: Indices | None) -> Indices:
    """Go on while the levels are narrow, as along a linked list; returns the first level that is not."""
    start_of, target_of, seen_at = starts.data, targets.data, seen.data
    parent_of = None if parents is None else parents.data
    nodes = level.tolist()
    while nodes and len(nodes) < _NARROW:
        following = []
        for node in nodes:
            first, last = start_of[node], start_of[node + 1]
            if last - first > 1000:
                fresh = np.unique(targets[first:last])
                found = fresh[~seen[fresh]].tolist()
            else:
                found = [other for other in target_of[first:last] if not seen_at[other]]
            for other in found:
                if not seen_at[other]:
                    seen_at[other] = True
                    following.append(other)
                    if parent_of is not None:
                        parent_of[other] = node
        nodes = following
    return np.array(nodes, dtype=np.int64)
