"""The answer of an observation: the verdict, who holds what lasts, at what pace, and when memory runs out."""

from collections.abc import Iterator, Sequence

from labserver.diagnosis.decide.forecast import Forecast
from labserver.diagnosis.decide.observation import HOUR_S, Unit
from labserver.diagnosis.decide.observed import THRESHOLDS, Observed
from labserver.diagnosis.decide.observed_holder import QUIET, ObservedHolder
from labserver.diagnosis.decide.observed_holder import THRESHOLDS as HOLDERS
from labserver.diagnosis.fact import Fact, Note, NoteKind, PartKind, Reason, ReasonKind, said
from labserver.diagnosis.measure.observed_series import ObservedSeries
from labserver.diagnosis.measure.observer import Observer
from labserver.diagnosis.measure.options import CheckOptions
from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.diagnosis.traffic import HolderPace, LooksTaken, Traffic
from labserver.diagnosis.verdict import Verdict
from labserver.heap.heap_growth import HeapGrowth, HolderGrowth
from labserver.heap.wire import LimitKind
from labserver.stats.interval import Interval

_LONGER = 3
_MOST_NAMED = 5  # holders that a page names where none is sure to leak
_LIMITS = {
    LimitKind.GROUP: "the limit of its control group",
    LimitKind.ADDRESS_SPACE: "RLIMIT_AS",
    LimitKind.DATA: "RLIMIT_DATA",
    LimitKind.MACHINE: "the machine's memory",
}


def result_of(observer: Observer, options: CheckOptions, *, interrupted: bool = False) -> CheckResult:
    """The answer.

    Args:
        observer: that has looked.
        options: that it had.
        interrupted: whether it was stopped, so that nothing is decided.
    """
    series = observer.series
    if series is None:
        return _nothing(observer, options)
    found = observer.observed(series)
    decision, growth = found.decision, series.growth or HeapGrowth()
    shown = _shown(found)
    hourly = _hourly(decision.interval, found, series)
    verdict = Verdict.INCONCLUSIVE if interrupted else decision.verdict
    forecast = _forecast(series, hourly) if verdict is Verdict.LEAK else None
    traffic = Traffic(
        seconds=series.seconds[-1],
        jobs=series.jobs_done if found.unit is Unit.JOB else None,
        counted_by=series.counted_by if found.unit is Unit.JOB else "",
        unit=found.unit,
        bytes_per_hour=hourly,
        looks=_looks(observer, series),
        holders=tuple(_pace(one, holder, series, found) for one, holder in _named(shown, growth)),
        forecast=forecast,
        restarts=observer.restarts,
    )
    notes = [*observer.notes, *said(*growth.notes), *decision.notes]
    if not interrupted and decision.reason is not None:
        notes += _undecided(decision.reason, series, options, observer)
    notes += _circumstances(series, traffic)
    return CheckResult(
        target=options.target,
        verdict=verdict,
        interval=decision.interval,
        tolerance=options.tolerance if found.unit is Unit.JOB else THRESHOLDS.hourly_bytes,
        meter="traced",
        jobs=series.jobs_done,
        seconds=observer.seconds(),
        errors=0,
        holders=_holders(shown, growth, observer),
        noted=tuple(one for at, one in enumerate(notes) if one not in notes[:at]),
        traffic=traffic,
    )


def _nothing(observer: Observer, options: CheckOptions) -> CheckResult:
    """The answer where no look was finished."""
    return CheckResult(
        target=options.target,
        verdict=Verdict.INCONCLUSIVE,
        interval=None,
        tolerance=options.tolerance,
        meter="traced",
        jobs=0,
        seconds=observer.seconds(),
        errors=0,
        noted=(*observer.notes, _after(observer.seconds(), Reason(ReasonKind.FEW_LOOKS, {"looks": 0}))),
    )


def _shown(found: Observed) -> list[ObservedHolder]:
    """The holders that the page names: those that leak, or else those that may."""
    if found.decision.verdict is Verdict.LEAK:
        return list(found.leaking)
    if found.decision.verdict is Verdict.NO_LEAK:
        return []
    return [one for one in found.holders if one.standing not in QUIET][:_MOST_NAMED]


def _named(shown: Sequence[ObservedHolder], growth: HeapGrowth) -> Iterator[tuple[ObservedHolder, HolderGrowth]]:
    """Each with what the last look told of it."""
    for one in shown:
        told = next((holder for holder in growth.holders if holder.path == one.gain.path), None)
        if told is not None:
            yield one, told


def _holders(shown: Sequence[ObservedHolder], growth: HeapGrowth, observer: Observer) -> tuple[NamedHolder, ...]:
    whole = max(float(growth.bytes or 0), sum(told.growth_bytes for _, told in _named(shown, growth)), 1.0)
    found = []
    for _, told in _named(shown, growth):
        traced = observer.lines.get(told.fingerprint)
        lines, stack = (traced.allocated_at, traced.stack) if traced is not None else ((), ())
        found.append(NamedHolder.of(told, growth_bytes=whole, allocated_at=lines, stack=stack))
    return tuple(found)


