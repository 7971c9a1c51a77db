"""What was seen of one process under its own traffic, look by look."""

from collections.abc import Callable
from dataclasses import replace

from labserver.diagnosis.decide.observation import Observation
from labserver.diagnosis.decide.observed import Observed, observed
from labserver.diagnosis.fact import Reason, ReasonKind
from labserver.diagnosis.measure.histories import Histories
from labserver.diagnosis.measure.options import MeasureOptions
from labserver.heap.heap_growth import HeapGrowth
from labserver.heap.wire import FinishedJobs, MemoryLimit
from labserver.stats.floor_noise import FLOOR_NOISE

CountOutside = Callable[[], float | None]
"""Gives the jobs that a counter outside of the process has counted; None where it cannot be read just now."""


class ObservedSeries:
    """The looks at one process.

    Args:
        most_bytes: that it may take: a bound beyond them is none.

    Attributes:
        seconds: of each look, since the first one.
        growth: what the last look has seen; None before there is one.
        counted_by: who counts the jobs; empty where nobody does.
        limit: that its memory reaches first; None where nobody told.
        complete: whether all looks have seen the whole heap.
    """

    def __init__(self, most_bytes: float) -> None:
        self.seconds: list[float] = []
        self.growth: HeapGrowth | None = None
        self.counted_by = ""
        self.limit: MemoryLimit | None = None
        self.complete = True
        self._histories = Histories(most_bytes, {})
        self._began = 0.0
        self._jobs: list[int] = []
        self._sizes: list[float] = []
        self._count: int | None = None  # what the counter of jobs said last

    def begin(self, at_s: float, growth: HeapGrowth, jobs: FinishedJobs | None) -> None:
        """The first look: what looking itself brings, and from where on jobs are counted."""
        self._began = at_s
        self._histories.begin(growth, collecting=True)
        self._count, self.counted_by = (None, "") if jobs is None else (jobs.count, jobs.counted_by)
        self.complete = growth.complete

    def add(self, at_s: float, growth: HeapGrowth, jobs: FinishedJobs | None) -> None:
        """A further look.

        Args:
            at_s: on the monotonic clock.
            growth: since the baseline.
            jobs: that were finished by then; None where that could not be read.
        """
        self.seconds.append(at_s - self._began)
        self._jobs.append(self.jobs_done + self._more(jobs))
        self._sizes.append(float((growth.bytes or 0) - growth.garbage.bytes))
        self._histories.add(len(self.seconds), growth, collecting=True)
        self.growth = growth
        self.complete = self.complete and growth.complete

    def _more(self, jobs: FinishedJobs | None) -> int:
        """Jobs since the last look. A counter that has fallen began anew; one that is not read now is read later."""
        if jobs is None or self._count is None:
            return 0
        more = jobs.count - self._count if jobs.count >= self._count else jobs.count
        self._count = jobs.count
        return more

    @property
    def jobs_done(self) -> int:
        """Finished jobs by the last look."""
        return self._jobs[-1] if self._jobs else 0

    @property
    def stands_still(self) -> bool:
        """Whether something is said to count jobs that does not, while holders gain what lasts."""
        return bool(self.counted_by and self._jobs) and not self.jobs_done and self._gains_in_time()

    def _gains_in_time(self) -> bool:
        found = self._observed(replace(self._observation(), jobs=None), tolerance=1.0, confidence=0.99)
        return any(one.rate is not None and one.rate.low > 0 for one in found.holders)

    def observed(self, options: MeasureOptions) -> Observed:
        """What the looks so far say."""
        observation = self._observation()
        if self.stands_still:
            observation = replace(observation, jobs=None)
        found = self._observed(observation, tolerance=options.tolerance, confidence=options.confidence)
        if self.complete:
            return found
        decision = replace(found.decision, interval=None).undecided(Reason(ReasonKind.SEEN_IN_PART))
        return replace(found, decision=decision, holders=(), leaking=())

    @property
    def is_counted(self) -> bool:
        """Whether the answer is held against jobs."""
        return bool(self.counted_by) and not self.stands_still

    def since_s(self, oldest_s: float) -> float:
        """Seconds from the first look to that one which has seen the oldest items first; 0 where it was the next."""
        if not self.seconds:
            return 0.0
        since_s = self.seconds[-1] - oldest_s
        return since_s if since_s > self.seconds[0] else 0.0

    def _observation(self) -> Observation:
        return Observation(
            tuple(self.seconds),
            tuple(self._jobs) if self.counted_by else None,
            tuple(self._sizes),
            self._histories.gains() if self.complete and self.seconds else (),
        )

    @staticmethod
    def _observed(observation: Observation, *, tolerance: float, confidence: float) -> Observed:
        noise = FLOOR_NOISE.own_process
        return observed(observation, tolerance=tolerance, confidence=confidence, noise_bytes=noise)
