"""The last jobs of a check that found growth: with tracing on, for the lines that allocate what stays."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from labserver.diagnosis.fact import Note, NoteKind
from labserver.diagnosis.measure.driver import TimeIsUp
from labserver.diagnosis.result import Finding
from labserver.errors import CannotLook
from labserver.heap.chain import Chain
from labserver.heap.frame import Frame
from labserver.heap.heap_growth import HeapGrowth, HolderGrowth, LostReferences, Site, StartedThreads
from labserver.heap.wire import FloorReading
from labserver.targets.instrumented import Instrumented, Regrouped

_REPLACED = "other processes serve by now"


@dataclass(frozen=True, slots=True)
class TracedPass:
    """The jobs that are run under tracemalloc for the allocating lines.

    Attributes:
        jobs: that are looked at: each line that keeps something of a job then stands out fifty times.
        items: that should come meanwhile. Where few jobs leave one, more jobs are looked at; of five that are expected
            none comes once in 150 times.
        seconds: for these jobs at full speed, at most.
        slower: how many times as long they may take under tracing, as small answers of JSON do.
        telling_bytes: of objects that must have come for Python's allocators' share of them to be told: eight times
            what a look is off.
        first_jobs: before them, which replace what was allocated before the tracing, in caches and pools.
        frames: of each allocation: enough to reach the application from below a parser or an ORM, and the server from
            there. A job of JSON and Flask takes 1.5 times as long as with 10, and with 60 no longer than that.
    """

    jobs: int = 50
    items: int = 5
    seconds: float = 3.0
    slower: float = 30.0
    telling_bytes: int = 32_768
    first_jobs: int = 10
    frames: int = 25

    def jobs_for(self, items_per_job: float, most: int) -> int:
        """So many that some items come, as far as there is time.

        Args:
            items_per_job: that the holder whose lines are wanted gets.
            most: see `most_jobs`.
        """
        needed = math.ceil(self.items / items_per_job) if items_per_job > 0 else 0
        return max(self.jobs, min(needed, most))

    def most_jobs(self, jobs_per_s: float, left_s: float) -> int:
        """The jobs that there is time to trace.

        Args:
            jobs_per_s: at full speed.
            left_s: seconds until the check has to end.
        """
        return int(jobs_per_s * min(self.seconds, left_s / self.slower))


TRACED = TracedPass()


@dataclass(frozen=True, slots=True)
class Traced:
    """What the traced pass saw.

    Attributes:
        bytes_per_job: what stayed of a job, as far as Python's allocators know; None without a pass.
        jobs: that were run since tracing began.
        note: what the pass cost.
        allocated: what was traced of a holder's items, by the holder's fingerprint and by its path.
        sites: which stacks allocated what stayed, most bytes first.
        leading: whether the first of these stands for growth that nobody holds.
        growth: what the look at the end of the pass has seen.
        spare_bytes: what the C library keeps of freed memory after a floor; None where nobody knows.
        in_use: whether the floors count bytes in use, and not pages.
    """

    bytes_per_job: float | None
    jobs: int
    note: Note
    allocated: Mapping[str, HolderGrowth] = field(default_factory=dict)
    sites: tuple[Site, ...] = ()
    leading: bool = False
    growth: HeapGrowth = field(default_factory=HeapGrowth)
    spare_bytes: int | None = None
    in_use: bool = False

    @property
    def share_of_objects(self) -> float | None:
        """Of the bytes of all objects that came, the part that Python's allocators gave; None where few came."""
        jobs = self.jobs - TRACED.first_jobs
        if self.bytes_per_job is None or self.growth.bytes is None:
            return None
        objects = self.growth.bytes + jobs * sum(map(self.unseen_per_job, self.growth.lost))
        if objects < TRACED.telling_bytes:
            return None
        return max(self.bytes_per_job, 0.0) * jobs / objects

    @property
    def leading_lines(self) -> Sequence[str]:
        """The lines that allocated most of all that stayed; empty where nobody needs them."""
        return self.sites[0].allocated_at if self.leading and self.sites else ()

    def lines_of(self, item: HolderGrowth) -> Sequence[str]:
        """The lines that allocated what a holder got."""
        return self._traced(item).allocated_at

    def allocated_with_the_leading(self, held: Sequence[HolderGrowth]) -> list[HolderGrowth]:
        """The holders of what the function makes that allocated most of all that stayed, the most bytes first.

        Such as a decompressor, whose window is traced, and which does not tell of it.
        """
        if not self.leading or not self.sites:
            return []
        where = _function_of(self.sites[0].stack)
        alike = [one for one in held if where is not None and _function_of(self.stack_of(one)) == where]
        return sorted(alike, key=lambda one: -one.growth_bytes)

    def threads_like(self, threads: StartedThreads) -> StartedThreads:
        """The same threads as the traced jobs have left them, with the lines that made one."""
        alike = (one for one in self.growth.threads if (one.function, one.type) == (threads.function, threads.type))
        return next((one for one in alike if one.allocated_at), threads)

    def lost_per_job(self, lost: LostReferences) -> float:
        """Bytes that each traced job has lost."""
        return lost.bytes / self.jobs

    def unseen_per_job(self, lost: LostReferences) -> float:
        """Of these, the bytes that no look at the heap sees."""
        return lost.unseen_bytes / self.jobs

    def items_per_job(self, lost: LostReferences) -> float:
        """Objects that each traced job has lost."""
        return lost.items / self.jobs

    def stack_of(self, item: HolderGrowth) -> tuple[Frame, ...]:
        """The whole stack of these lines."""
        return self._traced(item).stack

    def with_stack(self, finding: Finding) -> Finding:
        """A finding with the stack that its lines are of."""
        known = [(one.allocated_at, one.stack) for one in self.sites]
        known += [(one.allocated_at, one.stack) for one in self.allocated.values()]
        stack = next((stack for lines, stack in known if lines and lines == finding.allocated_at), ())
        return replace(finding, stack=stack)

    def _traced(self, item: HolderGrowth) -> HolderGrowth:
        known = [self.allocated.get(name) for name in (item.fingerprint, item.holder)]
        # What is new may hang from something nearer for a while, such as a bounded cache.
        ways = _ways_below(item)
        known += [one for one in self.growth.holders if not ways.isdisjoint(one.also_held_by)]
        return next((one for one in known if one is not None and one.allocated_at), item)


