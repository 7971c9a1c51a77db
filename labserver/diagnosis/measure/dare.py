"""What a suspected holder is dared to show: the jobs and seconds of a challenge, by what speaks for a bound."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labserver.diagnosis.decide.evidence import Gain
from labserver.diagnosis.fact import Note, NoteKind, Reason, ReasonKind
from labserver.diagnosis.measure.notes import leaves_threads
from labserver.diagnosis.measure.state import CheckState
from labserver.diagnosis.verdict import Verdict
from labserver.heap.chain import abridged

_HOPELESS = {ReasonKind.EXPIRES, ReasonKind.NO_SLOPE, ReasonKind.FEW_FLOORS, ReasonKind.NOT_COUNTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dare:
    """What a challenge asks for.

    Attributes:
        jobs: to be run, at most.
        seconds: for them.
        suspects: the holders that explain the growth; empty where none do.
        bound: what the first of them declares to keep at most, where it is to be filled up to that.
        waits: whether the seconds are waited for when the jobs are done: what lets go does so by itself.
        is_little: whether it is less than the options allow, since nothing speaks for a bound.
    """

    jobs: int
    seconds: float
    suspects: tuple[Gain, ...]
    bound: int | None = None
    waits: bool = False
    is_little: bool = False

    @property
    def title(self) -> str:
        """What is done, for the progress."""
        if not self.suspects:
            return "challenging the growth"
        path = abridged(self.suspects[0].path)
        return f"challenging {path}" if self.bound is None else f"filling {path} up to its bound of {self.bound:,}"


def dare_of(state: CheckState, left_s: float) -> Dare | None:
    """What to ask of the growth that the decision is about; None where there is none, or nothing more to be learnt.

    Args:
        state: of the check; gets a note, or another reason, where there is no time.
        left_s: seconds that are left for challenges.
    """
    decision, jobs = state.decision, max(state.series.jobs[-1], 1)
    suspects = _suspects(state)
    if decision.verdict is Verdict.NO_LEAK or (decision.reason is not None and decision.reason.kind in _HOPELESS):
        return None
    if decision.fills:
        return _filling(state, suspects)
    if decision.verdict is Verdict.LEAK and _note_bounds_that_are_none(state, suspects):
        return None
    figures, options = state.heuristics.challenging, state.options
    share = figures.fast_share if options.fast else 1.0
    challenge = state.process.processes * options.challenge  # each process has a holder of that name
    entries = share * (challenge if suspects else min(challenge, figures.unnamed))
    # What has let go of its oldest items once, as what is emptied once a minute, may do so again.
    waits = any((one.removal is not None and one.removal.runs) or one.survival.let_go for one in suspects)
    seconds = left_s * figures.runs if waits else left_s - (1 - share) * options.challenge_seconds
    few = any(note.kind is NoteKind.FEW_ITEMS for note in decision.notes)
    # A thread that still runs is in no cache, and thousands of them would harm.
    speaks_for_a_bound = few or (_may_remove(suspects) and not leaves_threads(state))
    is_little = decision.verdict is Verdict.LEAK and not speaks_for_a_bound
    if is_little:
        entries, seconds = min(entries, share * figures.little), min(seconds, share * figures.little_s)
    per_job = max((one.items / jobs for one in suspects), default=1.0)
    most = figures.filling_share * state.left_s()
    if entries and seconds > 0 and any(one.removal is not None and one.removal.opaque for one in suspects):
        least = min(share * figures.opaque, entries)
        needed = (least / max(per_job, 1.0) - jobs) / state.plan.jobs_per_s
        if needed > most:
            _leave_undecided(state, needed)
            return None
        seconds = max(seconds, needed)
    seconds = min(seconds, most)
    more = min(int(entries / max(per_job, 1.0)) - jobs, figures.most_jobs * options.max_jobs)
    if more <= 0 or seconds <= 0:
        return None
    return Dare(jobs=more, seconds=seconds, suspects=suspects, waits=waits, is_little=is_little)


def _leave_undecided(state: CheckState, needed: float) -> None:
    """A container may evict, for all that anybody can read, and fills too slowly to be seen to.

    Args:
        state: of the check.
        needed: seconds for its challenge.
    """
    state.decision = state.decision.undecided(Reason(ReasonKind.MAY_BE_A_CACHE))
    value = int(state.driver.seconds() + needed / state.heuristics.challenging.filling_share) + 1
    state.notes.append(Note(NoteKind.NEXT, {"option": "--max-seconds", "value": value}))


def _suspects(state: CheckState) -> tuple[Gain, ...]:
    """The holder that was found by counting, or those that explain the growth."""
    counted = [note.arguments["path"] for note in state.decision.notes if note.kind is NoteKind.FOUND_BY_COUNTING]
    found = tuple(gain for gain in state.series.histories.gains() if gain.path in counted)
    return found or state.series.suspects()


def _may_remove(suspects: Sequence[Gain]) -> bool:
    """Whether something may let go of what the suspects hold, by what can be seen of the code around them."""
    seen = [one.removal for one in suspects]
    return not seen or any(one is None or not one.seen or one.by is not None for one in seen)


def _note_bounds_that_are_none(state: CheckState, suspects: Sequence[Gain]) -> bool:
    """Note the first suspect whose declared bound is known to be none: it need not be filled."""
    why = state.series.histories.no_bounds
    found = next((why[one.path] for one in suspects if one.path in why and one.bound is None), None)
    if found is None:
        return False
    state.notes.append(found)
    return True


def _filling(state: CheckState, suspects: Sequence[Gain]) -> Dare | None:
    """The jobs up to a declared bound; None, and undecided, where there is no time for so many."""
    figures, jobs, left_s = state.heuristics.challenging, max(state.series.jobs[-1], 1), state.left_s()
    # Jobs and entries are different units: what fills at ten entries a job is full after a tenth of the jobs.
    needed = {
        one: figures.margin * one.room * jobs / one.items + state.plan.cycle for one in suspects if one.is_filling
    }
    if not needed:
        return None
    cache = max(needed, key=lambda one: needed[one])
    more, bound = int(needed[cache]), cache.bound or 0
    if (in_bytes := state.series.histories.in_bytes.get(cache.path)) is not None and in_bytes[1] == bound:
        state.notes.append(Note(NoteKind.IN_BYTES, {"path": cache.path, "bytes": in_bytes[0], "entries": bound}))
    seconds = more / state.plan.jobs_per_s
    if more <= figures.most_jobs * state.options.max_jobs and seconds <= figures.filling_share * left_s:
        return Dare(jobs=more, seconds=left_s, suspects=(cache,), bound=bound)
    option, value = "--max-jobs", -(-more // figures.most_jobs)
    if seconds > figures.filling_share * left_s:
        option, value = "--max-seconds", int(state.driver.seconds() + seconds / figures.filling_share) + 1
    state.notes.append(Note(NoteKind.NEXT, {"option": option, "value": value}))
    state.decision = replace(state.decision, reason=Reason(ReasonKind.NOT_FULL, {"path": cache.path, "bound": bound}))
    return None
