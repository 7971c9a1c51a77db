"""What the experiments on the synchronous service measured."""

from dataclasses import dataclass
from http import HTTPStatus

import numpy as np
import numpy.typing as npt

from labserver.incident.experiments.measured import Measured
from labserver.load.traffic_record import TrafficRecord
from labserver.stats.line import Line

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Level(Measured):
    """What so many users met once they had settled.

    Attributes:
        users: N.
        throughput: X, faces a second.
        response_s: R, the mean seconds from the photographs to the face.
        health_s: the time of each look at `/health`; infinite without an answer.
    """

    users: int
    throughput: float
    response_s: float
    health_s: Floats

    @property
    def littles_error(self) -> float:
        """X·R / N − 1: how far Little's law is off."""
        return self.throughput * self.response_s / self.users - 1

    def health_ms(self, percent: float) -> float:
        """A percentile of the looks at `/health`, milliseconds."""
        return float(np.percentile(self.health_s, percent, method="inverted_cdf")) * 1000


@dataclass(frozen=True, slots=True)
class Impatience(Measured):
    """What became of requests whose clients do not wait long enough.

    Attributes:
        answered: faces that reached their clients.
        timed_out: requests given up by their clients.
        inferences: what the AI service finished meanwhile.
    """

    answered: int
    timed_out: int
    inferences: int

    @property
    def timed_out_share(self) -> float:
        """Of all requests that ended."""
        return self.timed_out / max(self.timed_out + self.answered, 1)

    @property
    def wasted_share(self) -> float:
        """Of the inferences: those whose client had gone."""
        return max(1 - self.answered / max(self.inferences, 1), 0.0)


@dataclass(frozen=True, slots=True)
class Backlog(Measured):
    """What waits while more arrives than can be done: how it grew, and how it was predicted to.

    Attributes:
        times_s: seconds since the load began.
        waiting: requests or jobs at those instants.
        growth_per_s: the slope of the line that fits them once the load has settled.
        predicted_per_s: the slope that arrivals − capacity predict.
        predicted_start: the predicted line's value at 0 s.
    """

    times_s: Floats
    waiting: Floats
    growth_per_s: float
    predicted_per_s: float
    predicted_start: float

    @property
    def predicted(self) -> Floats:
        """The predicted line at each instant."""
        return self.predicted_start + self.predicted_per_s * self.times_s


@dataclass(frozen=True, slots=True)
class Overload(Measured):
    """What became of the jobs when more of them arrived than can be done.

    Attributes:
        backlog: the jobs that wait.
        bytes_waiting: their photographs', at the same instants.
        course: what each job met.
    """

    backlog: Backlog
    bytes_waiting: Floats
    course: TrafficRecord

    @property
    def most_waiting(self) -> int:
        """The most jobs that were seen to wait."""
        return int(self.backlog.waiting.max())

    @property
    def refused_share(self) -> float:
        """Of the jobs that were answered: those that were not taken."""
        answered = [job for job in self.course.jobs if job.status is not None]
        return sum(job.status != HTTPStatus.ACCEPTED for job in answered) / max(len(answered), 1)

    @property
    def politely_refused(self) -> bool:
        """Whether every refusal is a 503 that says when to come back."""
        refused = [job for job in self.course.jobs if job.status not in {None, HTTPStatus.ACCEPTED}]
        return all(job.status == HTTPStatus.SERVICE_UNAVAILABLE and job.retry_after for job in refused)

    @property
    def slowest_s(self) -> float | None:
        """The longest that an accepted job took; None where one did not end in a face."""
        taken = [job for job in self.course.jobs if job.status == HTTPStatus.ACCEPTED]
        if not taken or not all(job.ok for job in taken):
            return None
        return max(job.seconds or 0.0 for job in taken)


def events_per_s(instants: list[float]) -> float:
    """The slope of the events' count, which neither a window's edges bend nor batches that march in step."""
    return Line.through(np.sort(instants), range(len(instants))).slope
