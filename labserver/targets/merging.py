"""The answers of several processes that serve together, as if one had given them: bytes and items are sums."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any, TypeVar

from labserver.heap.heap_growth import (
    Garbage,
    HeapGrowth,
    HolderGrowth,
    LostReferences,
    Remembered,
    Removal,
    Site,
    StartedThreads,
    TypeChange,
    WorkerGain,
)
from labserver.heap.message import Message
from labserver.heap.wire import BaselineTaken, Collected, FinishedJobs, FloorReading, LookCost, MemoryLimit

M = TypeVar("M", bound=Message)
T = TypeVar("T")
_Named = dict[tuple[str, int], dict[int, HolderGrowth]]


def merged(command: str, pids: Sequence[int], answers: Sequence[Any]) -> Any:
    """What several processes answer to a command, as one answer.

    Args:
        command: its name.
        pids: of the processes.
        answers: JSON values, in the same order.
    """
    if command == "growth":
        return growth_of(pids, [HeapGrowth.from_json(one) for one in answers]).to_json()
    return _MERGERS[command](answers)


def floor_of(readings: Sequence[FloorReading]) -> FloorReading:
    """The memory of all of them at rest."""

    def total(name: str) -> int | None:
        return _sum_or_none(getattr(one, name) for one in readings)

    return FloorReading(
        heap_bytes=total("heap_bytes"),
        mapped_bytes=total("mapped_bytes"),
        traced_bytes=total("traced_bytes"),
        private_bytes=total("private_bytes"),
        threads=sum(one.threads for one in readings),
        collecting=all(one.collecting for one in readings),
        processes=sum(one.processes for one in readings),
        spare_bytes=total("spare_bytes"),
    )


def growth_of(pids: Sequence[int], growths: Sequence[HeapGrowth]) -> HeapGrowth:
    """What has come to all of them: holders of one name are one, with what each process has of it."""
    cohorts = _cohorts(growths)
    named = _by_name(pids, growths)
    holders = [_holder(pids, parts, cohorts.get(name, ())) for (name, _), parts in named.items()]
    known = {name for name, _ in named}
    return HeapGrowth(
        holders=tuple(sorted(holders, key=lambda one: -one.growth_bytes)),
        bytes=_sum_or_none(one.bytes for one in growths),
        objects=sum(one.objects for one in growths),
        garbage=Garbage(sum(one.garbage.objects for one in growths), sum(one.garbage.bytes for one in growths)),
        notes=_union(one.notes for one in growths),
        complete=all(one.complete for one in growths),
        remembered=tuple(Remembered(name, cohort) for name, cohort in cohorts.items() if name not in known),
        threads=_threads(growths),
        lost=_lost(growths),
        extensions=tuple({one.name: one for growth in growths for one in growth.extensions}.values()),
        jobs=_jobs([one.jobs for one in growths]),
        cost=_cost([one.cost for one in growths]),
    )


def _by_name(pids: Sequence[int], growths: Sequence[HeapGrowth]) -> _Named:
    """The holders of each name, by process. Of two with one name in a process, the larger goes with the larger."""
    named: _Named = {}
    for pid, growth in zip(pids, growths, strict=True):
        seen: dict[str, int] = defaultdict(int)
        for one in growth.holders:
            named.setdefault((one.fingerprint, seen[one.fingerprint]), {})[pid] = one
            seen[one.fingerprint] += 1
    return named


def _holder(pids: Sequence[int], parts: dict[int, HolderGrowth], cohorts: tuple[int, ...]) -> HolderGrowth:
    holders = list(parts.values())
    most = max(holders, key=lambda one: one.growth_bytes)

    def total(name: str) -> int | None:
        return _sum_or_none(getattr(one, name) for one in holders)

    return replace(
        most,
        buffers=sum(one.buffers for one in holders if one.buffer_type == most.buffer_type),
        growth_bytes=sum(one.growth_bytes for one in holders),
        retained_bytes=sum(one.retained_bytes for one in holders),
        holder_retained_bytes=total("holder_retained_bytes"),
        also_held_by=_union(one.also_held_by for one in holders),
        bound=total("bound"),
        bound_bytes=total("bound_bytes"),
        thinks_bytes=total("thinks_bytes"),
        items=total("items"),
        item_bytes=total("item_bytes"),
        length=total("length"),
        contents=_contents(holders),
        removal=_removal([one.removal for one in holders]),
        cohorts=cohorts,
        workers=tuple(_gain(pid, parts.get(pid)) for pid in pids),
    )


def _gain(pid: int, part: HolderGrowth | None) -> WorkerGain:
    if part is None:
        return WorkerGain(pid, 0, 0)
    return WorkerGain(pid, part.buffers if part.items is None or part.items <= 0 else part.items, part.growth_bytes)


def _contents(holders: Iterable[HolderGrowth]) -> tuple[TypeChange, ...]:
    sums: dict[str, TypeChange] = {}
    for one in (change for holder in holders for change in holder.contents):
        known = sums.get(one.type, TypeChange(one.type, 0, 0, 0))
        sums[one.type] = TypeChange(one.type, known.came + one.came, known.gone + one.gone, known.bytes + one.bytes)
    return tuple(sorted(sums.values(), key=lambda one: -one.bytes))


def _removal(removals: Sequence[Removal | None]) -> Removal | None:
    found = removals[0]
    for one in removals[1:]:
        found = None if found is None or one is None else found.joined(one)
    return found


def _cohorts(growths: Sequence[HeapGrowth]) -> dict[str, tuple[int, ...]]:
    """Who stays, by name: each process remembers its own holder, also where that has less than it had."""
    sums: dict[str, tuple[int, ...]] = {}
    for growth in growths:
        own = {one.fingerprint: one.cohorts for one in growth.remembered}
        own |= {one.fingerprint: one.cohorts for one in growth.holders if one.cohorts}
        for name, cohorts in own.items():
            sums[name] = tuple(map(sum, zip_longest(sums.get(name, ()), cohorts, fillvalue=0)))
    return sums


def _threads(growths: Sequence[HeapGrowth]) -> tuple[StartedThreads, ...]:
    found = _grouped((one for growth in growths for one in growth.threads), lambda one: (one.function, one.type))
    joined = [
        replace(
            next((one for one in alike if one.allocated_at), alike[0]),
            count=sum(one.count for one in alike),
            names=_union(one.names for one in alike),
        )
        for alike in found
    ]
    return tuple(sorted(joined, key=lambda one: -one.count))


def _lost(growths: Sequence[HeapGrowth]) -> tuple[LostReferences, ...]:
    found = _grouped((one for growth in growths for one in growth.lost), lambda one: (one.type, one.stack))
    return tuple(
        replace(
            alike[0],
            items=sum(one.items for one in alike),
            bytes=sum(one.bytes for one in alike),
            unseen_bytes=sum(one.unseen_bytes for one in alike),
        )
        for alike in found
    )


def _sites(answers: Sequence[Any]) -> list[Any]:
    sites = (Site.from_json(one) for answer in answers for one in answer)
    found = [
        replace(alike[0], bytes=sum(one.bytes for one in alike), blocks=sum(one.blocks for one in alike))
        for alike in _grouped(sites, lambda one: one.stack or one.allocated_at)
    ]
    return [one.to_json() for one in sorted(found, key=lambda one: -one.bytes)]


def _baseline(answers: Sequence[Any]) -> dict[str, Any]:
    taken = _read(BaselineTaken, answers)
    return BaselineTaken(
        objects=sum(one.objects for one in taken),
        bytes=sum(one.bytes for one in taken),
        complete=all(one.complete for one in taken),
        notes=_union(one.notes for one in taken),
        jobs=_jobs([one.jobs for one in taken]),
        cost=_cost([one.cost for one in taken]),
    ).to_json()


def _collected(answers: Sequence[Any]) -> dict[str, Any]:
    found = _read(Collected, answers)
    return Collected(sum(one.objects for one in found), _sum_or_none(one.bytes for one in found)).to_json()


def _limit(answers: Sequence[Any]) -> dict[str, Any]:
    """The one that is reached first."""
    return min(_read(MemoryLimit, answers), key=lambda one: one.left_bytes).to_json()


def _jobs(counts: Sequence[FinishedJobs | None]) -> FinishedJobs | None:
    known = [one for one in counts if one is not None]
    if len(known) < len(counts) or len({one.counted_by for one in known}) != 1:
        return None
    return FinishedJobs(sum(one.count for one in known), known[0].counted_by)


def _cost(costs: Sequence[LookCost | None]) -> LookCost | None:
    """One process is looked at after another, so none is held up for longer than by its own look."""
    known = [one for one in costs if one is not None]
    if len(known) < len(costs):
        return None
    return LookCost(max(one.stall_ms for one in known), sum(one.cpu_s for one in known))


def _grouped(found: Iterable[T], name: Callable[[T], Any]) -> list[list[T]]:
    groups: dict[Any, list[T]] = {}
    for one in found:
        groups.setdefault(name(one), []).append(one)
    return list(groups.values())


def _read(kind: type[M], answers: Iterable[Any]) -> list[M]:
    return [kind.from_json(one) for one in answers]


def _sum_or_none(values: Iterable[int | None]) -> int | None:
    """The sum; None where one of them is unknown."""
    known = list(values)
    return None if None in known else sum(one for one in known if one is not None)


def _union(values: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for each in values for one in each))


_MERGERS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "floor": lambda answers: floor_of(_read(FloorReading, answers)).to_json(),
    "baseline": _baseline,
    "trace": all,
    "sites": _sites,
    "collect": _collected,
    "limit": _limit,
}
MERGED = frozenset({"growth", *_MERGERS})
"""The commands that several processes can answer as one."""
