"""The one load that all stores get: who comes when, by a clock that the script moves; nothing here is random.

The clock stands still while a request is served, so the instants are the same for every store and on every machine, and
ten minutes last as long as the requests in them.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from labserver.incident.experiments.measured import Measured
from labserver.incident.experiments.stores.client import FAILING_TURN

LATE_GROUPS = ("in time", "late", "swept")
"""Clients who come shortly before the time to live is over, shortly after it, and after the next sweep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script(Measured):
    """The load's size and times.

    Attributes:
        steady_jobs: jobs that come one by one before the burst; of four, one is fetched twice and one never.
        burst_jobs: jobs that come at the same instant; their clients fetch within half a minute.
        late_jobs: jobs for each of `LATE_GROUPS`.
        failed_jobs: jobs of which no face can be composed.
        ttl_s: the time to live, seconds of the script's clock.
        sweep_s: the same clock's seconds from one sweep to the next.
        poll_s: how long after its job's completion a client comes.
        epsilon_s: how long before or after the end of the time to live the late ones come.
        retry_after_s: what a client that is refused is told; it comes again that often.
    """

    steady_jobs: int = 16
    burst_jobs: int = 40
    late_jobs: int = 2
    failed_jobs: int = 2
    ttl_s: float = 600.0
    sweep_s: float = 60.0
    poll_s: float = 3.0
    epsilon_s: float = 1.0
    retry_after_s: float = 30.0

    @property
    def burst_at_s(self) -> float:
        """When the burst comes: before the first result has expired."""
        return 0.8 * self.ttl_s

    @property
    def long_done_at_s(self) -> float:
        """When the job ends that runs for one and a half times its time to live."""
        return 1.5 * self.ttl_s

    @property
    def end_s(self) -> float:
        """When everything is older than the time to live and two sweeps."""
        return _after(self.long_done_at_s + self.ttl_s, self.sweep_s) + 2 * self.sweep_s

    def sweeps_s(self) -> list[float]:
        """The instants of all sweeps."""
        return [number * self.sweep_s for number in range(1, round(self.end_s / self.sweep_s) + 1)]

    def visits(self) -> list["Visit"]:
        """One visit for each job, in the order of their arrivals."""
        return sorted(
            [*self._steady(), *self._failed(), *self._burst(), *self._late()], key=lambda visit: visit.arrives_s
        )

    def _steady(self) -> list["Visit"]:
        kinds = (("once", (self.poll_s,)), ("twice", (self.poll_s, self.ttl_s / 10)), ("once", (self.poll_s,)))
        apart = 0.7 * self.ttl_s / self.steady_jobs
        cycle = (*kinds, ("never", ()))
        return [
            Visit(cycle[number % 4][0], 1 + number * apart, cycle[number % 4][1], turn=number)
            for number in range(self.steady_jobs)
        ]

    def _failed(self) -> list["Visit"]:
        return [Visit("failed", 0.72 * self.ttl_s, (self.poll_s,), turn=FAILING_TURN) for _ in range(self.failed_jobs)]

    def _burst(self) -> list["Visit"]:
        # Ten polls' time: the first readers make room while the last results are still to be read.
        return [
            Visit("burst", self.burst_at_s, (self.poll_s * (1 + number % 10),), turn=number)
            for number in range(self.burst_jobs)
        ]

    def _late(self) -> list["Visit"]:
        # After the burst; the end of their time lies half-way between two sweeps.
        expiry = _after(1.85 * self.ttl_s, self.sweep_s) + self.sweep_s / 2
        arrives = expiry - self.ttl_s
        asks = (self.ttl_s - self.epsilon_s, self.ttl_s + self.epsilon_s, self.ttl_s + self.sweep_s)
        return [
            Visit(group, arrives, (ask,), turn=number)
            for group, ask in zip(LATE_GROUPS, asks, strict=True)
            for number in range(self.late_jobs)
        ]


class ScriptClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self._began_s = time.time()
        self.elapsed_s = 0.0

    def __call__(self) -> float:
        """Return the Unix time in seconds."""
        return self._began_s + self.elapsed_s

    def move_to(self, instant_s: float) -> None:
        """Move it to so many seconds after the script's beginning."""
        self.elapsed_s = instant_s


@dataclass(slots=True)
class Visit(Measured):
    """One client: when it comes, when it fetches, and what it met.

    Attributes:
        group: what it is an example of.
        arrives_s: when it first submits.
        asks_s: when it asks for its result, in seconds from its job's completion.
        turn: which photographs it uploads.
        job_id: empty until the job is accepted.
        done_s: when the job was finished.
        refused: how often it was told to come again.
        retry_after_s: what it was then told.
        answers: the HTTP status of each asking.
    """

    group: str
    arrives_s: float
    asks_s: tuple[float, ...]
    turn: int = 0
    job_id: str = ""
    done_s: float = 0.0
    refused: int = 0
    retry_after_s: float = 0.0
    answers: list[int] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether the job was taken at last."""
        return bool(self.job_id)

    def lost_unread(self, ttl_s: float) -> bool:
        """Whether the client came in time, for the first time, and got no result."""
        return self.comes_in_time(ttl_s) and self.answers[:1] != [200]

    def comes_in_time(self, ttl_s: float) -> bool:
        """Whether there is a result and its client comes while it should be had."""
        there = self.accepted and self.group != "failed"
        return there and bool(self.asks_s) and self.asks_s[0] <= ttl_s


def said(visits: Sequence[Visit], group: str, *, asking: int = 0) -> str:
    """What the clients of one group were told, the most frequent status first: `200`, or `410 and 200`."""
    statuses = Counter(visit.answers[asking] for visit in visits if visit.group == group and visit.accepted)
    return " and ".join(str(status) for status, _ in statuses.most_common()) or "none"


def _after(instant: float, period: float) -> float:
    """The first multiple of a period after an instant."""
    return (instant // period + 1) * period
