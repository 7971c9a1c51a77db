"""Name who holds what has come: from heap graphs at two floors, then the allocating lines from a short traced pass."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from labserver.diagnosis.fact import Fact, FoundKind, Note, NoteKind, said
from labserver.diagnosis.measure.driver import TimeIsUp
from labserver.diagnosis.result import Finding, NamedHolder
from labserver.errors import CannotLook
from labserver.heap.frame import Frame
from labserver.heap.wire import Collected, FloorReading, Garbage, HolderGrowth, Site
from labserver.targets.instrumented import Instrumented


@dataclass(frozen=True, slots=True)
class TracedPass:
    """The jobs that are run under tracemalloc for the allocating lines.

    Attributes:
        jobs: that are looked at: each line that keeps something of a job then stands out fifty times.
        first_jobs: before them, which replace what was allocated before the tracing, in caches and pools.
        frames: of each allocation: enough to reach the application from below a parser or an ORM, and the server from
            there. A job of JSON and Flask takes 1.5 times as long as with 10, and with 60 no longer than that.
    """

    jobs: int = 50
    first_jobs: int = 10
    frames: int = 25


@dataclass(frozen=True, slots=True)
class WorthNaming:
    """What part of the growth is worth a line of the answer.

    Attributes:
        naming_share: of the growth, from which on a holder or garbage is named: below it nobody would begin there.
        finding_share: of the growth, from which on what has no holder is a finding: what the allocators round up, and
            what was freed meanwhile, is less.
        one_each: items a job, from which on a small holder is suspected to own what nobody sees: some jobs fail.
    """

    naming_share: float = 0.01
    finding_share: float = 0.1
    one_each: float = 0.9


TRACED, WORTH = TracedPass(), WorthNaming()


@dataclass(frozen=True, slots=True)
class Named:
    """Holders, growth without one, and notes.

    Attributes:
        traced_per_job: the bytes that Python's allocators kept of a job; None if not traced.
        sites: which stacks allocated what the traced jobs left, most bytes first.
    """

    holders: tuple[NamedHolder, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Note, ...]
    traced_per_job: float | None = None
    sites: tuple[Site, ...] = ()


def name_holders(
    process: Instrumented,
    *,
    growth_bytes: int,
    jobs: int,
    collecting: bool,
    drive: Callable[[int], FloorReading],
) -> Named:
    """Ask the process under test who holds what it has gained since its baseline.

    Args:
        process: at a floor; its instruments have a baseline.
        growth_bytes: the growth since then.
        jobs: the jobs since then.
        collecting: whether its collector is on.
        drive: runs so many jobs and gives the floor after them.

    Raises:
        CannotLook: a look at the heap failed.
    """
    growth = process.growth()
    found = [item for item in growth.holders if item.growth_bytes >= WORTH.naming_share * growth_bytes]
    from_c = [item for item in found if item.is_held_by_c]
    found = [item for item in found if not item.is_held_by_c]
    explained = sum(item.growth_bytes for item in found)
    garbage = growth.garbage if growth.garbage.bytes >= WORTH.naming_share * growth_bytes else Garbage()
    lost_bytes = garbage.bytes + sum(item.growth_bytes for item in from_c)
    rest = growth_bytes - explained - lost_bytes
    owners = _owners(growth.holders, jobs) if rest > growth_bytes / 2 else []
    small = [item for item in owners if item not in found]
    found += small
    rest -= sum(item.growth_bytes for item in small)
    traced = _traced_pass(process, drive, found, leading=rest > WORTH.finding_share * growth_bytes or lost_bytes > 0)
    lost = _Lost(max(growth_bytes, 1), max(jobs, 1), traced)
    findings = [lost.c_held(item, traced.lines_of(item) or traced.leading_lines) for item in from_c]
    if garbage.bytes:
        findings.append(lost.cycles(garbage, None if collecting else process.collect()))
    if rest > WORTH.finding_share * growth_bytes:
        findings.append(lost.unexplained(rest, owners))
    notes = [*said(*growth.notes), traced.note]
    if not growth.complete:
        notes.append(Note(NoteKind.IN_PART))
    holders = tuple(
        NamedHolder.of(item, growth_bytes=growth_bytes, allocated_at=traced.lines_of(item), stack=traced.stack_of(item))
        for item in found
    )
    return Named(holders, tuple(map(traced.with_stack, findings)), tuple(notes), traced.bytes_per_job, traced.sites)


def _owners(holders: Sequence[HolderGrowth], jobs: int) -> list[HolderGrowth]:
    """Small objects of which each job leaves one may own what nobody sees, as a parsed document does its tree."""
    return [item for item in holders if not item.is_held_by_c and item.buffers >= WORTH.one_each * jobs]


@dataclass(frozen=True, slots=True)
class _Traced:
    """What the traced pass saw.

    Attributes:
        bytes_per_job: what stayed of a job, as far as Python's allocators know; None without a pass.
        note: what the pass cost.
        allocated: what was traced of a holder's items, by the holder's fingerprint and by its path.
        sites: which stacks allocated what stayed, most bytes first.
        leading: whether the first of these stands for growth that nobody holds.
    """

    bytes_per_job: float | None
    note: Note
    allocated: Mapping[str, HolderGrowth] = field(default_factory=dict)
    sites: tuple[Site, ...] = ()
    leading: bool = False

    @property
    def leading_lines(self) -> Sequence[str]:
        """The lines that allocated most of all that stayed; empty where nobody needs them."""
        return self.sites[0].allocated_at if self.leading and self.sites else ()

    def lines_of(self, item: HolderGrowth) -> Sequence[str]:
        """The lines that allocated what a holder got."""
        return self._traced(item).allocated_at

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
        known = (self.allocated.get(name) for name in (item.fingerprint, item.holder))
        return next((one for one in known if one is not None and one.allocated_at), item)


def _traced_pass(
    process: Instrumented, drive: Callable[[int], FloorReading], found: Sequence[HolderGrowth], *, leading: bool
) -> _Traced:
    """A few more jobs with tracing on; it slows the application down, so it comes last and is short.

    Args:
        process: where to trace.
        drive: runs so many jobs and gives the floor after them.
        found: the holders whose lines are wanted.
        leading: whether the leading lines of the whole growth are wanted, too.
    """
    allocated: dict[str, HolderGrowth] = {}
    try:
        process.trace(TRACED.frames)
        before = drive(TRACED.first_jobs)
        process.baseline()  # from here on: what the first jobs have replaced is no growth
        after = drive(TRACED.jobs)
        holders = process.growth().holders if found else ()
        sites = process.sites()
    except TimeIsUp:
        return _Traced(None, Note(NoteKind.NO_TIME_FOR_LINES))
    except CannotLook as error:
        return _Traced(None, Note(NoteKind.NO_LINES, {"why": str(error)}))
    for item in reversed(holders):  # the largest has the last word
        allocated[item.holder] = allocated[item.fingerprint] = item
    note = Note(NoteKind.LINES_TRACED, {"jobs": TRACED.jobs, "frames": TRACED.frames})
    per_job = None  # where the application has stopped the tracing
    if before.traced_bytes is not None and after.traced_bytes is not None:
        per_job = (after.traced_bytes - before.traced_bytes) / TRACED.jobs
    return _Traced(per_job, note, allocated, sites, leading)


@dataclass(frozen=True, slots=True)
class _Lost:
    """Growth that no chain from a module or a running frame explains.

    Attributes:
        growth_bytes: the whole growth.
        jobs: the jobs that brought it.
        traced: what the traced pass saw.
    """

    growth_bytes: int
    jobs: int
    traced: _Traced

    def c_held(self, item: HolderGrowth, lines: Sequence[str]) -> Finding:
        """What C code keeps alive by references that nothing shows."""
        per_job = item.growth_bytes / self.jobs
        told = Fact(FoundKind.C_HELD, {"per_job": per_job} | _items(item))
        return Finding("c-held", per_job, tuple(lines), told)

    def cycles(self, garbage: Garbage, collected: Collected | None) -> Finding:
        """What waits for a collection.

        Args:
            garbage: what no root reaches.
            collected: what a collection freed, where the application has switched its collector off.
        """
        per_job = garbage.bytes / self.jobs
        told = Fact(FoundKind.CYCLES, {"per_job": per_job, "objects": garbage.objects})
        if collected is not None:
            freed = "" if collected.bytes is None else Fact(FoundKind.FREED, {"bytes": collected.bytes})
            told = Fact(
                FoundKind.CYCLES_UNCOLLECTED,
                {"per_job": per_job, "at": self._at(), "objects": collected.objects, "freed": freed},
            )
        return Finding("cycles", per_job, tuple(self.traced.leading_lines), told)

    def unexplained(self, rest: int, owners: Sequence[HolderGrowth]) -> Finding:
        """What has no holder: the C library's, where tracing sees less of a job than the meter does.

        Args:
            rest: bytes.
            owners: holders that gained as many objects as there were jobs.
        """
        per_job, traced = rest / self.jobs, self.traced.bytes_per_job
        if traced is not None and traced < self.growth_bytes / self.jobs - per_job / 2:
            owner = Fact(FoundKind.OWNER, _items(owners[0])) if owners else ""
            return Finding("native", per_job, (), Fact(FoundKind.NATIVE, {"per_job": per_job, "owner": owner}))
        told = Fact(FoundKind.UNEXPLAINED, {"per_job": per_job, "at": self._at()})
        return Finding("unexplained", per_job, tuple(self.traced.leading_lines), told)

    def _at(self) -> Fact | str:
        lines = self.traced.leading_lines
        return Fact(FoundKind.AT, {"line": lines[0]}) if lines else ""


def _items(item: HolderGrowth) -> dict[str, str | float | Fact]:
    """What came to a holder, as the arguments of a fact."""
    return {"items": item.buffers, "type": item.buffer_type, "path": item.path}
