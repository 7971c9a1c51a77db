"""What came and what went between a snapshot and now, entry by entry, and the place where each hangs.

An object is the one of the snapshot if the chain of references that led to it then still does, through objects of the
same addresses and types. So a freed address that is used again somewhere else is told apart, and what is replaced in
its place cancels out: the entries of a place sum up to its net growth, those of all places to the heap's.
"""

from dataclasses import dataclass

import numpy as np

from labserver.diagnosis.holders.siblings import NESTING
from labserver.diagnosis.holders.snapshot import Snapshot
from labserver.heap.graph import HeapGraph, Indices, Mask
from labserver.heap.search import each_once

_NESTING = np.array([id(cls) for cls in NESTING])


@dataclass(frozen=True, slots=True)
class Changes:
    """One entry for each object that came (+), went (-) or changed its size in place; e entries.

    Attributes:
        before: the snapshot.
        node: the object's node in the graph, -1 for what went; shape (e,).
        then: its index into the snapshot, -1 for what came; shape (e,).
        type: the address of its type; shape (e,).
        bytes: what it adds to what the allocators gave; shape (e,).
        sizes: the same as `sys.getsizeof` counts; shape (e,).
        count: +1, -1, or 0 for a change in place; shape (e,).
        top: the first object that came with it on the way from the root, as a node; -1 - index into the snapshot for
            what went; the object itself for a change in place; shape (e,).
        place: the object of the snapshot that refers to `top`, as a node; for a change in place the object itself; of a
            new root its own node, of one that went a new one of its type, or -1; shape (e,).
        new: which nodes came, shape (n,).
    """

    before: Snapshot
    node: Indices
    then: Indices
    type: Indices
    bytes: Indices
    sizes: Indices
    count: Indices
    top: Indices
    place: Indices
    new: Mask


def changes(graph: HeapGraph, before: Snapshot, parents: Indices, allocated: Indices) -> Changes:
    """Compare the heap with what it was before.

    Args:
        graph: the heap now.
        before: the heap then.
        parents: of the graph now.
        allocated: what the allocators gave for each node, shape (n,).
    """
    now = _still_there(graph, before, parents)
    same = now >= 0
    old = np.zeros(len(graph.objects), dtype=bool)
    old[now[same]] = True

    came = np.flatnonzero(~old)
    top = _first_of_run(parents, ~old)[came]
    above = parents[top]

    went = np.flatnonzero(~same)
    top_then = _first_of_run(before.parents, ~same)[went]
    above_then = before.parents[top_then]
    left_at = np.where(above_then >= 0, now[above_then], -1)
    left_at[above_then < 0] = _successors(graph, before, top[above < 0], top_then[above_then < 0])

    resized = same & (allocated[now] != before.allocated)
    stayed = now[resized]

    return Changes(
        before=before,
        node=np.concatenate([came, np.full(went.size, -1), stayed]),
        then=np.concatenate([np.full(came.size, -1), went, np.flatnonzero(resized)]),
        type=np.concatenate([graph.types[came], before.types[went], graph.types[stayed]]),
        bytes=np.concatenate([allocated[came], -before.allocated[went], allocated[stayed] - before.allocated[resized]]),
        sizes=np.concatenate([graph.sizes[came], -before.sizes[went], graph.sizes[stayed] - before.sizes[resized]]),
        count=np.repeat([1, -1, 0], [came.size, went.size, stayed.size]),
        top=np.concatenate([top, -1 - top_then, stayed]),
        place=np.concatenate([np.where(above >= 0, above, top), left_at, stayed]),
        new=~old,
    )


def _still_there(graph: HeapGraph, before: Snapshot, parents: Indices) -> Indices:
    """The node of each object of the snapshot that is still there, else -1; shape (b,)."""
    now = _at_same_address(graph, before)
    then_parent = before.parents
    has_parent = then_parent >= 0
    referrer = np.where(has_parent, now[then_parent], -1)
    referred = np.where(has_parent, referrer >= 0, True) & (parents[now] == referrer)
    doubtful = np.flatnonzero((now >= 0) & ~referred & (referrer >= 0))
    referred[doubtful] = _refers(graph, referrer[doubtful], now[doubtful])
    # Whoever asks an instance for its `__dict__` makes one: it stands between the instance and its attributes then.
    space = parents[now]
    owner = np.where((space >= 0) & (graph.types[space] == id(dict)), parents[space], -1)
    referred |= (owner >= 0) & (owner == referrer) & ~np.isin(graph.types[owner], _NESTING)
    # The whole chain counts: each pass looks twice as far up.
    same = np.append((now >= 0) & referred, True)
    up = np.append(np.where(has_parent, then_parent, same.size - 1), same.size - 1)
    while (up != same.size - 1).any():
        same &= same[up]
        up = up[up]
    return np.where(same[:-1], now, -1)


def _successors(graph: HeapGraph, before: Snapshot, came: Indices, went: Indices) -> Indices:
    """For each root that went, a root of its type that came, else -1: a thread's local, for example, is replaced."""
    came = each_once(came[~graph.garbage[came]], graph.types.size)
    types, first = np.unique(graph.types[came], return_index=True)
    if not types.size:
        return np.full(went.size, -1)
    at = np.minimum(np.searchsorted(types, before.types[went]), types.size - 1)
    alike = (types[at] == before.types[went]) & ~before.garbage[went]
    return np.where(alike, came[first[at]], -1)


def _at_same_address(graph: HeapGraph, before: Snapshot) -> Indices:
    order = np.argsort(graph.addresses)
    at = np.minimum(np.searchsorted(graph.addresses, before.addresses, sorter=order), order.size - 1)
    node = order[at]
    found = (graph.addresses[node] == before.addresses) & (graph.types[node] == before.types)
    return np.where(found, node, -1)


def _refers(graph: HeapGraph, sources: Indices, targets: Indices) -> Mask:
    """Whether each source refers to its target; shape (len(sources),)."""
    wanted = np.zeros(len(graph.objects), dtype=bool)
    wanted[targets] = True
    edges = np.flatnonzero(wanted[graph.targets])
    owners = np.searchsorted(graph.starts, edges, side="right") - 1
    there = owners * len(graph.objects) + graph.targets[edges]
    found: Mask = np.isin(sources * len(graph.objects) + targets, there)
    return found


def _first_of_run(parents: Indices, mask: Mask) -> Indices:
    """For each node in a mask, its farthest ancestor without leaving the mask; shape (n,)."""
    nodes = np.arange(parents.size)
    up = np.where(mask & (parents >= 0) & mask[parents], parents, nodes)
    while True:
        further = up[up]
        if np.array_equal(further, up):
            return up
        up = further