def _pace(one: ObservedHolder, told: HolderGrowth, series: ObservedSeries, found: Observed) -> HolderPace:
    per_hour = _units_per_hour(series, found)
    rate = 0.0 if one.rate is None else one.rate.estimate
    size = one.bytes
    return HolderPace(
        fingerprint=told.fingerprint,
        standing=one.standing,
        items_per_hour=rate * per_hour,
        items_per_1000_jobs=1000 * rate if found.unit is Unit.JOB else None,
        bytes_per_hour=None if size is None or per_hour <= 0 else size.scaled(per_hour),
        oldest_s=one.oldest_s,
        since_s=series.since_s(one.oldest_s),
    )


def _hourly(interval: Interval | None, found: Observed, series: ObservedSeries) -> Interval | None:
    per_hour = _units_per_hour(series, found)
    return None if interval is None or per_hour <= 0 else interval.scaled(per_hour)


def _units_per_hour(series: ObservedSeries, found: Observed) -> float:
    if found.unit is Unit.HOUR:
        return 1.0
    return series.jobs_done * HOUR_S / series.seconds[-1] if series.seconds[-1] > 0 else 0.0


def _forecast(series: ObservedSeries, per_hour: Interval | None) -> Forecast | None:
    if series.limit is None or per_hour is None:
        return None
    return Forecast.of(series.limit.kind, series.limit.limit_bytes, series.limit.used_bytes, per_hour)


def _looks(observer: Observer, series: ObservedSeries) -> LooksTaken:
    pace = observer.pace
    return LooksTaken(
        count=len(series.seconds),
        every_s=pace.every_s,
        core_share=pace.cpu_s / max(observer.seconds(), 1e-9),
        stall_ms=pace.stall_ms,
        most_stall_ms=pace.most_stall_ms,
        allowed_stall_ms=pace.allowed_stall_ms,
    )


def _undecided(reason: Reason, series: ObservedSeries, options: CheckOptions, observer: Observer) -> Iterator[Note]:
    yield _after(series.seconds[-1], reason)
    if reason.kind is ReasonKind.STALLS:
        yield Note(NoteKind.NEXT, {"option": "--stall-ms", "value": _above(observer.pace.stall_ms)})
        return
    if reason.kind is ReasonKind.SEEN_IN_PART:
        return
    longer = _LONGER * (options.observe or 0.0)
    if reason.kind is ReasonKind.MAY_EVICT:
        longer = max(longer, 1.25 * HOLDERS.patience_s)
    yield Note(NoteKind.NEXT, {"option": "--observe", "value": _as_option(longer)})


def _circumstances(series: ObservedSeries, traffic: Traffic) -> Iterator[Note]:
    if traffic.restarts:
        yield Note(NoteKind.RESTARTED, {"times": traffic.restarts})
    if traffic.unit is Unit.JOB:
        yield Note(NoteKind.JOBS_COUNTED, {"by": traffic.counted_by})
    elif series.counted_by:
        yield Note(NoteKind.STANDS_STILL, {"by": series.counted_by})
    else:
        yield Note(NoteKind.NOBODY_COUNTS)
    if (forecast := traffic.forecast) is not None:
        yield Note(NoteKind.FORECAST, _told(forecast))
    looks = traffic.looks
    yield Note(
        NoteKind.LOOKED,
        {
            "looks": looks.count,
            "every": looks.every_s,
            "share": looks.core_share,
            "stall_ms": looks.stall_ms,
            "most_ms": looks.most_stall_ms,
            "allowed_ms": looks.allowed_stall_ms,
        },
    )
    yield Note(NoteKind.OBJECTS_ALONE)
    if not series.complete:
        yield Note(NoteKind.IN_PART)


def _told(forecast: Forecast) -> dict[str, str | float | Fact]:
    span = Fact(PartKind.AT_LEAST, {"low": forecast.low_hours})
    if forecast.high_hours is not None:
        span = Fact(PartKind.BETWEEN, {"low": forecast.low_hours, "high": forecast.high_hours})
    return {
        "limit": _LIMITS[forecast.kind],
        "bytes": forecast.limit_bytes,
        "used": forecast.used_bytes,
        "hours": forecast.hours,
        "span": span,
    }


def _after(seconds: float, reason: Reason) -> Note:
    return Note(NoteKind.OBSERVED_UNDECIDED, {"seconds": seconds, "reason": reason})


def _above(stall_ms: float) -> int:
    """A budget that such looks keep, with some room."""
    return int(1.5 * stall_ms) + 1


def _as_option(seconds: float) -> str:
    """A duration as it is given: `90s`, `30m`."""
    return f"{round(seconds)}s" if seconds < 120 else f"{-(-round(seconds) // 60)}m"
