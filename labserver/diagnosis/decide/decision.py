"""Whether floors against finished jobs are a leak, asked again after every few floors until one answer is sure.

Two channels. The bytes: a slope with an interval, the risk of a false alarm shared out over the looks. The counts: what
each holder keeps more than at the first floor, which are whole numbers without noise. The bytes cannot tell a leak
from a cache that takes thousands of jobs to fill, nor see what one job in a hundred keeps; the counts can.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from labserver.diagnosis.decide.steadiness import (
    SLOWEST_FILL_JOBS,
    TELLING_JOBS,
    Course,
    Kept,
    Line,
    course_of_counts,
    course_of_floors,
    goes_on,
    line,
    most_per_job,
)
from labserver.diagnosis.fact import Note, NoteKind, Reason, ReasonKind
from labserver.diagnosis.verdict import Verdict
from labserver.stats.interval import Interval, bytes_per_job
from labserver.stats.student import t_quantile

FIRST_LOOK = 9
EVERY = 2
RECENT = 10
# A floor of a small application differs by a connection's buffer or two; measured: tests/bench/verdict_noise.json.
NOISE_BYTES = 2048.0
LARGE_BYTES = 1024
"""An item of a holder from this size on counts in the second channel; smaller ones where all are a leak's worth."""

_RISK = 1e-3
_FEW_FLOORS = 4
_FEW_JOBS = 100
_LAST = 4
_STEPS = 2  # imports, a table that is doubled: so many jumps of any height are no leak
_EXPLAINED = 0.5
_FELL = 0.25
_AS_STRAIGHT = 1.5
_BENT = 3.0
_LEAST_ITEMS = 6
_RARE_JOBS = 500
_RARE = 0.05
_SHARE_OF_TOLERANCE = 0.25


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as a leak, and how good the readings are.

    Attributes:
        tolerance: bytes per job below which growth is of no interest.
        confidence: of the interval that is reported; the decision itself takes a stricter one.
        noise_bytes: the least standard deviation that a floor is believed to have.
        slowest_fill_jobs: growth without a holder that can be counted is a leak if no cache of random keys with a time
            constant up to this many jobs fills as steadily.
        risk: of a slope's interval that misses it, over all looks.
    """

    tolerance: float = 256.0
    confidence: float = 0.99
    noise_bytes: float = NOISE_BYTES
    slowest_fill_jobs: float = SLOWEST_FILL_JOBS
    risk: float = _RISK


@dataclass(frozen=True, slots=True)
class Evidence:
    """What has been read so far.

    Attributes:
        jobs: finished jobs at each floor.
        floors: bytes at each floor.
        kept: what each holder has gained; None where nobody can count it.
        counted_at: finished jobs at the last count.
        final: whether there will be no more floors.
    """

    jobs: Sequence[int]
    floors: Sequence[float]
    kept: tuple[Kept, ...] | None = None
    counted_at: int = 0
    final: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What the evidence says.

    Attributes:
        verdict: `INCONCLUSIVE` means: go on, if there is time.
        interval: bytes per job at the confidence asked for; None for fewer than three floors.
        reason: why it is inconclusive; None where it is not.
        wants_counts: the answer depends on what the holders have gained by now; ask, and decide again.
        fills: the growth is that of a holder that declares a bound and has not reached it.
        notes: what should be known beside the verdict.
    """

    verdict: Verdict
    interval: Interval | None
    reason: Reason | None = None
    wants_counts: bool = False
    fills: bool = False
    notes: tuple[Note, ...] = ()


def decide(evidence: Evidence, rules: Rules) -> Decision:
    """Decide, or say why not yet."""
    return grounded(_Look(evidence, rules).decide())


def grounded(decision: Decision, otherwise: Reason = Reason(ReasonKind.MAY_BE_NONE)) -> Decision:  # noqa: B008 - frozen
    """The same decision, unless it is a leak whose interval covers 0: growth that may be none is undecided.

    Args:
        decision: what the evidence says.
        otherwise: why it is undecided where it is.
    """
    interval = decision.interval
    if decision.verdict is not Verdict.LEAK or (interval is not None and interval.low > 0):
        return decision
    return Decision(Verdict.INCONCLUSIVE, interval, otherwise)


