"""What one check of an application found, as a value."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from labserver.diagnosis.decide.observation import Unit
from labserver.diagnosis.fact import Fact, Note, State
from labserver.diagnosis.failure import Failure
from labserver.diagnosis.growth import Growth
from labserver.diagnosis.holders.hints import Hint, hint_for_finding, hint_for_holder
from labserver.diagnosis.sentences import sentence
from labserver.diagnosis.shown import Shown
from labserver.diagnosis.traffic import Traffic
from labserver.diagnosis.verdict import Verdict
from labserver.heap.chain import Link
from labserver.heap.frame import Frame
from labserver.heap.heap_growth import HolderGrowth, Site, TypeChange, WorkerGain
from labserver.stats.interval import Interval

SCHEMA = "labserver.check/1"
_FINGERPRINT_DIGITS = 12
_LEADING = ("threads",)
_NUMBERS = re.compile(r":\d+( in )|(?<=^notebook cell) \[\d+\], line \d+(: )")


class Status(Fact):
    """How a holder or a finding stands to a baseline file, and why."""

    __slots__ = ()

    @property
    def state(self) -> State:
        """How it stands."""
        return State(self.kind)

    @property
    def text(self) -> str:
        """The same in a sentence that says why."""
        return sentence(self)

    def to_dict(self) -> dict[str, Any]:
        """The status as JSON."""
        return {"state": str(self.state), "text": self.text}


@dataclass(frozen=True, slots=True)
class NamedHolder(Shown):
    """One group of objects that came with the jobs and stayed.

    Attributes:
        path: from a root to one of them, in one line.
        holder: the path to the last object that is on the way to all of them.
        holder_type: its type.
        buffer_type: the type of what it holds.
        buffers: the net number that came since the baseline.
        growth_bytes: their net size.
        retained_bytes: what is retained by what came since the baseline.
        share_of_growth: the part of the whole growth that they explain, 0 to 1.
        chain: the path as data, the root first.
        allocated_at: the application's own lines that allocated one of them, the innermost first; where none is the
            application's, all lines.
        fingerprint: a short name, the same in every run and on every machine.
        holder_retained_bytes: all that letting go of the holder frees, the warm-up's objects included; None if unknown.
        bound: the number of entries that the holder declares to keep at most.
        bound_from: the attribute or constant that says so.
        also_held_by: paths of other holders of the same objects: cutting one chain frees nothing.
        status: how it stands to a baseline file; None without one.
        holder_at: which link of the chain the holder is; None where nobody told.
        stack: the whole stack that allocated one of them, the allocating line first; empty where nobody traced.
        item_type: the type of what hangs directly below the holder; None where nobody told, or it has itself grown.
        items: the net number of these that came since the baseline.
        item_bytes: the net size of these and of all below them.
        contents: all that came and went by type, most bytes first.
        length: the number of entries that the holder has by now, the warm-up's included; None where it has no length.
        workers: what each of several processes that serve together has of it; empty for one process.
    """

    path: str
    holder: str
    holder_type: str
    buffer_type: str
    buffers: int
    growth_bytes: int
    retained_bytes: int
    share_of_growth: float
    chain: tuple[Link, ...]
    allocated_at: tuple[str, ...]
    fingerprint: str
    holder_retained_bytes: int | None = None
    bound: int | None = None
    bound_from: str | None = None
    also_held_by: tuple[str, ...] = ()
    status: Status | None = None
    holder_at: int | None = None
    stack: tuple[Frame, ...] = ()
    item_type: str | None = None
    items: int | None = None
    item_bytes: int | None = None
    contents: tuple[TypeChange, ...] = ()
    length: int | None = None
    workers: tuple[WorkerGain, ...] = ()

    @classmethod
    def of(
        cls,
        grown: HolderGrowth,
        *,
        growth_bytes: float,
        allocated_at: Sequence[str] = (),
        stack: tuple[Frame, ...] = (),
    ) -> "NamedHolder":
        """A holder as the process under test gives it.

        Args:
            grown: what came through the socket.
            growth_bytes: the whole growth that the holder's share is a part of.
            allocated_at: the lines, where a traced pass knows them better.
            stack: that they are of.
        """
        share = round(min(max(grown.growth_bytes / max(growth_bytes, 1), 0.0), 1.0), 4)
        return cls(
            path=grown.path,
            holder=grown.holder,
            holder_type=grown.holder_type,
            buffer_type=grown.buffer_type,
            buffers=grown.buffers,
            growth_bytes=grown.growth_bytes,
            retained_bytes=grown.retained_bytes,
            share_of_growth=share,
            chain=grown.chain.links,
            allocated_at=tuple(allocated_at) or grown.allocated_at,
            fingerprint=grown.fingerprint,
            holder_retained_bytes=grown.holder_retained_bytes,
            bound=grown.bound,
            bound_from=grown.bound_from,
            also_held_by=grown.also_held_by,
            holder_at=grown.holder_at,
            stack=stack if allocated_at else grown.stack,
            item_type=grown.item_type,
            items=grown.items,
            item_bytes=grown.item_bytes,
            contents=grown.contents,
            length=grown.length,
            workers=grown.workers,
        )

    @property
    def advice(self) -> Hint:
        """What is usually done about it, and where more is said."""
        return hint_for_holder(
            self.holder_type,
            self.chain,
            holder_at=self.holder_at,
            item_type=self.item_type,
            items=self.items or self.buffers,
            entries=self.buffers if self.length is None else self.length,
            bound=self.bound,
        )

    @property
    def hint(self) -> str:
        """The same in a sentence."""
        return self.advice.text

    def to_dict(self) -> dict[str, Any]:
        """The holder as JSON."""
        values = asdict(self) | {
            "chain": [link.in_words() for link in self.chain],
            "status": None if self.status is None else self.status.to_dict(),
            **self.advice.to_dict(),
            "stack": list(map(str, self.stack)),
        }
        del values["holder_at"]  # it says nothing that the path does not
        return values


@dataclass(frozen=True, slots=True)
class Finding(Shown):
    """Growth that no holder explains.

    Attributes:
        kind: `unexplained`, `native`, `cycles`, `c-held`, `lost-reference` or `threads`.
        bytes_per_job: how much of it.
        allocated_at: where it is allocated, as far as known, the innermost line first.
        told: the same with what is known of it.
        status: how it stands to a baseline file; None without one.
        stack: the whole stack of these lines, the allocating line first; empty where nobody traced.
        holders: who holds what is part of it, most bytes first; its bytes are among those of the finding.
        chain: the path to one of the objects that it is about, the root first; empty where there is none.
    """

    kind: str
    bytes_per_job: float
    allocated_at: tuple[str, ...]
    told: Fact
    status: Status | None = None
    stack: tuple[Frame, ...] = ()
    holders: tuple[NamedHolder, ...] = ()
    chain: tuple[Link, ...] = ()

    @property
    def leads(self) -> bool:
        """Whether it is the cause of more than itself, so that it comes before the holders."""
        return self.kind in _LEADING

    @property
    def text(self) -> str:
        """What is told, in a sentence."""
        return sentence(self.told)

    @property
    def fingerprint(self) -> str:
        """A short name that outlives edits around it: of the kind and the allocating function, without its line.

        Of a notebook's cell it is the code: its number differs from run to run.
        """
        where = _NUMBERS.sub(r"\1\2", self.allocated_at[0]) if self.allocated_at else ""
        return hashlib.sha256(f"{self.kind} {where}".encode()).hexdigest()[:_FINGERPRINT_DIGITS]

    @property
    def advice(self) -> Hint:
        """What is usually done about it, and where more is said."""
        return hint_for_finding(self.kind, self.chain)

    @property
    def hint(self) -> str:
        """The same in a sentence; empty where the text says it all."""
        return self.advice.text

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {
            "kind": self.kind,
            "bytes_per_job": self.bytes_per_job,
            "allocated_at": self.allocated_at,
            "text": self.text,
            "status": None if self.status is None else self.status.to_dict(),
            "fingerprint": self.fingerprint,
            **self.advice.to_dict(),
            "stack": list(map(str, self.stack)),
            "told": self.told.to_dict(),
            "holders": [holder.to_dict() for holder in self.holders],
        }


@dataclass(frozen=True, slots=True)
class CheckResult(Shown):
    """The answer to "does it leak, and who holds the bytes?".

    Attributes:
        target: what was checked.
        verdict: `leak`, `no-leak` or `inconclusive`.
        interval: bytes per job; None where too few floors were read.
        tolerance: bytes per job below which growth is of no interest.
        meter: the memory the verdict rests on: `traced` (Python's objects), `native` (the process beyond them), `both`.
        jobs: measured jobs, the warm-up left out.
        seconds: the whole check.
        errors: jobs that failed, the warm-up left out.
        floors: (jobs, bytes) of each floor.
        holders: who holds what has come, most bytes first.
        findings: growth without a holder.
        noted: how it was measured, and what else should be known beside the verdict.
        native: bytes per job that the process took beyond Python's objects; None where that was not read.
        provenance: what ran where and how, name by name, for the reader.
        accepted: the verdict is a leak, and a baseline file accepts all of it.
        failure: why the first job that failed did; None where none did.
        sites: the stacks that allocated what the traced jobs left, most bytes first; empty where none were traced.
        small_holders: holders that are below the tolerance, most bytes first.
        traffic: what was observed of a service under its own traffic; None where the check made the load. The interval
            and the tolerance are then bytes per hour where nobody counts jobs.
    """

    target: str
    verdict: Verdict
    interval: Interval | None
    tolerance: float
    meter: str
    jobs: int
    seconds: float
    errors: int
    floors: tuple[tuple[int, int], ...] = ()
    holders: tuple[NamedHolder, ...] = ()
    findings: tuple[Finding, ...] = ()
    noted: tuple[Note, ...] = ()
    native: Interval | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    accepted: bool = False
    failure: Failure | None = None
    sites: tuple[Site, ...] = ()
    small_holders: tuple[NamedHolder, ...] = ()
    traffic: Traffic | None = None

    @property
    def unit(self) -> Unit:
        """What the interval and the tolerance are held against."""
        return Unit.JOB if self.traffic is None else self.traffic.unit

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noted, in sentences."""
        return tuple(map(sentence, self.noted))

    @property
    def parts(self) -> "tuple[NamedHolder | Finding, ...]":
        """The holders, then the findings."""
        held: tuple[NamedHolder | Finding, ...] = self.holders
        return held + self.findings

    @property
    def leading(self) -> tuple[Finding, ...]:
        """The findings that come before the holders."""
        return tuple(one for one in self.findings if one.leads)

    @property
    def following(self) -> tuple[Finding, ...]:
        """The findings that come after them."""
        return tuple(one for one in self.findings if not one.leads)

    @property
    def growth(self) -> Growth | None:
        """What the floors grew by, and how much of it has a name; None for fewer than two floors."""
        if len(self.floors) < 2:
            return None
        (first_jobs, first), (last_jobs, last) = self.floors[0], self.floors[-1]
        jobs = max(last_jobs - first_jobs, 1)
        held = sum(holder.growth_bytes for holder in self.holders)
        counted = [one for one in self.findings if one.kind != "unexplained"]
        small = sum(holder.growth_bytes for holder in self.small_holders)
        return Growth(last - first, jobs, held, round(sum(one.bytes_per_job for one in counted) * jobs), small)

    def to_dict(self) -> dict[str, Any]:
        """The result in the schema `labserver.check/1`."""
        growth, per_job = self.growth, self.unit is Unit.JOB
        return {
            "schema": SCHEMA,
            "target": self.target,
            "verdict": str(self.verdict),
            "accepted": self.accepted,
            "bytes_per_job": None if self.interval is None or not per_job else asdict(self.interval),
            "tolerance_bytes_per_job": self.tolerance if per_job else None,
            "meter": self.meter,
            "jobs": self.jobs,
            "seconds": round(self.seconds, 2),
            "errors": self.errors,
            "failure": None if self.failure is None else self.failure.to_dict(),
            "native_bytes_per_job": None if self.native is None else asdict(self.native),
            "growth": None if growth is None else growth.to_dict(),
            "holders": [holder.to_dict() for holder in self.holders],
            "small_holders": [holder.to_dict() for holder in self.small_holders],
            "findings": [finding.to_dict() for finding in self.findings],
            "sites": [
                {
                    "bytes": site.bytes,
                    "blocks": site.blocks,
                    "allocated_at": list(site.allocated_at),
                    "stack": list(map(str, site.stack)),
                }
                for site in self.sites
            ],
            "notes": list(self.notes),
            "noted": [note.to_dict() for note in self.noted],
            "floors": [{"jobs": jobs, "bytes": size} for jobs, size in self.floors],
            "observed": None if self.traffic is None else self.traffic.to_dict(),
            "provenance": dict(self.provenance),
        }
