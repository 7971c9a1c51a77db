"""The walk over the whole heap: every object, its size, and what it refers to.

It begins with the roots and follows `gc.get_referents` until nothing new is found; then come the objects that the
collector tracks and no root reached. Of those, what only the analyst holds is dropped, what has more references than
the walk could see is held by C code, and what is left are cycles that wait for the collector.
"""

import gc
import itertools
import sys
import time
import types
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labserver.heap.analyst import (
    analyst_objects,
    is_analyst_module,
    loaded_modules,
    never_traversed,
    own_calls,
    own_frames,
)
from labserver.heap.layout.objects import Indices, addresses_of, reference_counts
from labserver.heap.root import Root, RootKind
from labserver.heap.roots import Roots, frame_locals
from labserver.heap.search import references_of, search
from labserver.heap.walk import Walk

Mask = npt.NDArray[np.bool_]

_DEEPEST_DEAD = 100


@dataclass(slots=True)
class Capture:
    """A heap as it was found: n objects, m references.

    Attributes:
        objects: the nodes; modules first.
        addresses: each object's `id`, shape (n,).
        sizes: bytes of each, shape (n,).
        types: the address of each object's type, shape (n,).
        starts: node i's references are `targets[starts[i]:starts[i + 1]]`; shape (n + 1,).
        targets: node indices, shape (m,).
        modules: how many nodes are modules.
        local_roots: the roots that are no modules, by node.
        cycles: nodes from which all garbage is reached.
        garbage: what only waits for the collector, shape (n,).
        parents: the node before each on a shortest path from a root, -1 for roots; shape (n,).
        complete: whether the walk came to its end.
        notes: what is missing, a sentence each.
    """

    objects: list[object]
    addresses: Indices
    sizes: Indices
    types: Indices
    starts: Indices
    targets: Indices
    modules: int
    local_roots: dict[int, Root]
    cycles: Indices
    garbage: Mask
    parents: Indices
    complete: bool
    notes: tuple[str, ...]


def capture(roots: Roots, *, max_bytes: int | None = None, max_seconds: float | None = None) -> Capture:
    """Walk the heap of this process. The collector must be off.

    Args:
        roots: what no module holds.
        max_bytes: the most that the walk and a dominator tree may take for themselves.
        max_seconds: the longest time to walk.
    """
    frames = own_frames()
    mine = [value for frame in frames for _, value in frame_locals(frame)]
    named = list(roots.named())
    shut = [*frames, *analyst_objects(), frames, mine, named]
    shut.append(shut)
    # From here on all that is made is younger than this list, so the walk does not come across itself.
    tracked = gc.get_objects()
    calls = own_calls(tracked)
    shut += calls
    walk = Walk(shut, max_bytes=max_bytes, until=None if max_seconds is None else time.monotonic() + max_seconds)
    walk.add([module for name, module in loaded_modules() if not is_analyst_module(name)])
    modules = len(walk.objects)
    local_roots = _add_named(walk, named)
    complete = walk.close(more=tracked)
    analyst = _Analyst(np.zeros(0, dtype=np.int64), addresses_of(frames), _over(calls, frames))
    if complete:
        walk.add(tracked)
        avoided = id(never_traversed())
        mine += gc.get_referents(*(obj for obj in shut if id(obj) != avoided))
        analyst.seeds = walk.add(mine)
    for objects in (tracked, frames, named, mine, shut, calls):
        objects.clear()
    complete = complete and walk.close()
    return _sort_out(walk, modules, local_roots, analyst if complete else None, roots.notes)


def _add_named(walk: Walk, named: list[tuple[Root, object]]) -> dict[int, Root]:
    """Append the roots that are no modules; returns them by node."""
    local_roots = {}
    for root, value in named:
        before = len(walk.objects)
        walk.add([value])
        if len(walk.objects) > before:
            local_roots[before] = root
    return local_roots


@dataclass(slots=True)
class _Analyst:
    """Where the analyst's own begins.

    Attributes:
        seeds: the nodes it refers to.
        frames: the addresses of its running frames.
        calls: by the address of the frame of each call that is over, its bytes and from where it was called.
    """

    seeds: Indices
    frames: Indices
    calls: dict[int, tuple[int, int]]


def _over(calls: list[types.FrameType], running: list[types.FrameType]) -> dict[int, tuple[int, int]]:
    under_way = set(map(id, running))
    return {id(call): (sys.getsizeof(call), id(call.f_back)) for call in calls if id(call) not in under_way}


def _add_calls(sizes: Indices, next_to_shut: list[Indices], calls: dict[int, tuple[int, int]]) -> None:
    """Count the frames of our calls that are over to the first of those that keep them: nobody else names them."""
    left = dict(calls)
    for owners, shut in next_to_shut:
        there = np.isin(shut, list(left))
        for owner, call in zip(owners[there].tolist(), shut[there].tolist(), strict=True):
            at = call
            while at in left:
                size, at = left.pop(at)
                sizes[owner] += size


