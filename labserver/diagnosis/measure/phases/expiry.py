"""The challenge by time: what has grown may go away by itself, as results do that live for a while."""

from dataclasses import replace

from labserver.diagnosis.fact import Note, NoteKind, Reason, ReasonKind
from labserver.diagnosis.measure.cycles import run_cycles
from labserver.diagnosis.measure.state import CheckState
from labserver.diagnosis.verdict import Verdict


def wait_for_expiry(state: CheckState) -> None:
    """Leave the application alone; where memory goes down again, measure anew with that wait before each floor."""
    if not _may_expire(state):
        return
    expires_s = _time_to_fall(state)
    if expires_s is None:
        return
    floors, plan, expiry = state.floors, state.plan, state.heuristics.expiry
    floors.settle_s = expires_s + expiry.margin_s
    affordable = (state.left_s() - floors.settle_s) / (plan.cycle_s + floors.settle_s)
    if affordable < expiry.fewest_floors * plan.floors:
        why = Reason(ReasonKind.EXPIRES, {"seconds": expires_s})
        state.decision = state.decision.undecided(why)
        return
    state.notes.append(Note(NoteKind.EXPIRED, {"seconds": expires_s}))
    state.plan = replace(plan, cycle_s=plan.cycle_s + floors.settle_s)
    state.decision = run_cycles(state)


def _may_expire(state: CheckState) -> bool:
    """Whether there is growth that nobody has explained, and nobody has said how long a result lives."""
    if state.decision.fills or state.decision.verdict is Verdict.NO_LEAK:
        return False
    if state.options.settle or not state.process.instrumented or _nothing_removes(state):
        return False
    if not state.process.acts_by_itself:
        return False
    return state.series.grown > state.heuristics.coarseness.seen_noise * state.rules.noise_bytes


def _nothing_removes(state: CheckState) -> bool:
    """Whether all code around what has grown was seen, and none of it lets go of anything."""
    seen = [one.removal for one in state.series.suspects()]
    return bool(seen) and all(one is not None and one.seen and one.by is None for one in seen)


def _time_to_fall(state: CheckState) -> float | None:
    """Seconds after which what grew goes away without any load, if it does."""
    expiry, driver, grown = state.heuristics.expiry, state.driver, state.series.grown
    driver.name("waiting for what may expire")
    began, top = driver.seconds(), state.floors.last
    patience_s, least, fell_at = min(expiry.patience_s, expiry.patience_share * state.left_s()), top, None
    while (waited_s := driver.seconds() - began) < patience_s:
        driver.rest(expiry.step_s)
        state.floors.take(settle_s=0)
        if state.floors.last < least - expiry.step_falls * grown:
            least, fell_at = state.floors.last, driver.seconds() - began
            # A sweep frees at intervals: what fell once is given as long again, and a second.
            patience_s = min(max(patience_s, 2 * waited_s + 1), expiry.longest_s)
    return fell_at if fell_at is not None and top - least > expiry.falls * grown else None
