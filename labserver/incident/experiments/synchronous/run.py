"""The experiments on the synchronous service and on the queue that took its place.

The model's time is slept, so a slow machine changes little; capacity is threads ÷ inference time at any scale.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import requests

from labserver.errors import CannotRun
from labserver.incident.experiments.measured import Measured
from labserver.incident.experiments.synchronous.measurements import (
    Backlog,
    Floats,
    Impatience,
    Level,
    Overload,
    events_per_s,
)
from labserver.incident.experiments.synchronous.queue_sampler import SAMPLE_S, QueueSampler
from labserver.incident.hosting.embedded import EmbeddedServer, embedded
from labserver.incident.hosting.face_api import FaceApiProcess, face_api_process
from labserver.incident.service.faceapi import FaceSettings
from labserver.load.traffic import Traffic, traffic
from labserver.stats.line import Line
from labserver.suite.status_line import StatusLine

UNBOUNDED = 1_000_000
"""The size of a queue that stands for one without a bound."""

# Through two points there is always a line: a rate needs three.
_FEWEST_FACES = 3
# In a loop that has settled Little's law is off by less, however slow the machine is.
_UNDISTURBED = 0.05
_RETRIES = 2
_REST_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions(Measured):
    """What all experiments have in common.

    Attributes:
        pool: request threads of the gateway; it has as many workers for jobs, and the AI service as many inferences.
        inference_s: seconds of one inference.
        measure_s: seconds of each measurement, after a warm-up of one response time.
        probe_interval_s: seconds between two looks at `/health`.
        poll_interval_s: seconds between two polls of a job.
        result_px: side of a face; small, so that the model's time is slept and not worked.
    """

    pool: int
    inference_s: float
    measure_s: float
    probe_interval_s: float
    poll_interval_s: float
    result_px: int = 96

    @property
    def capacity(self) -> float:
        """Faces a second that the pool can wait for at most."""
        return self.pool / self.inference_s

    def settled_s(self, users: int) -> float:
        """Seconds after which as many users have come into their rhythm: one response time and one ramp."""
        return (max(users / self.pool, 1.0) + 1.0) * self.inference_s


class Experiments:
    """The AI service and the traffic, each in a process of its own; each experiment starts a gateway for itself."""

    def __init__(self, conditions: Conditions, face: FaceApiProcess, source: Traffic) -> None:
        self._conditions = conditions
        self._face = face
        self._traffic = source
        self._status_line = StatusLine()

    def level(self, users: int, *, journey: str = "compose") -> Level:
        """Let so many users work in a closed loop.

        In a loop that has settled Little's law must hold. Where it is off by more than a twentieth, something else
        disturbed the machine: the level is measured again, twice at most, and the last measurement counts.

        Args:
            users: how many.
            journey: `compose` waits for the face in the request, `analyze` polls a job of the queue.

        Raises:
            CannotRun: too few faces were finished.
        """
        level = self._level(users, journey)
        for _ in range(_RETRIES):
            if abs(level.littles_error) <= _UNDISTURBED:
                break
            level = self._level(users, journey)
        return level

    def _level(self, users: int, journey: str) -> Level:
        conditions = self._conditions
        from_s = conditions.settled_s(users)
        to_s = from_s + conditions.measure_s
        self._status_line.say(f"{journey}: {users} users for {to_s:.1f} s")
        with self._gateway(queue_size=max(users, 64)) as gateway:
            course = self._traffic.closed(
                gateway.url,
                users=users,
                duration_s=to_s,
                ramp_s=conditions.inference_s,
                journey=journey,
                poll_interval_s=conditions.poll_interval_s,
                probe_interval_s=conditions.probe_interval_s,
                probe_timeout_s=10.0 + 2 * from_s,
            )
        done = course.finished(from_s, to_s)
        if len(done) < _FEWEST_FACES:
            raise CannotRun(f"{users} users finished {len(done)} faces within {to_s:.1f} s: raise measure_s.")
        response_s = float(np.mean([job.seconds for job in done]))
        return Level(users, events_per_s([job.end_s for job in done]), response_s, course.health_s(from_s, to_s))

    def impatience(self, users: int, timeout_s: float) -> Impatience:
        """Let users give up after `timeout_s` and ask again, and count what the AI service does for them."""
        duration_s = self._conditions.settled_s(users) + self._conditions.measure_s
        self._status_line.say(f"{users} users who wait for {timeout_s:.2f} s")
        before = self.finished_inferences()
        with self._gateway() as gateway:
            course = self._traffic.closed(
                gateway.url,
                users=users,
                duration_s=duration_s,
                ramp_s=self._conditions.inference_s,
                timeout_s=timeout_s,
            )
        answered = sum(job.ok for job in course.jobs)
        timed_out = sum(job.error == "timed out" for job in course.jobs)
        return Impatience(answered, timed_out, self.finished_inferences() - before)

    def arrivals(self, rate: float, seconds: float, *, capacity: float) -> Backlog:
        """Let requests for faces arrive at a fixed rate, and follow how many are under way.

        Args:
            rate: requests a second.
            seconds: how long.
            capacity: faces a second that the prediction reckons with.
        """
        self._status_line.say(f"{rate:.1f} arrivals a second for {seconds:g} s")
        with self._gateway() as gateway:
            course = self._traffic.open(gateway.url, rate=rate, duration_s=seconds)
        times = np.arange(0.0, seconds, SAMPLE_S)
        # From the first inference's end on as many are in service; the backlog is added to them.
        in_service = capacity * self._conditions.inference_s
        return self._backlog(times, course.backlog(times), rate - capacity, in_service)

    def overload(self, rate: float, seconds: float, *, capacity: float, queue_size: int, finish: bool) -> Overload:
        """Let jobs arrive at a fixed rate at a queue of some size.

        Args:
            rate: jobs a second.
            seconds: how long.
            capacity: faces a second that the prediction reckons with.
            queue_size: jobs that may wait; `UNBOUNDED` for any number.
            finish: whether to wait for the jobs that were taken.
        """
        conditions = self._conditions
        self._status_line.say(f"{rate:.1f} jobs a second for {seconds:g} s, at most {queue_size:,} of them waiting")
        finish_s = 3 * (rate * seconds / capacity + conditions.inference_s) if finish else 0.0
        with self._gateway(queue_size=queue_size) as gateway, QueueSampler(gateway) as sampler:
            course = self._traffic.open(
                gateway.url,
                rate=rate,
                duration_s=seconds,
                journey="analyze",
                poll_interval_s=conditions.poll_interval_s,
                finish_s=finish_s,
            )
        times, jobs, sizes = sampler.until(course.began, seconds)
        return Overload(self._backlog(times, jobs, rate - capacity, 0.0), sizes, course)

    def _backlog(self, times: Floats, waiting: Floats, predicted_per_s: float, predicted_start: float) -> Backlog:
        settled = times > 2 * self._conditions.inference_s
        growth_per_s = Line.through(times[settled], waiting[settled]).slope
        return Backlog(times, waiting, growth_per_s, predicted_per_s, predicted_start)

    @contextmanager
    def _gateway(self, *, queue_size: int = 64) -> Iterator[EmbeddedServer]:
        conditions = self._conditions
        with embedded(
            store="ttl",
            face_api=self._face.url,
            face_timeout_s=3600.0,
            http_threads=conditions.pool,
            workers=conditions.pool,
            queue_size=queue_size,
            result_px=conditions.result_px,
        ) as gateway:
            yield gateway
        self.finished_inferences()

    def finished_inferences(self) -> int:
        """Wait until the AI service has nothing left to do, and return how many inferences it has finished."""
        deadline = time.monotonic() + _REST_WITHIN_S + self._conditions.inference_s
        with requests.Session() as session:
            session.trust_env = False  # no proxy between this machine and itself
            while True:
                figures = session.get(f"{self._face.url}/health", timeout=_REST_WITHIN_S).json()
                if not figures["busy"] + figures["waiting"]:
                    return int(figures["finished"])
                if time.monotonic() > deadline:
                    raise CannotRun("The face-api does not come to rest.")
                time.sleep(SAMPLE_S / 2)


@contextmanager
def experiments(conditions: Conditions, *, seed: int = 0) -> Iterator[Experiments]:
    """Start the AI service and the traffic's process, and leave nothing of them behind.

    Args:
        conditions: what all experiments have in common.
        seed: of the photographs' variation.
    """
    settings = FaceSettings(
        service_time_s=conditions.inference_s, workers=conditions.pool, result_px=conditions.result_px
    )
    with face_api_process(settings) as face, traffic(seed) as source:
        yield Experiments(conditions, face, source)
