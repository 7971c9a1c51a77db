"""What a check has read so far: floors, and what the holders have gained at some of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from labserver.diagnosis.decide.decision import Decision, coherent, decide
from labserver.diagnosis.decide.evidence import Evidence, Gain
from labserver.diagnosis.decide.rules import Rules
from labserver.diagnosis.fact import Note, NoteKind, Reason, ReasonKind
from labserver.diagnosis.measure.heuristics import Heuristics
from labserver.diagnosis.measure.histories import Histories
from labserver.diagnosis.measure.rules import mapped_rules
from labserver.diagnosis.verdict import Verdict
from labserver.heap.heap_growth import HeapGrowth
from labserver.heap.wire import FloorReading, MemoryMeter
from labserver.stats.drift import drift
from labserver.stats.interval import Interval

THREADS = "threads that still run"
_SURE = (Verdict.LEAK, Verdict.NO_LEAK)


class Series:
    """Floors and counts since the measuring began.

    Args:
        rules: what counts as a leak.
        heuristics: what coarse readings and counts are believed to say.
        countable: whether holders can be counted at all.
        most_bytes: that the process may take: a bound beyond them is none.
        stopped: the entries at which holders were seen to grow no further, by path.
    """

    def __init__(
        self,
        rules: Rules,
        heuristics: Heuristics,
        *,
        countable: bool = True,
        most_bytes: float = float("inf"),
        stopped: Mapping[str, int] | None = None,
    ) -> None:
        self._rules = rules
        self._mapped_rules = mapped_rules(rules, heuristics.coarseness)
        self._counting = heuristics.counting
        self._least_growth = heuristics.coarseness.seen_noise * rules.noise_bytes
        self._countable = countable
        self.jobs: list[int] = []
        self.meter = "both"
        self.collecting = True
        self.growth: HeapGrowth | None = None
        self._heap: list[int] = []
        self._mapped: list[int] = []
        self._with_pages = False
        self._threads: list[int] = []
        self.histories = Histories(most_bytes, stopped or {})

    def add(self, jobs: int, reading: FloorReading) -> None:
        """A floor."""
        self.meter = "traced" if reading.meter is MemoryMeter.TRACED else "both"
        self.collecting = self.collecting and reading.collecting
        self.jobs.append(jobs)
        self._heap.append(reading.used_bytes)
        self._threads.append(reading.threads)
        if reading.meter is MemoryMeter.HEAP and reading.mapped_bytes is not None:
            self._mapped.append(reading.mapped_bytes)

    def count(self, growth: HeapGrowth) -> None:
        """What the holders have gained by the last floor."""
        self.growth = growth
        self._countable = self._countable and growth.complete  # or two looks are of different parts
        self.histories.add(self.jobs[-1], growth, collecting=self.collecting)

    def stop_counting(self) -> None:
        """From now on the floors alone count: the heap cannot be looked at any more."""
        self._countable = False

    def begin_counting(self, growth: HeapGrowth) -> None:
        """What the holders seem to have gained before there was any job: what a look at the heap itself brings."""
        self.histories.begin(growth, collecting=self.collecting)

    @property
    def counted_at(self) -> list[int]:
        """Finished jobs at each count."""
        return self.histories.jobs

    @property
    def _heap_at_looks(self) -> list[int]:
        """Bytes at the floors that a count went with."""
        at = dict(zip(self.jobs, self._heap, strict=True))
        return [at[jobs] for jobs in self.counted_at]

    @property
    def floors(self) -> list[int]:
        """Bytes at each floor, with the memory that is mapped directly where that is what grows."""
        if not self._with_pages:
            return self._heap
        return [heap + pages for heap, pages in zip(self._heap, self._mapped, strict=True)]

    @property
    def objects_per_job(self) -> float | None:
        """Bytes of Python's objects that came with each job, from the last look at the heap; None without one."""
        return self.histories.objects_per_job

    @property
    def threads_left(self) -> int:
        """Threads beyond those of the first floor."""
        return self._threads[-1] - self._threads[0] if self._threads else 0

    @property
    def grown(self) -> int:
        """Bytes since the first floor."""
        return self.floors[-1] - self.floors[0] if self.floors else 0

    @property
    def most_grown(self) -> int:
        """The most bytes above the first floor at any one."""
        return max(self.floors, default=0) - self.floors[0] if self.floors else 0

    def decide(self, *, final: bool, counted: bool = True) -> Decision:
        """What the series says.

        Args:
            final: whether nothing more will come.
            counted: whether to go by the holders' counts, and ask for new ones.
        """
        gains = self.histories.gains() + self._started_threads() if self._countable and counted else None
        counted_at = self.counted_at[-1] if self.counted_at else -1
        decision = decide(Evidence(self.jobs, self._heap, gains, counted_at, final), self._rules)
        if decision.wants_counts:
            return decision
        if gains is not None and decision.verdict is not Verdict.NO_LEAK:
            decision = self._of_what_lasts(decision, final=final)
        by_bytes = decision.interval is not None and decision.interval.low > self._rules.tolerance
        if decision.verdict is Verdict.LEAK and by_bytes:
            return decision
        return self._with_mapped(decision, final=final)

    def _of_what_lasts(self, otherwise: Decision, *, final: bool) -> Decision:
        """What memory does beside items that their holder is seen to let go of, where it has such; else the same.

        Of a leak, it is the interval that becomes another: what goes again is no part of it, and native memory is.
        """
        passing = self.histories.passing(self._least_growth)
        if not passing or self.counted_at[-1] != self.jobs[-1]:
            return otherwise
        is_leak = otherwise.verdict is Verdict.LEAK
        paths = {gain.path for gain, _ in passing}
        lasting = self.histories.lasting(paths, self._rules.tolerance, self._heap_at_looks if is_leak else None)
        if lasting is None:
            return otherwise
        enough = self._counting.fewest_lasting if final else self._counting.enough_lasting
        if len(lasting.jobs) < enough or (not is_leak and self._native_grows()):
            return otherwise
        decision = decide(lasting, self._rules)
        if decision.verdict is Verdict.INCONCLUSIVE or {decision.verdict, otherwise.verdict} == set(_SURE):
            return otherwise
        notes = tuple(Note(NoteKind.LETS_GO, {"path": gain.path, "most": most}) for gain, most in passing)
        return replace(decision, notes=(*notes, *decision.notes), since=None)

    def _native_grows(self) -> bool:
        """Whether what Python's objects do not account for may grow by more than the tolerance."""
        looks = zip(self.counted_at, self._heap_at_looks, self.histories.object_bytes, strict=True)
        points = [(jobs, memory - size) for jobs, memory, size in looks]
        # Items may come or go between a floor and its look, so a line through all would follow one that is off.
        slopes = sorted(
            (b - a) / (after - before) for i, (before, a) in enumerate(points) for after, b in points[i + 1 :]
        )
        return not slopes or slopes[len(slopes) // 2] > self._rules.tolerance

    def whole(self) -> Interval:
        """Bytes per job over all floors, at least three."""
        noise, confidence = self._rules.noise_bytes, self._rules.confidence
        return drift(self.jobs, self.floors, confidence=confidence, noise_bytes=noise)

    def _started_threads(self) -> tuple[Gain, ...]:
        if self.threads_left < 2:
            return ()
        counts = [count - self._threads[0] for count in self._threads[1:]]
        return (Gain(THREADS, tuple(self.jobs[1:]), tuple(counts), self._counting.thread_bytes),)

    def _with_mapped(self, decision: Decision, *, final: bool) -> Decision:
        """The same decision, unless memory that is mapped directly grows."""
        mapped = self.mapped(final=final)
        if mapped is None or mapped.interval is None or mapped.interval.low <= self._mapped_rules.tolerance:
            return decision
        if Verdict.LEAK in (mapped.verdict, decision.verdict):
            self._with_pages = True
            note = Note(NoteKind.MAPPED_GROWS)
            return coherent(Decision(Verdict.LEAK, self.whole(), notes=(*decision.notes, note)), self._rules.tolerance)
        if decision.verdict is Verdict.NO_LEAK:
            return decision.undecided(Reason(ReasonKind.MAPPED_GROWS))
        return decision

    def mapped(self, *, final: bool = True) -> Decision | None:
        """What the memory that is mapped directly says; None where it is not read."""
        if len(self._mapped) != len(self.jobs):
            return None
        return decide(Evidence(self.jobs, self._mapped, None, 0, final), self._mapped_rules)

    @property
    def largest(self) -> Gain | None:
        """The holder that has gained most by the last look at the heap, where that is most of the growth."""
        kept = max(self.histories.gains(), key=lambda kept: kept.gained_bytes, default=None)
        growth = max(self.grown, self._least_growth)
        return kept if kept is not None and kept.gained_bytes >= self._counting.explained * growth else None

    def suspects(self) -> tuple[Gain, ...]:
        """The holders that together explain the growth by the last look, the largest first; none where they do not."""
        return tuple(self._explaining()) if self._countable else ()

    def _explaining(self) -> Iterator[Gain]:
        explained, gains = 0.0, sorted(self.histories.gains(), key=lambda gain: -gain.gained_bytes)
        if sum(gain.gained_bytes for gain in gains) < self._counting.explained * self.grown:
            return
        for gain in gains:
            yield gain
            explained += gain.gained_bytes
            if explained >= self._counting.explained * self.grown:
                return
