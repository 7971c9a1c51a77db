"""What to run next where a check is undecided: the one option that is most likely to bring the answer."""

from collections.abc import Callable

from labserver.diagnosis.fact import Note, NoteKind, ReasonKind
from labserver.diagnosis.measure.options import MeasureOptions
from labserver.diagnosis.measure.state import CheckState

_LONGER = 3
_NEAR = 0.5  # tolerances: an interval narrower than that will hardly get away from the tolerance


def next_step(state: CheckState) -> Note | None:
    """The option to give, with its value; None where the verdict is sure, or no option helps."""
    reason = state.decision.reason
    step = None if reason is None else _STEPS.get(ReasonKind(reason.kind))
    if step is None or any(note.kind is NoteKind.NEXT for note in state.notes):
        return None
    option, value = step(state)
    return Note(NoteKind.NEXT, {"option": option, "value": value})


def _seconds(state: CheckState) -> tuple[str, int]:
    return "--max-seconds", int(_LONGER * state.options.max_seconds)


def _challenge(state: CheckState) -> tuple[str, int]:
    if state.left_s() < state.options.challenge_seconds:
        return _seconds(state)
    if state.series.jobs and state.series.jobs[-1] >= state.options.challenge:
        return "--challenge", max(_LONGER * state.options.challenge, MeasureOptions.challenge)
    return "--challenge-seconds", int(_LONGER * max(state.options.challenge_seconds, 1.0))


def _jobs(state: CheckState) -> tuple[str, int]:
    if state.left_s() < 1:
        return _seconds(state)
    return "--max-jobs", _LONGER * max(state.options.max_jobs, 300)


def _sharper(state: CheckState) -> tuple[str, int]:
    """A tolerance on the side of the growth on which it is not; more jobs where the interval is wide."""
    interval, tolerance = state.decision.interval, state.rules.tolerance
    if interval is None or interval.high - interval.low > _NEAR * tolerance:
        return _jobs(state)
    return "--tolerance", int(tolerance / 2 if interval.estimate > tolerance else 2 * tolerance)


def _settle(state: CheckState) -> tuple[str, int]:
    reason = state.decision.reason
    seconds = reason.arguments.get("seconds", 0.0) if reason is not None else 0.0
    return "--settle", int(float(str(seconds)) + 1)


_STEPS: dict[ReasonKind, Callable[[CheckState], tuple[str, int]]] = {
    ReasonKind.NO_SLOPE: _seconds,
    ReasonKind.FEW_FLOORS: _seconds,
    ReasonKind.NOT_COUNTED: _seconds,
    ReasonKind.FEW_JOBS: _jobs,
    ReasonKind.SPANS_TOLERANCE: _sharper,
    ReasonKind.NEAR_TOLERANCE: _sharper,
    ReasonKind.COMES_BACK: _challenge,
    ReasonKind.MAY_BE_NONE: _jobs,
    ReasonKind.COUNTED_BUT_MAY_BE_NONE: _jobs,
    ReasonKind.MAY_BE_A_CACHE: _challenge,
    ReasonKind.SLOWS_DOWN: _challenge,
    ReasonKind.FILLS: _challenge,
    ReasonKind.LETS_GO: _challenge,
    ReasonKind.NOT_FULL: _challenge,
    ReasonKind.FEW_LARGE_ITEMS: _jobs,
    ReasonKind.MAPPED_GROWS: _jobs,
    ReasonKind.EXPIRES: _settle,
}
