"""What is known of the watched service at one instant, and what can tell it."""

import time
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row of the series; what was not read is None, and nothing is ever filled in.

    Attributes:
        t_s: `time.monotonic()` when the figures were there, or when it was clear that there are none; seconds.
        at_s: the same on the wall clock, Unix time.
        heap_bytes: memory in use on the service's own heap.
        resident_bytes: resident set size.
        private_bytes: memory that no other process shares.
        live_jobs: jobs that are kept.
        finished_jobs: jobs finished since the start.
        event: empty, `gap: …`, `restart …`, `another process …` or `ended`.
    """

    t_s: float = field(default_factory=time.monotonic)
    at_s: float = field(default_factory=time.time)
    heap_bytes: float | None = None
    resident_bytes: float | None = None
    private_bytes: float | None = None
    live_jobs: float | None = None
    finished_jobs: float | None = None
    event: str = ""

    @property
    def is_gap(self) -> bool:
        """Whether no memory was read."""
        return self.heap_bytes is None and self.resident_bytes is None

    @property
    def is_of_another(self) -> bool:
        """Whether another process answered than before, which continues nothing."""
        return self.event.startswith(("restart", "another process"))

    def memory(self, *, heap: bool) -> float | None:
        """The heap, or resident memory: one of them is followed through a series, and never both."""
        return self.heap_bytes if heap else self.resident_bytes


class Source(Protocol):
    """Something that can be sampled.

    Attributes:
        what: what is read from where, for people.
    """

    what: str

    def read(self) -> Sample:
        """Sample now; trouble of the service is an event of the sample and no exception."""

    def close(self) -> None:
        """Let go of it."""


class Lifetimes:
    """Tells from the watched process's start time, or from a counter, that it is another one than before."""

    _TOLERANCE_S = 1.5  # an uptime is told in whole seconds by some

    def __init__(self) -> None:
        self._started: float | None = None
        self._latest: float | None = None
        self._count: float | None = None

    def event(self, started_s: float | None, count: float | None) -> str:
        """The event of a sample.

        Args:
            started_s: when the process says that it was started, Unix time.
            count: a counter that only ever grows; looked at where there is no start time.
        """
        event = ""
        if started_s is not None:
            event = self._by_start(started_s)
            self._started = started_s
            self._latest = max(started_s, self._latest or started_s)
        elif count is not None and self._count is not None and count < self._count:
            event = "restart: its counter of jobs began anew"
        self._count = self._count if count is None else count
        return event

    def _by_start(self, started_s: float) -> str:
        if self._started is None or self._latest is None or abs(started_s - self._started) <= self._TOLERANCE_S:
            return ""
        # Several workers behind one address answer in turn: only a start later than any before is a restart.
        if started_s > self._latest + self._TOLERANCE_S:
            return "restart: the process was started anew"
        return "another process answers: several share the address"
