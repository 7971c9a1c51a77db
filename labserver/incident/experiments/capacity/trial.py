"""What a service did under a hard limit of its memory.

Death is the first job that is neither done nor refused properly (503 with Retry-After): a job that FAILED, another
answer of 4xx or 5xx, no answer at all, as after the end of the process, whichever comes first.
"""

from collections import Counter
from dataclasses import dataclass

from labserver.incident.experiments.capacity.forecast import Readings
from labserver.incident.experiments.capacity.scheduled_clients import DONE, Attempt
from labserver.incident.experiments.measured import Measured
from labserver.incident.service.settings import Settings

LATE_SHARE = 0.05
"""A trial of which something was later than by that share of its length is another experiment."""


@dataclass(frozen=True, slots=True)
class Trial(Measured):
    """What one service did.

    Attributes:
        settings: the service's.
        room: bytes that its address space may grow by.
        rate_per_s: jobs that arrived per second.
        readings: its address space against jobs, relative to that at which the limit was set.
        attempts: the clients' jobs, in the order in which they ended.
        ended_s: how long it was under load.
        process_alive: whether the process was still there after the load.
        health: what `/health` said then.
        fetched: what the accepted jobs' clients got who came back then, counted.
        taken_again: what the clients met who came after that.
        cpu_s: CPU that the process spent under the load.
    """

    settings: Settings
    room: int
    rate_per_s: float
    readings: Readings
    attempts: list[Attempt]
    ended_s: float
    process_alive: bool
    health: str
    fetched: Counter[str]
    taken_again: Counter[str]
    cpu_s: float

    @property
    def death(self) -> Attempt | None:
        """The first failure, or None for a service that survived."""
        return next((attempt for attempt in self.attempts if attempt.failed), None)

    @property
    def survived(self) -> bool:
        """Whether nothing failed and the service was well afterwards."""
        return self.death is None and self.process_alive and self.health == "HTTP 200"

    def count(self, outcome: str) -> int:
        """How many attempts ended so before the death, or altogether."""
        death = self.death
        return sum(a.outcome == outcome for a in self.attempts if death is None or a.t_s <= death.t_s)

    @property
    def jobs(self) -> int:
        """Jobs done before the death, or altogether."""
        return self.count(DONE)

    @property
    def failures(self) -> str:
        """Everything that failed, by kind, the most frequent first."""
        kinds = Counter(attempt.outcome for attempt in self.attempts if attempt.failed)
        return ", ".join(f"{count} × {kind.rstrip('.')}" for kind, count in kinds.most_common()) or "nothing"

    @property
    def afterwards(self) -> str:
        """How the service was after the load."""
        process = "the process lives" if self.process_alive else "the process has ended"
        old = ", ".join(f"{count} × {kind}" for kind, count in self.fetched.most_common()) or "none asked for"
        new = ", ".join(f"{count} × {kind.rstrip('.')}" for kind, count in self.taken_again.most_common())
        return f"{process}, /health: {self.health}; earlier results: {old}; new jobs: {new}"

    @property
    def late_s(self) -> float:
        """By how much clients came late, or jobs before the death ended late, at the worst.

        The machine is then too slow, or has other things to do.
        """
        death, ends = self.death, enumerate(attempt.t_s for attempt in self.attempts)
        behind = [t_s - number / self.rate_per_s for number, t_s in ends if death is None or t_s < death.t_s]
        return max([attempt.late_s for attempt in self.attempts] + behind, default=0.0)
