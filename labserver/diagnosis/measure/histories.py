"""What each holder kept at each count, and what lasts of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from labserver.diagnosis.decide.count_channel import most_per_job
from labserver.diagnosis.decide.evidence import Evidence, Gain
from labserver.diagnosis.decide.survival import Cohorts, Survival
from labserver.diagnosis.fact import Fact, Note, NoteKind, PartKind
from labserver.diagnosis.measure.byte_bound import ByteBound
from labserver.heap.heap_growth import HeapGrowth, HolderGrowth, Removal

GARBAGE = "garbage in cycles"


@dataclass(frozen=True, slots=True)
class _Items:
    """What a holder has gained by one look: how many items, their bytes, and what is known of it."""

    path: str
    count: int
    bytes: int
    bound: int | None = None
    cohorts: Cohorts = ()
    removal: Removal | None = None
    length: int | None = None
    in_bytes: ByteBound | None = None

    def with_more(self, other: "_Items") -> "_Items":
        """The same with those of another holder that goes by the same name: nothing tells the two apart later."""
        return replace(
            self,
            count=self.count + other.count,
            bytes=self.bytes + other.bytes,
            bound=_sum(self.bound, other.bound),
            cohorts=self.cohorts or other.cohorts,  # these are remembered by name, so that both have those of both
            removal=_of_both(self.removal, other.removal),
            length=_sum(self.length, other.length),
            in_bytes=None,
        )


@dataclass(slots=True)
class _History:
    """One holder at each count so far.

    Attributes:
        latest: what the last look that named it told.
        counts: items gained since the first floor, at each.
        looks: its cohorts at each.
        first: what the first look told that named it.
    """

    latest: _Items
    counts: list[int] = field(default_factory=list)
    looks: list[Cohorts] = field(default_factory=list)
    item_bytes: float = 0.0
    first: _Items | None = None

    @property
    def in_bytes(self) -> ByteBound | None:
        """A bound in bytes with an account that follows what is kept, or in the name of what lets go of something."""
        bound, removal = self.latest.in_bytes, self.latest.removal
        first = bound if self.first is None else self.first.in_bytes
        if bound is None or first is None or not first.is_followed_by(bound):
            return None
        return bound if bound.thinks is not None or (removal is not None and removal.by is not None) else None

    @property
    def was_full(self) -> bool:
        """Whether it has had as many entries as it declares at all looks: what grows then is no number of them."""
        lengths = [one.length for one in (self.first, self.latest) if one is not None]
        bound = self.latest.bound
        return bound is not None and all(length is not None and length >= bound for length in lengths)


class Histories:
    """What the holders kept at each count since the first floor.

    Args:
        most_bytes: that the process may take: a bound beyond them is none.
        stopped: the entries at which holders were seen to grow no further, by path.

    Attributes:
        jobs: finished jobs at each count.
        object_bytes: bytes of all objects beyond those of the baseline, at each.
        no_bounds: why the bound that a holder declares is none, by its path.
        in_bytes: the bounds in bytes, and at how many entries they are reached, by path.
    """

    def __init__(self, most_bytes: float, stopped: Mapping[str, int]) -> None:
        self._most_bytes = most_bytes
        self._stopped = stopped
        self.jobs: list[int] = []
        self.object_bytes: list[int] = []
        self.no_bounds: dict[str, Note] = {}
        self.in_bytes: dict[str, tuple[int, int]] = {}
        self._histories: dict[str, _History] = {}
        self._at_first: dict[str, _Items] = {}
        self._bytes_at_first: int | None = None

    def begin(self, growth: HeapGrowth, *, collecting: bool) -> None:
        """What the holders seem to have gained before there was any job: what a look at the heap itself brings."""
        self._at_first = self._items(growth, collecting=collecting)
        self._bytes_at_first = growth.bytes

    def add(self, jobs: int, growth: HeapGrowth, *, collecting: bool) -> None:
        """A count.

        Args:
            jobs: that are finished.
            growth: since the baseline.
            collecting: whether the collector is on, so that garbage goes.
        """
        found = self._items(growth, collecting=collecting)
        for name, items in found.items():
            if name not in self._histories:
                before = len(self.jobs)
                self._histories[name] = _History(items, [0] * before, [()] * before)
        self.jobs.append(jobs)
        self.object_bytes.append(growth.bytes or 0)
        remembered = {one.fingerprint: one.cohorts for one in growth.remembered}
        for name, history in self._histories.items():
            self._continue(name, history, found.get(name), remembered.get(name, ()))

    def _continue(self, name: str, history: _History, items: _Items | None, remembered: Cohorts) -> None:
        if items is None:
            history.counts.append(self._by_cohorts(history, remembered))
            history.looks.append(remembered)
            return
        first = self._at_first.get(name)
        count, size = items.count - (first.count if first else 0), items.bytes - (first.bytes if first else 0)
        history.latest = items
        history.first = history.first or items
        history.counts.append(count)
        history.looks.append(items.cohorts)
        if count > 0:
            history.item_bytes = size / count

    @staticmethod
    def _by_cohorts(history: _History, cohorts: Cohorts) -> int:
        """The items gained where a holder is remembered and not named, since it has less than at the baseline."""
        known = [(count, look) for count, look in zip(history.counts, history.looks, strict=True) if look]
        if not cohorts or not known:
            return 0
        count, look = known[-1]
        return count + sum(cohorts) - sum(look)

    @property
    def objects_per_job(self) -> float | None:
        """Bytes of all objects that came with each job, by the last count; None without one."""
        if self._bytes_at_first is None or not self.jobs or not self.jobs[-1]:
            return None
        return float(self.object_bytes[-1] - self._bytes_at_first) / self.jobs[-1]

    def objects_per_job_since(self, jobs: int) -> float | None:
        """The same from the last count on that was no later than after so many jobs."""
        before = [at for at, count in enumerate(self.jobs[:-1]) if count <= jobs]
        if not before:
            return self.objects_per_job
        first = before[-1]
        return float(self.object_bytes[-1] - self.object_bytes[first]) / (self.jobs[-1] - self.jobs[first])

    @property
    def at_first(self) -> dict[str, tuple[int, int]]:
        """What the holders seemed to have gained before there was any job: items and bytes, by fingerprint."""
        return {name: (one.count, one.bytes) for name, one in self._at_first.items()}

    def gains(self) -> tuple[Gain, ...]:
        """The holders that keep more than at the first floor."""
        return tuple(self._gain(one) for one in self._histories.values() if one.counts[-1] > 0)

    def counts_of(self, path: str) -> list[int]:
        """The items that the holder of a path had gained at each count."""
        found = next((one for one in self._histories.values() if one.latest.path == path), None)
        return [0] * len(self.jobs) if found is None else found.counts

    def length_of(self, path: str) -> int:
        """The items of the holder of a path by the last count, those of the baseline included where they are known."""
        found = next((one for one in self._histories.values() if one.latest.path == path), None)
        return 0 if found is None else max(found.counts[-1], found.latest.length or 0, sum(found.looks[-1]))

    def passing(self, least_bytes: float) -> list[tuple[Gain, int]]:
        """The holders whose items are seen to go after a while, with the most items gained at any count.

        Args:
            least_bytes: that they must have made up at some count.
        """
        found = []
        for one in self._histories.values():
            gain, most = self._gain(one), max(one.counts)
            if most * one.item_bytes >= least_bytes and gain.survival.passes:
                found.append((gain, most))
        return found

    def lasting(
        self, passing: Collection[str], tolerance: float, memory: Sequence[float] | None = None
    ) -> Evidence | None:
        """What lasts of memory: all objects but the items of holders that let go of them.

        Objects and items are counted at one instant, so that it needs no rest. None where such a holder is not
        remembered at each count, or may keep more of its items for ever than the tolerance.

        Args:
            passing: those holders' paths.
            tolerance: bytes per job.
            memory: bytes at each count, where all memory is meant and not objects alone.
        """
        gone = [one for one in self._histories.values() if one.latest.path in passing]
        first = max((next(at for at, look in enumerate(one.looks) if look) for one in gone), default=0)
        sizes = [float(size) for size in (self.object_bytes if memory is None else memory)[first:]]
        for one in gone:
            looks = one.looks[first:]
            if not all(looks) or self._left_per_job(one) * one.item_bytes >= tolerance:
                return None
            sizes = [size - one.item_bytes * sum(look) for size, look in zip(sizes, looks, strict=True)]
        others = [self._gain(one, first) for one in self._histories.values() if one not in gone]
        gains = tuple(gain for gain in others if gain.items > 0)
        jobs = self._jobs_from(first)
        return Evidence(jobs, sizes, gains, jobs[-1], final=True) if jobs else None

    def _left_per_job(self, one: _History) -> float:
        """The items a job that may last for ever, by what is left of the cohorts that are gone."""
        survival = Survival(tuple(one.looks))
        of_last = len(survival.last) - 1 - survival.gone[-1]
        jobs = self.jobs[-1 - of_last] if of_last < len(self.jobs) else 0
        return most_per_job(survival.left, jobs) if jobs else 0.0

    def _jobs_from(self, first: int) -> list[int]:
        """The jobs at each count from one on, since the count before it."""
        begin = self.jobs[first - 1] if first else 0
        return [jobs - begin for jobs in self.jobs[first:]]

    def _gain(self, one: _History, first: int = 0) -> Gain:
        latest, start = one.latest, one.counts[first - 1] if first else 0
        return Gain(
            latest.path,
            tuple(self._jobs_from(first)),
            tuple(count - start for count in one.counts[first:]),
            one.item_bytes,
            self._bound(one),
            tuple(one.looks[first:]),
            latest.removal,
            latest.length,
        )

    def _bound(self, one: _History) -> int | None:
        """A bound in entries that is one. What was seen to stop somewhere has one there."""
        path = one.latest.path
        if path in self._stopped:
            return self._stopped[path]
        bounds = [bound for bound in (self._in_entries(one), self._in_bytes(one)) if bound is not None]
        return min(bounds, default=None)

    def _in_entries(self, one: _History) -> int | None:
        """A bound that memory can hold, and that there is room up to; one that it cannot is none."""
        path, bound = one.latest.path, one.latest.bound
        if one.was_full:
            return None
        if bound is None or bound * one.item_bytes <= self._most_bytes:
            return bound
        self.no_bounds[path] = Note(
            NoteKind.BEYOND_MEMORY, {"path": path, "bound": bound, "bytes": bound * one.item_bytes}
        )
        return None

    def _in_bytes(self, one: _History) -> int | None:
        """The entries at which a bound in bytes is reached that memory can hold, and whose account is of these."""
        path, bound = one.latest.path, one.in_bytes
        if bound is None:
            return None
        if bound.most > self._most_bytes:
            self.no_bounds[path] = Note(NoteKind.BYTES_BEYOND_MEMORY, {"path": path, "bytes": bound.most})
            return None
        if bound.is_missed(one.item_bytes):
            self.no_bounds[path] = Note(
                NoteKind.MISSES_BYTES,
                {
                    "path": path,
                    "bound": bound.most,
                    "thinks": "" if bound.thinks is None else Fact(PartKind.THINKS, {"bytes": bound.thinks}),
                    "bytes": bound.entries * one.item_bytes,
                },
            )
            return None
        entries = bound.at(one.item_bytes)
        self.in_bytes[path] = (bound.most, entries)
        return entries

    @staticmethod
    def _items(growth: HeapGrowth, *, collecting: bool) -> dict[str, _Items]:
        items: dict[str, _Items] = {}
        for one in growth.holders:
            if one.buffers > 0:
                known = items.get(one.fingerprint)
                items[one.fingerprint] = _of(one) if known is None else known.with_more(_of(one))
        if not collecting and growth.garbage.objects:
            items[GARBAGE] = _Items(GARBAGE, growth.garbage.objects, growth.garbage.bytes)
        return items


def _of(one: HolderGrowth) -> _Items:
    # Jobs and bounds are of what hangs directly below the holder; older versions tell the heaviest type alone.
    count = one.buffers if one.items is None or one.items <= 0 else one.items
    in_bytes = None if one.bound_bytes is None else ByteBound(one.bound_bytes, one.thinks_bytes, one.length or count)
    return _Items(one.path, count, one.growth_bytes, one.bound, one.cohorts, one.removal, one.length, in_bytes)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _of_both(one: Removal | None, other: Removal | None) -> Removal | None:
    """What takes something out of either."""
    return None if one is None or other is None else one.joined(other)