def _function_of(stack: Sequence[Frame]) -> tuple[str, str] | None:
    """The application's function that allocated something, by file and name; None where none did."""
    return next(((frame.file, frame.function) for frame in stack if frame.is_own), None)


def _ways_below(item: HolderGrowth) -> set[str]:
    """The paths to a holder and to what it has on the way to its items."""
    links = item.chain.links
    return {Chain(links[:end]).trail for end in range((item.holder_at or 0) + 1, len(links) + 1)}


def traced_pass(
    process: Instrumented,
    drive: Callable[[int], FloorReading],
    found: Sequence[HolderGrowth],
    *,
    leading: bool,
    jobs: int = TRACED.jobs,
) -> Traced:
    """A few more jobs with tracing on; it slows the application down, so it comes last and is short.

    Args:
        process: where to trace.
        drive: runs so many jobs and gives the floor after them.
        found: the holders whose lines are wanted.
        leading: whether the leading lines of the whole growth are wanted, too.
        jobs: that are looked at.
    """
    all_jobs = TRACED.first_jobs + jobs
    allocated: dict[str, HolderGrowth] = {}
    try:
        process.trace(TRACED.frames)
        before = drive(TRACED.first_jobs)
        process.baseline()  # from here on: what the first jobs have replaced is no growth
        after = drive(jobs)
        growth = process.growth() if found or leading else HeapGrowth()
        sites = process.sites()
    except TimeIsUp:
        return Traced(None, all_jobs, Note(NoteKind.NO_TIME_FOR_LINES))
    except CannotLook as error:
        return Traced(None, all_jobs, Note(NoteKind.NO_LINES, {"why": str(error)}))
    except Regrouped:
        return Traced(None, all_jobs, Note(NoteKind.NO_LINES, {"why": _REPLACED}))
    for item in reversed(growth.holders):  # the largest has the last word
        allocated[item.holder] = allocated[item.fingerprint] = item
    note = Note(NoteKind.LINES_TRACED, {"jobs": jobs, "frames": TRACED.frames})
    per_job = None  # where the application has stopped the tracing
    if before.traced_bytes is not None and after.traced_bytes is not None:
        per_job = (after.traced_bytes - before.traced_bytes) / jobs
    in_use = after.heap_bytes is not None
    return Traced(per_job, all_jobs, note, allocated, sites, leading, growth, before.spare_bytes, in_use)
