"""What a check has read so far: floors, and what the holders have gained at some of them."""

from typing import Any

from labserver.diagnosis.decide.decision import Decision, decide, grounded
from labserver.diagnosis.decide.evidence import Evidence, Gain
from labserver.diagnosis.decide.rules import Rules
from labserver.diagnosis.fact import Note, NoteKind, Reason, ReasonKind
from labserver.diagnosis.measure.schedule import mapped_rules
from labserver.diagnosis.verdict import Verdict
from labserver.stats.interval import Interval, bytes_per_job

THREADS = "threads that still run"
GARBAGE = "garbage in cycles"
_THREAD_BYTES = 16_384  # its stack's pages and its first objects, at least
_EXPLAINED = 0.5


def floor_name(reading: dict[str, Any]) -> str:
    """The best of the figures that a floor has."""
    return next(name for name in ("heap_bytes", "traced_bytes", "private_bytes") if reading.get(name) is not None)


class Series:
    """Floors and counts since the measuring began.

    Args:
        rules: what counts as a leak.
        countable: whether holders can be counted at all.
    """

    def __init__(self, rules: Rules, *, countable: bool = True) -> None:
        self._rules = rules
        self._countable = countable
        self.jobs: list[int] = []
        self.meter = "both"
        self.collecting = True
        self.growth: dict[str, Any] | None = None
        self.counted_at: list[int] = []
        self._heap: list[int] = []
        self._mapped: list[int] = []
        self._with_pages = False
        self._threads: list[int] = []
        self._at_first: dict[str, dict[str, Any]] = {}
        self._bytes_at_first: int | None = None
        self._kept: dict[str, Gain] = {}

    def add(self, jobs: int, reading: dict[str, Any]) -> None:
        """A floor."""
        name = floor_name(reading)
        self.meter = "traced" if name == "traced_bytes" else "both"
        self.collecting = self.collecting and reading["collecting"]
        self.jobs.append(jobs)
        self._heap.append(int(reading[name]))
        self._threads.append(reading["threads"])
        if name == "heap_bytes" and reading.get("mapped_bytes") is not None:
            self._mapped.append(int(reading["mapped_bytes"]))

    def count(self, growth: dict[str, Any]) -> None:
        """What the holders have gained by the last floor, as the command `growth` gives it."""
        self.growth = growth
        self._countable = self._countable and growth.get("complete", True)  # or two looks are of different parts
        self.counted_at.append(self.jobs[-1])
        gains = {name: self._gain(name, item) for name, item in self._items(growth).items()}
        self._kept = {name: self._continued(name, *gain) for name, gain in gains.items() if gain[1] > 0}

    def stop_counting(self) -> None:
        """From now on the floors alone count: the heap cannot be looked at any more."""
        self._countable = False

    def begin_counting(self, growth: dict[str, Any]) -> None:
        """What the holders seem to have gained before there was any job: what a look at the heap itself brings."""
        self._at_first = self._items(growth)
        self._bytes_at_first = growth.get("bytes")

    def _items(self, growth: dict[str, Any]) -> dict[str, dict[str, Any]]:
        items = {item["fingerprint"]: item for item in growth["holders"] if item["buffers"] > 0}
        garbage = growth.get("garbage") or {}
        if not self.collecting and garbage.get("objects"):
            items[GARBAGE] = {"path": GARBAGE, "buffers": garbage["objects"], "growth_bytes": garbage["bytes"]}
        return items

    def _gain(self, name: str, item: dict[str, Any]) -> tuple[dict[str, Any], int, int]:
        """A holder, the items it gained since the first floor, and their bytes."""
        first = self._at_first.get(name, {"buffers": 0, "growth_bytes": 0})
        return item, item["buffers"] - first["buffers"], item["growth_bytes"] - first["growth_bytes"]

    def _continued(self, name: str, item: dict[str, Any], gained: int, size: int) -> Gain:
        before = dict(zip(self._kept[name].jobs, self._kept[name].counts, strict=True)) if name in self._kept else {}
        counts = [before.get(jobs, 0) for jobs in self.counted_at[:-1]]
        return Gain(item["path"], tuple(self.counted_at), (*counts, gained), size / gained, item.get("bound"))

    @property
    def floors(self) -> list[int]:
        """Bytes at each floor, with the memory that is mapped directly where that is what grows."""
        if not self._with_pages:
            return self._heap
        return [heap + pages for heap, pages in zip(self._heap, self._mapped, strict=True)]

    @property
    def objects_per_job(self) -> float | None:
        """Bytes of Python's objects that came with each job, from the last look at the heap; None without one."""
        gained = None if self.growth is None else self.growth.get("bytes")
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
        return (Gain(THREADS, tuple(self.jobs[1:]), tuple(counts), _THREAD_BYTES),)

    def _with_mapped(self, decision: Decision, *, final: bool) -> Decision:
        """The same decision, unless memory that is mapped directly grows."""
        mapped = self.mapped(final=final)
        if mapped is None or mapped.interval is None or mapped.interval.low <= mapped_rules(self._rules).tolerance:
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
        return decide(Evidence(self.jobs, self._mapped, None, 0, final), mapped_rules(self._rules))

    @property
    def largest(self) -> Gain | None:
        """The holder that has gained most by the last look at the heap, where that is most of the growth."""
        kept = max(self._kept.values(), key=lambda kept: kept.gained_bytes, default=None)
        growth = max(self.grown, 6 * self._rules.noise_bytes)
        return kept if kept is not None and kept.gained_bytes >= _EXPLAINED * growth else None

    def filling(self) -> tuple[str, int] | None:
        """The cache whose declared bound is not reached yet, and that bound, if the growth is mostly its."""
        holders = [] if self.growth is None else self.growth["holders"]
        bounded = [item for item in holders if item["bound"] is not None and 0 < item["buffers"] <= item["bound"]]
        if not bounded or sum(item["growth_bytes"] for item in bounded) < _EXPLAINED * self.grown:
            return None
        return bounded[0]["holder"], max(item["bound"] for item in bounded)
