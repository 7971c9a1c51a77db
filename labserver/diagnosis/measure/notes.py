"""What a reader should know beside the verdict: how it was measured, and what may not have shown."""

from collections.abc import Iterator

from labserver.diagnosis.fact import Fact, Note, NoteKind, PartKind
from labserver.diagnosis.measure.next_step import next_step
from labserver.diagnosis.measure.state import CheckState
from labserver.diagnosis.verdict import Verdict


def note_circumstances(state: CheckState) -> None:
    """Add the notes that depend on the decision."""
    state.notes += state.decision.notes
    state.notes += _of_the_processes(state)
    state.notes += _of_the_jobs(state)
    if state.series.meter == "traced":
        state.notes.append(Note(NoteKind.TRACED))
    state.notes += _of_the_verdict(state)


def _of_the_processes(state: CheckState) -> Iterator[Note]:
    pids = state.process.pids
    if len(pids) > 1:
        yield Note(NoteKind.TOGETHER, {"processes": len(pids), "pids": ", ".join(map(str, pids))})
    if state.regrouped and state.decision.verdict is not Verdict.INCONCLUSIVE:
        yield Note(NoteKind.REGROUPED, {"times": state.regrouped})


def leaves_threads(state: CheckState) -> bool:
    """Whether the jobs have left more threads behind than a pool starts."""
    telling, series = state.heuristics.telling, state.series
    least = max(telling.fewest_threads, telling.thread_share * series.jobs[-1]) if series.jobs else 1
    return series.threads_left >= least


def _of_the_jobs(state: CheckState) -> Iterator[Note]:
    jobs, failed = state.counted.jobs, state.counted.errors
    if failed:
        why = str(state.counted.first_failure)
        yield Note(NoteKind.JOBS_FAILED, {"failed": failed, "jobs": jobs, "share": failed / max(jobs, 1), "why": why})
    if leaves_threads(state) and state.decision.verdict is not Verdict.LEAK:
        yield Note(NoteKind.THREADS_LEFT, {"threads": state.series.threads_left, "jobs": jobs})


def _of_the_verdict(state: CheckState) -> Iterator[Note]:
    jobs, decision = state.counted.jobs, state.decision
    if decision.verdict is Verdict.NO_LEAK:
        yield from _rises(state)
    if decision.verdict is Verdict.NO_LEAK and jobs:
        yield Note(NoteKind.MAY_HIDE, {"jobs": max(int(jobs / state.heuristics.telling.hides), 1)})
    if decision.reason is not None:
        yield Note(NoteKind.UNDECIDED, {"jobs": jobs, "reason": decision.reason})
        if (kept := state.series.largest) is not None:
            yield Note(NoteKind.MOST_HELD, {"path": kept.path, "items": kept.items})
        if (step := next_step(state)) is not None:
            yield step


def _rises(state: CheckState) -> Iterator[Note]:
    """Growth that is sure, and within the tolerance, with its holder."""
    interval, tolerance = state.decision.interval, state.rules.tolerance
    if interval is None or interval.low <= 0 or interval.estimate < state.heuristics.telling.rising * tolerance:
        return
    kept = next(iter(state.series.suspects()), None)
    by = Fact(PartKind.NOBODY) if kept is None else Fact(PartKind.BY, {"path": kept.path})
    yield Note(NoteKind.RISES, {"per_job": interval.estimate, "tolerance": tolerance, "by": by})