class _Look:
    """One look at the evidence."""

    def __init__(self, evidence: Evidence, rules: Rules) -> None:
        self._evidence = evidence
        self._rules = rules
        self._jobs, self._floors = evidence.jobs, evidence.floors
        self._n = len(evidence.floors)
        look = max(self._n - FIRST_LOOK, 0) // EVERY + 1
        # All looks together do not exceed the risk, so that looking often does not make a false alarm more likely.
        self._risk = rules.risk / (look * (look + 1))
        self._doubts: tuple[Note, ...] = ()

    def decide(self) -> Decision:
        n, final = self._n, self._evidence.final
        if n < 3:
            return Decision(Verdict.INCONCLUSIVE, None, Reason(ReasonKind.NO_SLOPE, {"floors": n}))
        if n < (_FEW_FLOORS if final else FIRST_LOOK) or (not final and (n - FIRST_LOOK) % EVERY):
            few = Reason(ReasonKind.FEW_FLOORS, {"floors": n, "least": FIRST_LOOK})
            return Decision(Verdict.INCONCLUSIVE, self._interval(0), few)
        whole, recent = self._line(0), self._line(max(n - RECENT, 0))
        start = self._grows_from(whole, recent)
        comes_back = start is not None and self._only_comes_back(start)
        if start is not None and not comes_back:
            return self._growing(start)
        if self._is_quiet(whole, recent):
            return self._quiet(0 if whole.high < self._rules.tolerance else n - RECENT)
        interval = self._interval(0 if comes_back else self._begins(0))
        why = ReasonKind.SPANS_TOLERANCE
        if self._rules.tolerance not in interval:  # what decides is stricter, and leaves the highest steps out
            why = ReasonKind.NEAR_TOLERANCE
        if comes_back:
            why = ReasonKind.COMES_BACK
        return self._counted(Decision(Verdict.INCONCLUSIVE, interval, Reason(why)))

    def _grows_from(self, whole: Line, recent: Line) -> int | None:
        """The floor from which on memory grows by more than the tolerance; None where it is not sure that it does."""
        late = recent.low > self._rules.tolerance and self._without_steps(self._n - RECENT)
        # A leak that began late bends the line over all floors; the recent ones know its slope better.
        if late and recent.deviation < whole.deviation / 2:
            return self._as_straight_as(recent)
        if whole.low > self._rules.tolerance and self._without_steps(0) and recent.slope > self._rules.tolerance:
            return 0
        return self._as_straight_as(recent) if late else None

    def _only_comes_back(self, start: int) -> bool:
        """Whether memory fell, and has risen since to little more than it was: what is emptied when it is full."""
        peak = top = bottom = self._floors[0]
        fall = 0.0
        for floor in self._floors:
            top = max(top, floor)
            if top - floor > fall:
                fall, peak, bottom = top - floor, top, floor
        last = self._floors[-1]
        return fall > _FELL * (last - self._floors[start]) and last - peak < _FELL * (last - bottom)

    def _as_straight_as(self, recent: Line) -> int:
        """The first floor from which on all lie on one line as well as the recent ones do."""
        start = max(self._n - RECENT, 0)
        while start > 0 and self._line(start - 1).deviation <= _AS_STRAIGHT * recent.deviation:
            start -= 1
        return start

    def _begins(self, start: int) -> int:
        """The floor from which on a leak that began late is straight; the start, where it did not begin late."""
        first = self._n - _LAST
        last = self._line(first)
        if first <= start or self._line(start).deviation <= _BENT * last.deviation:
            return start
        while first > start and self._line(first - 1).deviation <= _AS_STRAIGHT * last.deviation:
            first -= 1
        rise = (self._floors[first] - self._floors[start]) / max(self._jobs[first] - self._jobs[start], 1)
        return first if rise < last.slope / 2 else start

    def _without_steps(self, start: int) -> bool:
        """Whether the growth is more than the tolerance also without its highest steps."""
        start = max(start, 0)
        floors, jobs = self._floors[start:], self._jobs[start:]
        rises = sorted(after - before for before, after in itertools.pairwise(floors))
        rest = rises[:-_STEPS]
        if not rest:
            return False
        return sum(rest) > self._rules.tolerance * (jobs[-1] - jobs[0]) * len(rest) / len(rises)

    def _growing(self, start: int) -> Decision:
        kept, interval = self._evidence.kept, self._interval(self._begins(start))
        course, why = Course.UNSURE, Reason(ReasonKind.MAY_BE_A_CACHE)
        if kept is not None:
            if self._evidence.counted_at < self._jobs[-1]:
                return Decision(Verdict.INCONCLUSIVE, interval, why, wants_counts=True)
            course = self._course_of_holders(interval.estimate)
        if kept is None or course is Course.UNKNOWN:
            course = self._course_of_floors(start)
            if course is Course.UNSURE and self._evidence.final and self._jobs[-1] < _FEW_JOBS:
                return Decision(Verdict.LEAK, interval, notes=(Note(NoteKind.FEW_JOBS),))
        if course is Course.STEADY:
            few = self._jobs[-1] < TELLING_JOBS
            if few and not self._evidence.final:
                return Decision(Verdict.INCONCLUSIVE, interval, Reason(ReasonKind.FEW_JOBS))
            return Decision(Verdict.LEAK, interval, notes=((Note(NoteKind.FEW_JOBS),) if few else ()) + self._doubts)
        if course is Course.FILLING:
            return Decision(Verdict.INCONCLUSIVE, interval, Reason(ReasonKind.FILLS), fills=True)
        if course is Course.SLOWING:
            why = Reason(ReasonKind.SLOWS_DOWN)
        return Decision(Verdict.INCONCLUSIVE, interval, why)

    def _course_of_floors(self, start: int) -> Course:
        """How the bytes develop, since the start or, where an import came in between, in the later half."""
        course = Course.UNSURE
        for first in (start, (start + self._n) // 2):
            course = course_of_floors(
                self._jobs[first:],
                self._floors[first:],
                noise=self._rules.noise_bytes,
                slowest_fill_jobs=self._rules.slowest_fill_jobs,
                final=self._evidence.final,
            )
            if course is not Course.UNSURE:
                break
        return course

    def _course_of_holders(self, per_job: float) -> Course:
        """How what the holders keep develops, if they explain the growth."""
        jobs = self._jobs[-1]
        explained, courses = 0.0, []
        for kept in sorted(self._evidence.kept or (), key=lambda kept: kept.gained_bytes, reverse=True):
            explained += kept.gained_bytes
            # Where it is the items that grow, such as a buffer that is written to, their number says nothing.
            counted = kept.counts[-1] >= _LEAST_ITEMS or kept.is_filling
            courses.append(self._course(kept) if counted else Course.UNKNOWN)
            if explained >= _EXPLAINED * per_job * jobs:
                break
        # A late leak's holders explain its growth since it began, not that of all jobs.
        if not courses or explained < _EXPLAINED * min(per_job * jobs, self._floors[-1] - self._floors[0]):
            return Course.UNKNOWN
        for course in (Course.FILLING, Course.SLOWING, Course.UNSURE, Course.UNKNOWN):
            if course in courses:
                return course
        return Course.STEADY

    def _is_quiet(self, whole: Line, recent: Line) -> bool:
        """Whether memory stays below the tolerance, the last jobs included: a leak may begin late."""
        tolerance, jobs, floors = self._rules.tolerance, self._jobs, self._floors
        long_enough = self._n > RECENT and recent.high < tolerance
        if not (whole.high < tolerance or long_enough):
            return False
        before = line(jobs[:-2], floors[:-2], noise=self._rules.noise_bytes, quantile=_NORMAL).deviation
        last = self._last(before if whole.high < tolerance else min(before, recent.deviation))
        jump = max(tolerance * (jobs[-1] - jobs[-2]), _NORMAL * before)
        return last.high < tolerance and floors[-1] - floors[-2] < jump

    def _last(self, deviation: float) -> Line:
        """The line over as few of the last floors as can tell the tolerance from nothing."""
        for n in range(_LAST, self._n + 1):
            last = line(self._jobs[-n:], self._floors[-n:], noise=deviation, quantile=_NORMAL)
            if last.high - last.low < 1.5 * self._rules.tolerance:
                break
        return last

    def _quiet(self, start: int) -> Decision:
        interval = self._interval(start)
        if self._evidence.kept is not None and self._evidence.counted_at < self._jobs[-1]:
            return Decision(Verdict.INCONCLUSIVE, interval, Reason(ReasonKind.NOT_COUNTED), wants_counts=True)
        return self._counted(Decision(Verdict.NO_LEAK, interval))

    def _counted(self, otherwise: Decision) -> Decision:
        """The second channel: items that are kept for ever, where too few or too much noise keep the bytes unsure."""
        jobs = self._jobs[-1]
        least = _SHARE_OF_TOLERANCE * self._rules.tolerance
        # Many small ones that the bytes do not show have taken the place of others.
        many = math.inf if otherwise.verdict is Verdict.NO_LEAK else self._rules.tolerance * jobs
        suspects = [
            kept
            for kept in self._evidence.kept or ()
            if kept.counts[-1] > 0
            and (kept.item_bytes >= LARGE_BYTES or kept.gained_bytes >= many)
            and not kept.is_filling
            and most_per_job(kept, jobs) * kept.item_bytes >= least
        ]
        notes = []
        for kept in suspects:
            course = self._course(kept)
            gained: dict[str, str | float] = {"path": kept.path, "items": kept.counts[-1], "jobs": jobs}
            enough = kept.counts[-1] >= _LEAST_ITEMS and kept.gained_bytes >= least * jobs
            if enough and course is Course.STEADY:
                found = (Note(NoteKind.FOUND_BY_COUNTING, gained), *self._doubts)
                leak = Decision(Verdict.LEAK, otherwise.interval, notes=found)
                return grounded(leak, Reason(ReasonKind.COUNTED_BUT_MAY_BE_NONE, gained))
            if course is not Course.SLOWING:
                notes.append(Note(NoteKind.GAINED, gained | {"item_bytes": kept.item_bytes}))
        if notes and otherwise.verdict is Verdict.NO_LEAK and not self._evidence.final:
            return Decision(Verdict.INCONCLUSIVE, otherwise.interval, Reason(ReasonKind.FEW_LARGE_ITEMS))
        if otherwise.verdict is Verdict.NO_LEAK:
            return Decision(otherwise.verdict, otherwise.interval, notes=tuple(notes))
        return otherwise

    def _course(self, kept: Kept) -> Course:
        """How a holder's items develop; of a handful of items no trend is sure, so it is enough that they go on."""
        jobs = self._jobs[-1]
        course = course_of_counts(kept, jobs, final=self._evidence.final)
        few = _LEAST_ITEMS <= kept.counts[-1] < _RARE * jobs and jobs >= _RARE_JOBS
        if course is Course.UNSURE and few and goes_on(kept):
            # Of undeclared caches of random keys that 1 to 5 % of the jobs use, one in seven is taken for a leak
            # (tests/bench/verdict_simulate.py, seldom).
            self._doubts = (Note(NoteKind.FEW_ITEMS),)
            return Course.STEADY
        return course

    def _line(self, start: int) -> Line:
        jobs, floors = self._jobs[start:], self._floors[start:]
        quantile = t_quantile(1 - self._risk / 2, len(jobs) - 2)
        return line(jobs, floors, noise=self._rules.noise_bytes, quantile=quantile)

    def _interval(self, start: int) -> Interval:
        rules = self._rules
        jobs, floors = self._jobs[start:], self._floors[start:]
        return bytes_per_job(jobs, floors, confidence=rules.confidence, noise_bytes=rules.noise_bytes)


_NORMAL = 3.5
