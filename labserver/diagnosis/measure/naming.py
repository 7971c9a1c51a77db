"""Name who holds what has come: from heap graphs at two floors, then the allocating lines from a short traced pass."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from labserver.diagnosis.fact import Note, NoteKind, said
from labserver.diagnosis.measure.holderless import Holderless
from labserver.diagnosis.measure.thread_finding import ThreadFinding
from labserver.diagnosis.measure.traced_pass import TRACED, Traced, traced_pass
from labserver.diagnosis.result import Finding, NamedHolder
from labserver.heap.heap_growth import Garbage, HeapGrowth, HolderGrowth, LostReferences, Site
from labserver.heap.wire import FloorReading
from labserver.targets.instrumented import Instrumented


@dataclass(frozen=True, slots=True)
class WorthNaming:
    """What part of the growth is worth a line of the answer.

    Attributes:
        naming_share: of the growth, from which on a holder or garbage is named: below it nobody would begin there.
        finding_share: of the growth, from which on what has no holder is a finding: what the allocators round up, and
            what was freed meanwhile, is less.
        one_each: items a job, from which on a small holder is suspected to own what nobody sees: some jobs fail.
        enough: of the growth that is not without a holder, which those named explain: where each holder is below the
            tolerance, the largest of them are named all the same.
    """

    naming_share: float = 0.01
    finding_share: float = 0.1
    one_each: float = 0.9
    enough: float = 0.5


WORTH = WorthNaming()


@dataclass(frozen=True, slots=True)
class Grown:
    """What is known of the growth before anybody is named.

    Attributes:
        bytes: of the whole growth.
        jobs: that brought it.
        tolerance: bytes per job below which a holder is one of the small ones.
        at_first: what holders seemed to have gained before there was any job: items and bytes, by fingerprint.
        threads: that the jobs have left, where these are worth a word; else 0.
        collecting: whether the application has left its collector on.
        most_traced: jobs that there is time to trace.
        at_most: bytes per job that a part of the growth is shown with: the upper bound of the whole.
    """

    bytes: int
    jobs: int
    tolerance: float = 0.0
    at_first: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    threads: int = 0
    collecting: bool = True
    most_traced: int = 0
    at_most: float = float("inf")


@dataclass(frozen=True, slots=True)
class Named:
    """Holders, growth without one, and notes.

    Attributes:
        holders: who holds what has come, most bytes first.
        small: those that are below the tolerance.
        findings: growth without a holder; what leads comes first.
        notes: what else is to be known.
        traced_per_job: the bytes that Python's allocators kept of a job; None if not traced.
        traced_share: of the bytes of what the traced jobs left, those that Python's allocators gave; None where they
            left too little to say.
        unseen_per_job: bytes a job of Python's objects that no look at the heap sees.
        sites: which stacks allocated what the traced jobs left, most bytes first.
    """

    holders: tuple[NamedHolder, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Note, ...]
    small: tuple[NamedHolder, ...] = ()
    traced_per_job: float | None = None
    traced_share: float | None = None
    unseen_per_job: float = 0.0
    sites: tuple[Site, ...] = ()


def name_holders(
    process: Instrumented, grown: Grown, *, drive: Callable[[int], FloorReading], seen: HeapGrowth | None = None
) -> Named:
    """Ask the process under test who holds what it has gained since its baseline.

    Args:
        process: at a floor; its instruments have a baseline.
        grown: what it has gained.
        drive: runs so many jobs and gives the floor after them.
        seen: what a look has seen at this very floor, where there was one.

    Raises:
        CannotLook: a look at the heap failed.
    """
    growth = process.growth() if seen is None else seen
    shares = _Shares.of(growth, grown)
    wanted = [*shares.found, *shares.small, *shares.of_threads]
    leading = shares.is_left or shares.lost_bytes > 0 or grown.threads > 0
    jobs = TRACED.jobs_for(shares.items_per_job, grown.most_traced)
    traced = traced_pass(process, drive, wanted, leading=leading, jobs=jobs)
    findings = _findings(process, shares, traced)
    if grown.threads:
        started = [traced.threads_like(one) for one in growth.threads]
        holders = _named(shares.of_threads, grown, traced)
        threads = ThreadFinding(grown.threads, grown.jobs, started, holders, grown.at_most)
        findings = threads.leading(findings)
    notes = [*said(*growth.notes), traced.note]
    if not growth.complete:
        notes.append(Note(NoteKind.IN_PART))
    return Named(
        holders=_named(shares.found, grown, traced),
        small=_named(shares.small, grown, traced),
        findings=tuple(findings),
        notes=tuple(notes),
        traced_per_job=traced.bytes_per_job,
        traced_share=traced.share_of_objects,
        unseen_per_job=sum(map(traced.unseen_per_job, traced.growth.lost)),
        sites=traced.sites,
    )


def _named(items: Sequence[HolderGrowth], grown: Grown, traced: Traced) -> tuple[NamedHolder, ...]:
    return tuple(
        NamedHolder.of(item, growth_bytes=grown.bytes, allocated_at=traced.lines_of(item), stack=traced.stack_of(item))
        for item in items
    )


@dataclass(frozen=True, slots=True)
class _Shares:
    """The growth, shared out; see `WorthNaming` for what each share takes.

    Attributes:
        grown: the whole.
        found: the holders that are named.
        small: those that are not, for they are below the tolerance.
        of_threads: those that hold what threads that the jobs have left refer to.
        from_c: what C code alone is seen to hold.
        garbage: what waits in cycles.
        owners: holders of which each job leaves an object that may own what nobody sees.
    """

    grown: Grown
    found: list[HolderGrowth]
    small: list[HolderGrowth]
    of_threads: list[HolderGrowth]
    from_c: list[HolderGrowth]
    garbage: Garbage
    owners: list[HolderGrowth]

    @classmethod
    def of(cls, growth: HeapGrowth, grown: Grown) -> "_Shares":
        """Share out what a look has seen."""
        least = WORTH.naming_share * grown.bytes
        gained = _one_of_each_name([one for one in growth.holders if one.growth_bytes > 0])
        at_first = dict(grown.at_first)  # of a name that two have, together: it is taken from the larger one
        at_c = [_less(one, at_first.pop(one.fingerprint, None)) for one in gained if one.is_held_by_c]
        from_c = [one for one in at_c if one.growth_bytes >= least]
        held = [one for one in gained if not one.is_held_by_c]
        of_threads = [one for one in held if ThreadFinding.is_of(one, growth.threads)] if grown.threads else []
        held = [one for one in held if one not in of_threads]
        garbage = growth.garbage if growth.garbage.bytes >= least else Garbage()
        lost = garbage.bytes + _sum(from_c)
        found = [one for one in held if one.growth_bytes >= max(least, grown.tolerance * grown.jobs)]
        small = [one for one in held if one not in found]
        rest = grown.bytes - lost - _sum(found) - _sum(of_threads)
        owners = [one for one in held if one.buffers >= WORTH.one_each * grown.jobs] if rest > grown.bytes / 2 else []
        found += [one for one in owners if one in small]
        small = [one for one in small if one not in owners]
        while small and small[0].growth_bytes >= least and _leave_most(grown, lost, [*found, *of_threads], small):
            found.append(small.pop(0))
        return cls(grown, found, small, of_threads, from_c, garbage, owners)

    @property
    def items_per_job(self) -> float:
        """What the first of those that are named gets; 0 where none is."""
        first = next(iter(self.found), None)
        return 0.0 if first is None else (first.items or first.buffers) / self.grown.jobs

    @property
    def lost_bytes(self) -> int:
        """Bytes that no module and no frame leads to, as far as they are seen."""
        return self.garbage.bytes + _sum(self.from_c)

    @property
    def left_bytes(self) -> int:
        """Bytes that nobody is seen to hold."""
        held = [*self.found, *self.small, *self.of_threads]
        return self.grown.bytes - _sum(held) - self.lost_bytes

    @property
    def is_left(self) -> bool:
        """Whether these are worth a finding."""
        return self.is_worth_finding(self.left_bytes)

    def is_worth_finding(self, count: float) -> bool:
        """Whether so many bytes are."""
        return count > WORTH.finding_share * self.grown.bytes


def _one_of_each_name(holders: Sequence[HolderGrowth]) -> list[HolderGrowth]:
    """Two that go by one name are told as one: a dictionary that gets lists, and one of its lists that grows."""
    found: dict[str, HolderGrowth] = {}
    for one in holders:
        known = found.setdefault(one.fingerprint, one)
        if known is not one:
            found[one.fingerprint] = replace(
                known,
                growth_bytes=known.growth_bytes + one.growth_bytes,
                retained_bytes=known.retained_bytes + one.retained_bytes,
            )
    return list(found.values())


def _leave_most(grown: Grown, lost: int, named: Sequence[HolderGrowth], small: Sequence[HolderGrowth]) -> bool:
    """Whether those that are named explain less than they should, and the small ones more than nobody does."""
    enough = WORTH.enough * (grown.bytes - lost) - _sum(named)
    return 0 < enough <= _sum(small)


def _less(item: HolderGrowth, first: tuple[int, int] | None) -> HolderGrowth:
    """What came to a holder, without what a first look had seen before there was any job."""
    if first is None:
        return item
    items, size = first
    return replace(
        item,
        buffers=max(item.buffers - items, 1),
        items=None if item.items is None else max(item.items - items, 1),
        growth_bytes=item.growth_bytes - size,
    )


def _sum(holders: Sequence[HolderGrowth]) -> int:
    return sum(one.growth_bytes for one in holders)


def _findings(process: Instrumented, shares: _Shares, traced: Traced) -> list[Finding]:
    """Growth that no holder explains."""
    grown = shares.grown
    told = Holderless(max(grown.bytes, 1), max(grown.jobs, 1), traced, grown.at_most)
    lost = list(traced.growth.lost)
    findings = []
    for item in shares.from_c:
        forgotten = _forgotten(item, lost, traced)
        if forgotten is not None:
            lost.remove(forgotten)
        findings.append(told.c_held(item) if forgotten is None else told.lost_as(item, forgotten))
    if shares.garbage.bytes:
        findings.append(told.cycles(shares.garbage, None if grown.collecting else process.collect()))
    left = float(shares.left_bytes)
    if shares.is_left and lost:
        found = told.lost(lost, left)
        findings += [one for one in found if one.bytes_per_job * grown.jobs >= WORTH.naming_share * grown.bytes]
        left -= sum(one.bytes_per_job for one in found) * grown.jobs
    if shares.is_worth_finding(left):
        findings.append(told.unexplained(left, shares.owners, [*shares.found, *shares.small]))
    return findings


def _forgotten(item: HolderGrowth, lost: Sequence[LostReferences], traced: Traced) -> LostReferences | None:
    """The objects to which references were lost, where these are most of what C code seems to hold."""
    kind = item.chain.links[0].type
    alike = [one for one in traced.growth.holders if one.fingerprint == item.fingerprint and one.item_type == kind]
    count = max((one.items or 0 for one in alike), default=0)
    return next((one for one in lost if one.type == kind and 2 * one.items >= count), None)
