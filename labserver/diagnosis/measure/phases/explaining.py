"""The explanation of growth: who holds what has come, and which memory it is."""

import math
from collections.abc import Sequence
from dataclasses import replace

from labserver.diagnosis.fact import Note, NoteKind
from labserver.diagnosis.measure.naming import Grown, Named, name_holders
from labserver.diagnosis.measure.native import meter_of, native_interval
from labserver.diagnosis.measure.notes import leaves_threads
from labserver.diagnosis.measure.state import CheckState
from labserver.diagnosis.measure.traced_pass import TRACED
from labserver.diagnosis.result import NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.heap.wire import FloorReading
from labserver.stats.interval import Interval
from labserver.targets.instrumented import Regrouped


def explain(state: CheckState) -> None:
    """Name the holders and the findings of a leak, and of what may be one; tell Python's memory from native memory."""
    leak, named = state.decision.verdict is Verdict.LEAK, None
    if (leak or _may_be_one(state)) and (named := _named(state)) is not None:
        state.holders, state.small_holders = _bounded(state, named.holders), _bounded(state, named.small)
        state.sites = named.sites
        # Of growth that may be none, what has no name says nothing.
        sure = leak or _is_beyond_the_tolerance(state)
        state.findings = tuple(one for one in named.findings if sure or one.kind != "unexplained")
        state.notes += [note for note in named.notes if note not in state.notes]
    whole = state.decision.interval
    if whole is None or state.series.meter != "both" or not state.process.instrumented:
        return
    state.native = _native(state, whole, named)
    if leak and state.native is not None:
        state.meter = meter_of(whole, state.native, state.rules.tolerance, state.series.meter)


def _bounded(state: CheckState, holders: Sequence[NamedHolder]) -> tuple[NamedHolder, ...]:
    """The holders without the bounds that are known to be none."""
    none = state.series.histories.no_bounds
    return tuple(replace(one, bound=None, bound_from=None) if one.path in none else one for one in holders)


def _may_be_one(state: CheckState) -> bool:
    """Whether it is undecided, and something has grown by then that can be looked for."""
    if state.decision.verdict is not Verdict.INCONCLUSIVE or state.decision.interval is None or not state.can_look:
        return False
    grown = state.series.largest is not None or _is_beyond_the_tolerance(state)
    return grown and state.left_s() > state.plan.cycle_s


def _is_beyond_the_tolerance(state: CheckState) -> bool:
    """Whether memory grows by more than the tolerance, whatever becomes of it."""
    return state.decision.interval is not None and state.decision.interval.low > state.rules.tolerance


def _native(state: CheckState, whole: Interval, named: Named | None) -> Interval | None:
    """What came beyond Python's objects, from the floors that the whole was read from."""
    series, first = state.series, state.decision.since
    if first is None or not series.jobs:
        return None
    since = series.jobs[first]
    objects = series.histories.objects_per_job_since(since)
    if objects is not None and named is not None:
        objects += named.unseen_per_job
    return native_interval(
        whole,
        jobs=series.jobs[-1] - since,
        objects_per_job=objects,
        traced_per_job=None if named is None else named.traced_per_job,
        traced_share=None if named is None else named.traced_share,
    )


def _named(state: CheckState) -> Named | None:
    series, driver, whole = state.series, state.driver, state.decision.interval
    leak = state.decision.verdict is Verdict.LEAK

    def drive(jobs: int) -> FloorReading:
        driver.drive(jobs)
        return state.floors.take()

    if state.can_look:
        driver.name("looking for the holders")
    grown = Grown(
        bytes=series.grown,
        jobs=max(series.jobs[-1], 1),
        # What is undecided lies near the tolerance, or below it.
        tolerance=state.rules.tolerance * (1 if leak else state.heuristics.telling.rising),
        at_first=series.histories.at_first,
        threads=series.threads_left if leaves_threads(state) else 0,
        collecting=series.collecting,
        most_traced=TRACED.most_jobs(state.plan.jobs_per_s, state.left_s()),
        at_most=math.inf if whole is None else max(whole.high, 0.0),
    )
    seen = series.growth if series.counted_at[-1:] == series.jobs[-1:] else None
    try:
        return state.look(lambda: name_holders(state.process, grown, drive=drive, seen=seen))
    except Regrouped:
        state.notes.append(Note(NoteKind.REGROUPED, {"times": state.regrouped + 1}))
        return None
