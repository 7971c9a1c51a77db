"""Cycles of jobs with a floor after each, until the floors are sure of one answer."""

import time

from labserver.diagnosis.decide.decision import TIMING, Decision
from labserver.diagnosis.fact import Reason, ReasonKind, said
from labserver.diagnosis.measure.state import CheckState
from labserver.diagnosis.verdict import Verdict
from labserver.targets.instrumented import Regrouped

_FOR_A_CHALLENGE = {
    ReasonKind.MAY_BE_A_CACHE,
    ReasonKind.SLOWS_DOWN,
    ReasonKind.LETS_GO,
    ReasonKind.COMES_BACK,
    ReasonKind.COUNTED_BUT_MAY_BE_NONE,
}


def run_cycles(state: CheckState, *, filled: bool = False) -> Decision:
    """Measure from the first floor on, and decide.

    Args:
        state: of the check; its series begins anew.
        filled: whether what declares a bound had the jobs to reach it. What is emptied when it is full still grows
            up to that once more: only beyond it is the bound none.
    """
    driver, plan = state.driver, state.plan
    decision, again = _begin(state), state.heuristics.cycles.begin_again
    while decision.verdict is Verdict.INCONCLUSIVE and not _is_over(state):
        if not filled and (decision.fills or _is_for_a_challenge(state, decision)):
            break
        if again and _began_high(state):
            decision, again = _begin(state), again - 1
        driver.drive(min(plan.cycle, plan.jobs - driver.jobs))
        state.series.add(driver.jobs, state.floors.take())
        decision = _decide(state, final=_is_over(state))
        driver.interval = decision.interval
        driver.say()
    return decision


def _begin(state: CheckState) -> Decision:
    """Take the first floor, and remember the heap as it is then."""
    state.begin_series()
    state.driver.begin("measuring")
    reading = state.floors.take()
    if state.can_look:
        _begin_counting(state)
        reading = state.floors.take()
    state.series.add(0, reading)
    return state.series.decide(final=False)


def _began_high(state: CheckState) -> bool:
    """Whether memory has fallen far below the first floor: what was full then has gained nothing, so it has no name."""
    series = state.series
    far = state.heuristics.cycles.far * state.rules.noise_bytes
    fell = series.floors[0] - series.floors[-1] > far
    return state.can_look and fell and len(series.jobs) > TIMING.first_floors and not series.suspects()


def last_word(state: CheckState) -> Decision:
    """What can be said when the seconds are over; a cycle that was cut short counts, too."""
    series = state.series
    if series.jobs and not state.floors.settle_s and state.driver.jobs > series.jobs[-1]:
        try:
            series.add(state.driver.jobs, state.floors.read())
            return _decide(state, final=True)
        except Regrouped:
            return of_others(state)
    return series.decide(final=True, counted=False)


def of_others(state: CheckState) -> Decision:
    """What can be said where others serve before there is an answer: they have nothing to be compared with."""
    state.can_look = False
    decision = state.series.decide(final=True, counted=False)
    if decision.verdict is Verdict.NO_LEAK:
        return decision
    return decision.undecided(Reason(ReasonKind.REPLACED, {"times": state.regrouped, "jobs": state.driver.jobs}))


def _begin_counting(state: CheckState) -> None:
    """Take the baseline, and count once: what a first look itself imports and keeps is no growth."""
    baseline = state.look(lambda: state.process.baseline(stall_ms=state.options.stall_ms or 0.0))
    state.notes += () if baseline is None else said(*baseline.notes)
    began = time.monotonic()
    growth = state.look(state.process.growth)
    state.count_s = time.monotonic() - began
    if growth is not None:
        state.series.begin_counting(growth)


def _is_for_a_challenge(state: CheckState, decision: Decision) -> bool:
    """Whether it grows, and only more jobs can tell whether that ends: those of a challenge come quicker."""
    kind = None if decision.reason is None else decision.reason.kind
    figures = state.heuristics.cycles
    telling = figures.telling_jobs * (figures.fast_share if state.options.fast else 1.0)
    return kind in _FOR_A_CHALLENGE and state.series.jobs[-1] >= telling


def _is_over(state: CheckState) -> bool:
    plan, floors = state.plan, len(state.series.jobs)
    return state.driver.jobs >= plan.jobs or floors >= plan.floors or state.left_s() < plan.cycle_s


def _decide(state: CheckState, *, final: bool) -> Decision:
    """Decide; count what the holders have gained where that is due, or the answer depends on it."""
    if state.can_look and (len(state.series.jobs) - 1) % state.heuristics.counting.every_floors == 0:
        count_holders(state)
    decision = state.series.decide(final=final)
    if decision.wants_counts and (final or _is_count_due(state)):
        count_holders(state)
        decision = state.series.decide(final=final)
    return decision


def _is_count_due(state: CheckState) -> bool:
    """Not at each floor where a graph of the heap takes seconds."""
    counting, counted = state.heuristics.counting, state.series.counted_at
    return state.count_s < counting.quick_s or not counted or state.series.jobs[-1] >= counting.later * counted[-1]


def count_holders(state: CheckState) -> None:
    """Count what the holders have gained by the last floor, where looks succeed."""
    if (growth := state.look(state.process.growth)) is not None:
        state.series.count(growth)