def _sort_out(
    walk: Walk, modules: int, local_roots: dict[int, Root], analyst: _Analyst | None, notes: tuple[str, ...]
) -> Capture:
    """Tell apart what roots, the analyst, C code or nobody holds; of a walk that was cut, only the first stays."""
    sizes, kinds = walk.columns()
    starts, targets = walk.edges()
    addresses = addresses_of(walk.objects)
    n = addresses.size
    seen, parents = np.zeros(n, dtype=bool), np.full(n, -1, dtype=np.int32)
    for group in (np.arange(modules), np.array(list(local_roots), dtype=np.int64)):
        search(starts, targets, group, seen, parents)
    keep, garbage = seen, np.zeros(n, dtype=bool)
    cycles: Indices = np.empty(0, dtype=np.int64)
    if analyst is None:
        notes = (*notes, f"The walk over the heap was stopped early: {np.count_nonzero(keep):,} objects were seen.")
    else:
        _add_calls(sizes, walk.next_to_shut, analyst.calls)
        loose = np.flatnonzero(~seen)
        sources, leads_to = references_of(starts, targets, loose)
        # A call that is over, whose frame a kept exception keeps, is nobody's of ours although one of ours made it.
        next_to_shut = [pair[:, ~walk.kinds.are(kinds[pair[0]], types.FrameType)] for pair in walk.next_to_shut]
        dropped = _analysts_only((starts, targets), (sources, leads_to), next_to_shut, analyst, seen)
        keep = ~dropped
        loose = loose[keep[loose]]
        counts = reference_counts(walk.objects, addresses, loose)
        # The walk's own list holds each object once.
        known = np.bincount(leads_to, minlength=n)
        held = loose[counts - 1 > known[loose]]
        seen = seen | dropped
        # First what C code alone refers to: what is held by others, too, goes with them. Leaves come last: an interned
        # name goes with what refers to it.
        containers, alone = walk.kinds.entered(kinds[held]), known[held] == 0
        for group in (held[containers & alone], held[containers], held[~containers]):
            new = group[~seen[group]]
            local_roots |= dict.fromkeys(new.tolist(), Root(RootKind.C_CODE))
            search(starts, targets, new, seen, parents)
        dead = _dead(sources, leads_to, ~seen)
        keep &= ~dead
        garbage = ~seen & ~dead
        cycles = _one_of_each_cycle(sources, leads_to, garbage)
        search(starts, targets, cycles, seen, parents)

    starts, targets, number = _without(starts, targets, keep)
    objects = walk.objects
    first = int(np.argmin(keep)) if not keep.all() else n
    objects[first:] = itertools.compress(objects[first:], keep[first:].tobytes())
    parents = parents[keep]
    return Capture(
        objects=objects,
        addresses=addresses[keep],
        sizes=sizes[keep],
        types=np.array(walk.kinds.addresses, dtype=np.int64)[kinds[keep]],
        starts=starts,
        targets=targets,
        modules=modules,
        local_roots={int(number[node]): root for node, root in local_roots.items()},
        cycles=number[cycles],
        garbage=garbage[keep],
        parents=np.where(parents < 0, -1, number[parents]),
        complete=analyst is not None,
        notes=notes,
    )


def _without(starts: Indices, targets: Indices, keep: Mask) -> tuple[Indices, Indices, Indices]:
    """The graph of the nodes to keep, as starts and targets; and the new number of each node."""
    number = np.cumsum(keep, dtype=np.int32) - 1
    # Mostly all that goes stands at the end.
    first = int(np.argmin(keep)) if not keep.all() else keep.size
    if targets[: starts[first]].max(initial=0) >= first:
        first = 0
    head, tail = targets[: starts[first]], targets[starts[first] :]
    kept = np.repeat(keep[first:], np.diff(starts[first:])) & keep[tail]
    places = head.size + np.concatenate([[0], np.cumsum(kept)])
    new_starts = np.concatenate([starts[:first], places[starts[first:] - head.size][np.append(keep[first:], True)]])
    return new_starts, np.concatenate([head, number[tail[kept]]]), number


def _analysts_only(
    graph: tuple[Indices, Indices],
    loose: tuple[Indices, Indices],
    next_to_shut: list[Indices],
    analyst: _Analyst,
    reached: Mask,
) -> Mask:
    """What no root reaches, and the analyst holds, as does whatever leads to its running frames: a `with` around us."""
    leads = np.zeros(reached.size, dtype=bool)
    for owners, shut in next_to_shut:
        leads[owners[np.isin(shut, analyst.frames)]] = True
    leads &= ~reached
    sources, targets = loose
    while (more := sources[leads[targets] & ~leads[sources]]).size:
        leads[more] = True
    seeds = analyst.seeds[analyst.seeds >= 0]
    mine = reached.copy()
    search(*graph, np.concatenate([seeds, np.flatnonzero(leads)]), mine)
    return mine & ~reached


def _dead(sources: Indices, targets: Indices, unreached: Mask) -> Mask:
    """What nobody refers to any more but the walk: it was let go while we looked, as by a `StringIO` that was read."""
    dead = np.zeros(unreached.size, dtype=bool)
    inside = unreached[sources] & unreached[targets]
    sources, targets = sources[inside], targets[inside]
    for _ in range(_DEEPEST_DEAD):
        left = ~dead[sources]
        referred = np.zeros(unreached.size, dtype=bool)
        referred[targets[left]] = True
        more = unreached & ~referred & ~dead
        if not more.any():
            break
        dead |= more
    return dead


def _one_of_each_cycle(sources: Indices, targets: Indices, garbage: Mask) -> Indices:
    """Nodes from which all garbage is reached: going back from anywhere ends in a cycle, of which one node is taken."""
    nodes = np.flatnonzero(garbage)
    number = np.zeros(garbage.size, dtype=np.int64)
    number[nodes] = np.arange(nodes.size)
    inside = garbage[sources] & garbage[targets]
    back = np.arange(nodes.size)
    back[number[targets[inside]]] = number[sources[inside]]
    least = np.arange(nodes.size)
    for _ in range(nodes.size.bit_length()):
        least = np.minimum(least, least[back])
        back = back[back]
    return nodes[np.unique(least[back])]
