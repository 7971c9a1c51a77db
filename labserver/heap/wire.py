"""The messages of the agent: each one's fields, its JSON, and how long its answer may take.

A service that has called `labserver.listen()` may run an older or a newer labserver than the one that asks: keys are
added and never renamed, an unknown one is ignored, and what came later than the first version has a default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from labserver.heap.message import Message


@dataclass(frozen=True, slots=True)
class AnswerTimes:
    """Seconds after which an answer counts as missing.

    Attributes:
        prompt_s: a floor, a switch of the tracing: a floor waits for connections and threads to end, some seconds each.
        look_s: whatever walks the heap: a look may take two children, one after the other, of `child_s` each.
        child_s: one forked child, which is killed then: above what a heap of the largest budget took on a slow machine.
        reading_s: a reading for the watch, which samples every second or two and has gaps rather than pauses.
        quit_s: an application ends in good order, or is killed.
        grace_s: beyond the time that the process itself was given for its answer.
    """

    prompt_s: float = 60.0
    look_s: float = 600.0
    child_s: float = 240.0
    reading_s: float = 2.0
    quit_s: float = 4.0
    grace_s: float = 3.0


ANSWER_TIMES = AnswerTimes()


class MemoryMeter(StrEnum):
    """What a floor's figure was read with, the best first."""

    HEAP = "heap_bytes"  # the allocators' own books
    TRACED = "traced_bytes"  # tracemalloc, where there are no books to read
    PRIVATE = "private_bytes"  # whole pages, from outside of the process


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorReading(Message):
    """The memory at rest; what could not be read is None.

    Attributes:
        heap_bytes: in use by the allocators' books.
        mapped_bytes: mapped directly, beside all allocators.
        traced_bytes: in use as far as tracemalloc knows.
        private_bytes: what no other process shares, resident or swapped out.
        threads: that run.
        collecting: whether the application has left its collector on.
        processes: that were read together, from outside; 1 where an instrument inside was asked.
        spare_bytes: that the C library keeps of freed memory after it was asked to give it back.
    """

    heap_bytes: int | None = None
    mapped_bytes: int | None = None
    traced_bytes: int | None = None
    private_bytes: int | None = None
    threads: int
    collecting: bool
    processes: int = 1
    spare_bytes: int | None = None

    @property
    def meter(self) -> MemoryMeter:
        """The best of the meters that this floor was read with."""
        return next(meter for meter in MemoryMeter if getattr(self, meter) is not None)

    @property
    def used_bytes(self) -> int:
        """The figure of that meter."""
        return int(getattr(self, self.meter))


@dataclass(frozen=True, slots=True)
class FinishedJobs(Message):
    """How many jobs a process has finished since its start.

    Attributes:
        count: of them.
        counted_by: what counts them, such as `gunicorn`.
    """

    count: int
    counted_by: str


@dataclass(frozen=True, slots=True)
class LookCost(Message):
    """What a look took.

    Attributes:
        stall_ms: for which the process was held up: a fork, or the whole look where it was taken in place.
        cpu_s: of processor time, in the process and in its copies.
    """

    stall_ms: float
    cpu_s: float


def jobs_of(told: Mapping[str, Any] | None) -> FinishedJobs | None:
    """Read a count that may not be told."""
    return None if told is None else FinishedJobs.from_json(told)


def cost_of(told: Mapping[str, Any] | None) -> LookCost | None:
    """Read a cost that may not be told."""
    return None if told is None else LookCost.from_json(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineTaken(Message):
    """A look at the heap was remembered, for later ones to be compared with.

    Attributes:
        objects: how many there were.
        bytes: what the allocators gave for them.
        complete: whether the whole heap was seen.
        notes: what could not be, a sentence each.
        jobs: that were finished by then; None where nothing in the process counts them.
        cost: of the look; None from a version that did not tell.
    """

    objects: int = 0
    bytes: int = 0
    complete: bool = True
    notes: tuple[str, ...] = ()
    jobs: FinishedJobs | None = field(default=None, metadata={"read": jobs_of})
    cost: LookCost | None = field(default=None, metadata={"read": cost_of})


@dataclass(frozen=True, slots=True)
class Collected(Message):
    """What one collection freed; the bytes are None where there are no books."""

    objects: int
    bytes: int | None


class LimitKind(StrEnum):
    """What ends a process that takes more memory."""

    GROUP = "control-group"
    ADDRESS_SPACE = "RLIMIT_AS"
    DATA = "RLIMIT_DATA"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class MemoryLimit(Message):
    """The limit that a process reaches first as it grows.

    Attributes:
        kind: of limit.
        limit_bytes: that it allows.
        used_bytes: of these.
    """

    kind: LimitKind = field(metadata={"read": LimitKind})
    limit_bytes: int
    used_bytes: int

    @property
    def left_bytes(self) -> int:
        """What may still come."""
        return max(self.limit_bytes - self.used_bytes, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNow(Message):
    """The memory as it is, without a wait or a collection, for whoever watches.

    Attributes:
        heap_bytes: in use by the allocators' books; None where there are none.
        resident_bytes: resident set size.
        live_jobs: jobs that the services in the process keep; None where none counts its jobs.
        finished_jobs: jobs that they have finished.
    """

    heap_bytes: int | None
    resident_bytes: int
    live_jobs: int | None = None
    finished_jobs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapSaved(Message):
    """A heap was written to a file.

    Attributes:
        objects: how many it has.
        references: between them.
        bytes: of the objects.
        file_bytes: of the file.
        notes: what could not be seen, a sentence each.
    """

    objects: int
    references: int
    bytes: int
    file_bytes: int
    notes: tuple[str, ...] = ()
