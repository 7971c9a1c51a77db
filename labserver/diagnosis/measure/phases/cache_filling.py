"""The challenge by jobs: a cache that declares a bound gets those that it needs to be full."""

from labserver.diagnosis.decide.decision import Decision
from labserver.diagnosis.fact import Note, NoteKind, Reason, ReasonKind
from labserver.diagnosis.measure.cycles import run_cycles
from labserver.diagnosis.measure.driver import TimeIsUp
from labserver.diagnosis.measure.state import CheckState
from labserver.diagnosis.verdict import Verdict


def fill_caches(state: CheckState) -> None:
    """Fill what declares a bound and has not reached it, and measure anew."""
    filling = state.series.filling() if state.decision.fills else None
    if filling is None:
        return
    path, bound = filling
    cache: dict[str, str | float] = {"path": path, "bound": bound}
    if not _fill(state, path, bound):
        why = Reason(ReasonKind.NOT_FULL, cache)
        state.decision = Decision(Verdict.INCONCLUSIVE, state.decision.interval, why, fills=True)
        return
    state.notes.append(Note(NoteKind.FILLED, cache))
    state.decision = run_cycles(state, filled=True)


def _fill(state: CheckState, path: str, bound: int) -> bool:
    """Run the jobs that a cache needs to be full; False where there is no time for so many."""
    driver = state.driver
    if bound > state.plan.jobs:
        return False
    driver.name(f"filling {path} up to its bound of {bound:,}")
    measured, errors = driver.jobs, driver.errors
    try:
        driver.drive(state.heuristics.filling.jobs_an_entry * bound)
    except TimeIsUp:
        driver.jobs, driver.errors = measured, errors  # the verdict rests on those
        return False
    return True
