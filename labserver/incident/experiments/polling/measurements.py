"""What the clients and the server did while somebody polled, read from the load's own file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from labserver.incident.experiments.measured import Measured
from labserver.load import Summary
from labserver.stats.interval import Interval, mean_of

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Polls(Measured):
    """The polls of one group of clients.

    Attributes:
        start_s: when each was sent, Unix time, in rising order.
        end_s: when each was answered, in the same order.
        jobs: the id of the job each was about, in the same order.
    """

    start_s: Floats
    end_s: Floats
    jobs: tuple[str, ...]

    def __len__(self) -> int:
        """How many there were."""
        return len(self.start_s)

    def until(self, at_s: float) -> int:
        """How many had been sent by then."""
        return int(np.searchsorted(self.start_s, at_s, side="right"))

    def peak(self, window_s: float) -> int:
        """The most that were sent within any window of that length."""
        if not len(self):
            return 0
        ahead = np.searchsorted(self.start_s, self.start_s + window_s, side="left")
        return int((ahead - np.arange(len(self))).max())


@dataclass(frozen=True, slots=True)
class ClientGroup(Measured):
    """Clients that polled alike for jobs that never finish.

    Attributes:
        polls: what they sent.
        summary: of their load.
        connections_end: which they held when the experiment was stopped.
        ended_s: when the last of them had ended by itself, seconds after the start; None where one was stopped.
    """

    polls: Polls
    summary: Summary
    connections_end: int
    ended_s: float | None

    @property
    def told(self) -> str:
        """What they were told at the end."""
        return self.summary.first_failure or "nothing: it was stopped by the experiment"


@dataclass(frozen=True, slots=True)
class EndlessPolling(Measured):
    """Two groups of clients that polled one service at the same time, with a cap and without.

    Attributes:
        began_s: Unix time of their start.
        observed_s: seconds from then to the stop.
        workers_held: jobs that were running at the stop.
    """

    capped: ClientGroup
    unbounded: ClientGroup
    began_s: float
    observed_s: float
    workers_held: int

    def after_the_cap(self, group: ClientGroup) -> int:
        """How many polls a group sent when the capped clients had given up; none if they never did."""
        ended = self.observed_s if self.capped.ended_s is None else self.capped.ended_s
        return len(group.polls) - group.polls.until(self.began_s + ended)


@dataclass(frozen=True, slots=True)
class Herd(Measured):
    """Clients that began at once and polled by one policy until they knew."""

    policy: str
    polls: Polls
    began_s: float
    notice_s: Floats

    @property
    def name(self) -> str:
        """The policy's, as the findings spell it."""
        return self.policy.replace("-", "_")

    @property
    def mean_notice(self) -> Interval:
        """Seconds from a job's end to its client's knowing it: the mean, with a 99 % interval."""
        return mean_of(self.notice_s)


def read_polls(path: Path) -> Polls:
    """The polls in a load's JSON lines, by when they were sent."""
    rows = sorted(_answered_polls(path))
    start, end, jobs = zip(*rows, strict=True) if rows else ((), (), ())
    return Polls(np.array(start), np.array(end), tuple(jobs))


def _answered_polls(path: Path) -> Iterator[tuple[float, float, str]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.endswith("\n"):  # the load is still writing it
                return
            point = json.loads(line)
            tags = point["data"].get("tags", {})
            if point["metric"] == "http_req_duration" and tags.get("name") == "status":
                end = datetime.fromisoformat(point["data"]["time"]).timestamp()
                yield end - point["data"]["value"] / 1e3, end, unquote(tags["url"].rpartition("/")[2])
