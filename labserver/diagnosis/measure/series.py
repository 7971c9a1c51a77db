"""What a check has read so far: floors, and what the holders have gained at some of them."""

from dataclasses import dataclass, replace

from labserver.diagnosis.decide.decision import Decision, decide, grounded
from labserver.diagnosis.decide.evidence import Evidence, Gain
from labserver.diagnosis.decide.rules import Rules
from labserver.diagnosis.fact import Note, NoteKind, Reason, ReasonKind
from labserver.diagnosis.measure.heuristics import Heuristics
from labserver.diagnosis.measure.rules import mapped_rules
from labserver.diagnosis.verdict import Verdict
from labserver.heap.wire import FloorReading, HeapGrowth, MemoryMeter
from labserver.stats.interval import Interval, bytes_per_job

THREADS = "threads that still run"
GARBAGE = "garbage in cycles"


class Series:
    """Floors and counts since the measuring began.

    Args:
        rules: what counts as a leak.
        heuristics: what coarse readings and counts are believed to say.
        countable: whether holders can be counted at all.
    """

    def __init__(self, rules: Rules, heuristics: Heuristics, *, countable: bool = True) -> None:
        self._rules = rules
        self._mapped_rules = mapped_rules(rules, heuristics.coarseness)
        self._counting = heuristics.counting
        self._least_growth = heuristics.coarseness.seen_noise * rules.noise_bytes
        self._countable = countable
        self.jobs: list[int] = []
        self.meter = "both"
        self.collecting = True
        self.growth: HeapGrowth | None = None
        self.counted_at: list[int] = []
        self._heap: list[int] = []
        self._mapped: list[int] = []
        self._with_pages = False
        self._threads: list[int] = []
        self._at_first: dict[str, _Items] = {}
        self._bytes_at_first: int | None = None
        self._kept: dict[str, Gain] = {}

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
        self.counted_at.append(self.jobs[-1])
        gains = {name: item.less(self._at_first.get(name)) for name, item in self._items(growth).items()}
        self._kept = {name: self._continued(name, gained) for name, gained in gains.items() if gained.count > 0}

    def stop_counting(self) -> None:
        """From now on the floors alone count: the heap cannot be looked at any more."""
        self._countable = False

    def begin_counting(self, growth: HeapGrowth) -> None:
        """What the holders seem to have gained before there was any job: what a look at the heap itself brings."""
        self._at_first = self._items(growth)
        self._bytes_at_first = growth.bytes

    def _items(self, growth: HeapGrowth) -> dict[str, "_Items"]:
        items = {
            one.fingerprint: _Items(one.path, one.buffers, one.growth_bytes, one.bound)
            for one in growth.holders
            if one.buffers > 0
        }
        if not self.collecting and growth.garbage.objects:
            items[GARBAGE] = _Items(GARBAGE, growth.garbage.objects, growth.garbage.bytes)
        return items

    def _continued(self, name: str, gained: "_Items") -> Gain:
        before = dict(zip(self._kept[name].jobs, self._kept[name].counts, strict=True)) if name in self._kept else {}
        counts = [before.get(jobs, 0) for jobs in self.counted_at[:-1]]
        size = gained.bytes / gained.count
        return Gain(gained.path, tuple(self.counted_at), (*counts, gained.count), size, gained.bound)

    @property
    def floors(self) -> list[int]:
        """Bytes at each floor, with the memory that is mapped directly where that is what grows."""
        if not self._with_pages:
            return self._heap
        return [heap + pages for heap, pages in zip(self._heap, self._mapped, strict=True)]

    @property
    def objects_per_job(self) -> float | None:
        """Bytes of Python's objects that came with each job, from the last look at the heap; None without one."""
        gained = None if self.growth is None else self.growth.bytes
        if gained is None or self._bytes_at_first is None or not self.counted_at[-1]:
            return None
        return float(gained - self._bytes_at_first) / self.counted_at[-1]

    @property
    def threads_left(self) -> int:
        """Threads beyond those of the first floor."""
        return self._threads[-1] - self._threads[0] if self._threads else 0

    @property
    def grown(self) -> int:
        """Bytes since the first floor."""
        return self.floors[-1] - self.floors[0] if self.floors else 0

    def decide(self, *, final: bool, counted: bool = True) -> Decision:
        """What the series says.

        Args:
            final: whether nothing more will come.
            counted: whether to go by the holders' counts, and ask for new ones.
        """
        kept = tuple(self._kept.values()) + self._started_threads() if self._countable and counted else None
        counted_at = self.counted_at[-1] if self.counted_at else -1
        decision = decide(Evidence(self.jobs, self._heap, kept, counted_at, final), self._rules)
        by_bytes = decision.interval is not None and decision.interval.low > self._rules.tolerance
        if decision.wants_counts or (decision.verdict is Verdict.LEAK and by_bytes):
            return decision
        return self._with_mapped(decision, final=final)

    def whole(self) -> Interval:
        """Bytes per job over all floors, at least three."""
        noise, confidence = self._rules.noise_bytes, self._rules.confidence
        return bytes_per_job(self.jobs, self.floors, confidence=confidence, noise_bytes=noise)

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
            return grounded(Decision(Verdict.LEAK, self.whole(), notes=(*decision.notes, note)))
        if decision.verdict is Verdict.NO_LEAK:
            return Decision(Verdict.INCONCLUSIVE, decision.interval, Reason(ReasonKind.MAPPED_GROWS))
        return decision

    def mapped(self, *, final: bool = True) -> Decision | None:
        """What the memory that is mapped directly says; None where it is not read."""
        if len(self._mapped) != len(self.jobs):
            return None
        return decide(Evidence(self.jobs, self._mapped, None, 0, final), self._mapped_rules)

    @property
    def largest(self) -> Gain | None:
        """The holder that has gained most by the last look at the heap, where that is most of the growth."""
        kept = max(self._kept.values(), key=lambda kept: kept.gained_bytes, default=None)
        growth = max(self.grown, self._least_growth)
        return kept if kept is not None and kept.gained_bytes >= self._counting.explained * growth else None

    def filling(self) -> tuple[str, int] | None:
        """The cache whose declared bound is not reached yet, and that bound, if the growth is mostly its."""
        holders = () if self.growth is None else self.growth.holders
        bounded = [(one, one.bound) for one in holders if one.bound is not None and 0 < one.buffers <= one.bound]
        if not bounded or sum(one.growth_bytes for one, _ in bounded) < self._counting.explained * self.grown:
            return None
        return bounded[0][0].holder, max(bound for _, bound in bounded)


@dataclass(frozen=True, slots=True)
class _Items:
    """What a holder has gained: how many items, and their bytes."""

    path: str
    count: int
    bytes: int
    bound: int | None = None

    def less(self, first: "_Items | None") -> "_Items":
        """The same without what was gained already at first."""
        return self if first is None else replace(self, count=self.count - first.count, bytes=self.bytes - first.bytes)
