"""The experiments on the synchronous service and on the queue that took its place.

The model's time is slept, so a slow machine changes little; capacity is threads ÷ inference time at any scale.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

import numpy as np
import numpy.typing as npt
import requests

from labserver.errors import CannotRun
from labserver.incident.hosting.embedded import EmbeddedServer, embedded
from labserver.incident.hosting.face_api import FaceApiProcess, face_api_process
from labserver.incident.service.faceapi import FaceSettings
from labserver.load.course import Course
from labserver.load.traffic import Traffic, traffic
from labserver.stats.line import Line
from labserver.suite.progress import Progress

UNBOUNDED = 1_000_000
"""The size of a queue that stands for one without a bound."""

Floats = npt.NDArray[np.float64]
_SAMPLE_S = 0.05
_FEWEST = 3
_UNDISTURBED = 0.05
_RETRIES = 2
_REST_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is fixed in all experiments.

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


@dataclass(frozen=True, slots=True)
class Level:
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
class Impatience:
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
class Growth:
    """A line that grows: what was measured against time, and what was predicted of it.

    Attributes:
        times_s: seconds since the load began.
        values: what was measured then.
        slope: of the fitted line once the load has settled, a second.
        predicted: the slope that arrivals and capacity predict.
        offset: the predicted line's value at 0 s.
    """

    times_s: Floats
    values: Floats
    slope: float
    predicted: float
    offset: float

    @property
    def error(self) -> float:
        """How far the slope is from its prediction, as a share of that."""
        return self.slope / self.predicted - 1.0


@dataclass(frozen=True, slots=True)
class Overload:
    """The queue's fate when more jobs arrive than can be done.

    Attributes:
        growth: of the jobs that wait.
        bytes_waiting: their photographs', at the same instants.
        course: what each job met.
    """

    growth: Growth
    bytes_waiting: Floats
    course: Course

    @property
    def most_waiting(self) -> int:
        """The most jobs that were seen to wait."""
        return int(self.growth.values.max())

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


class Theatre:
    """The AI service and the traffic, each in a process of its own; a gateway is started for each experiment.

    Attributes:
        scene: what is fixed.
    """

    def __init__(self, scene: Scene, face: FaceApiProcess, source: Traffic) -> None:
        self.scene = scene
        self._face = face
        self._traffic = source
        self._progress = Progress()

    def level(self, users: int, *, journey: str = "compose") -> Level:
        """Let so many users work in a closed loop.

        In a loop that has settled Little's law must hold. Where it is off by more than a twentieth, something else held
        the machine up: the level is measured again, twice at most, and the last measurement counts.

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
        scene = self.scene
        from_s = scene.settled_s(users)
        to_s = from_s + scene.measure_s
        self._progress.say(f"{journey}: {users} users for {to_s:.1f} s")
        with self._gateway(queue_size=max(users, 64)) as gateway:
            course = self._traffic.closed(
                gateway.url,
                users=users,
                duration_s=to_s,
                ramp_s=scene.inference_s,
                journey=journey,
                poll_interval_s=scene.poll_interval_s,
                probe_interval_s=scene.probe_interval_s,
                probe_timeout_s=10.0 + 2 * from_s,
            )
        done = course.finished(from_s, to_s)
        if len(done) < _FEWEST:
            raise CannotRun(f"{users} users finished {len(done)} faces within {to_s:.1f} s: raise measure_s.")
        response_s = float(np.mean([job.seconds for job in done]))
        return Level(users, _rate([job.end_s for job in done]), response_s, course.health_s(from_s, to_s))

    def impatience(self, users: int, timeout_s: float) -> Impatience:
        """Let users give up after `timeout_s` and ask again, and count what the AI service does for them."""
        duration_s = self.scene.settled_s(users) + self.scene.measure_s
        self._progress.say(f"{users} users who wait for {timeout_s:.2f} s")
        before = self._at_rest()
        with self._gateway() as gateway:
            course = self._traffic.closed(
                gateway.url, users=users, duration_s=duration_s, ramp_s=self.scene.inference_s, timeout_s=timeout_s
            )
        answered = sum(job.ok for job in course.jobs)
        timed_out = sum(job.error == "timed out" for job in course.jobs)
        return Impatience(answered, timed_out, self._at_rest() - before)

    def arrivals(self, rate: float, seconds: float, *, capacity: float) -> Growth:
        """Let requests for faces arrive at a fixed rate, and follow how many are under way.

        Args:
            rate: requests a second.
            seconds: how long.
            capacity: faces a second that the prediction reckons with.
        """
        self._progress.say(f"{rate:.1f} arrivals a second for {seconds:g} s")
        with self._gateway() as gateway:
            course = self._traffic.open(gateway.url, rate=rate, duration_s=seconds)
        times = np.arange(0.0, seconds, _SAMPLE_S)
        # What is in service from the first inference's end on, and what is added to it since.
        offset = capacity * self.scene.inference_s
        return self._growth(times, course.backlog(times), rate - capacity, offset)

    def overload(self, rate: float, seconds: float, *, capacity: float, queue_size: int, finish: bool) -> Overload:
        """Let jobs arrive at a fixed rate at a queue of some size.

        Args:
            rate: jobs a second.
            seconds: how long.
            capacity: faces a second that the prediction reckons with.
            queue_size: jobs that may wait; `UNBOUNDED` for any number.
            finish: whether to wait for the jobs that were taken.
        """
        scene = self.scene
        self._progress.say(f"{rate:.1f} jobs a second for {seconds:g} s, at most {queue_size:,} of them waiting")
        finish_s = 3 * (rate * seconds / capacity + scene.inference_s) if finish else 0.0
        with self._gateway(queue_size=queue_size) as gateway, _Sampler(gateway) as sampler:
            course = self._traffic.open(
                gateway.url,
                rate=rate,
                duration_s=seconds,
                journey="analyze",
                poll_interval_s=scene.poll_interval_s,
                finish_s=finish_s,
            )
        times, jobs, sizes = sampler.until(course.began, seconds)
        return Overload(self._growth(times, jobs, rate - capacity, 0.0), sizes, course)

    def _growth(self, times: Floats, values: Floats, predicted: float, offset: float) -> Growth:
        settled = times > 2 * self.scene.inference_s
        return Growth(times, values, Line.through(times[settled], values[settled]).slope, predicted, offset)

    @contextmanager
    def _gateway(self, *, queue_size: int = 64) -> Iterator[EmbeddedServer]:
        scene = self.scene
        with embedded(
            store="ttl",
            face_api=self._face.url,
            face_timeout_s=3600.0,
            http_threads=scene.pool,
            workers=scene.pool,
            queue_size=queue_size,
            result_px=scene.result_px,
        ) as gateway:
            yield gateway
        self._at_rest()

    def _at_rest(self) -> int:
        """Wait until the AI service has nothing left to do, and return how many inferences it has finished."""
        deadline = time.monotonic() + _REST_WITHIN_S + self.scene.inference_s
        with requests.Session() as session:
            session.trust_env = False  # no proxy between this machine and itself
            while True:
                figures = session.get(f"{self._face.url}/health", timeout=_REST_WITHIN_S).json()
                if not figures["busy"] + figures["waiting"]:
                    return int(figures["finished"])
                if time.monotonic() > deadline:
                    raise CannotRun("The face-api does not come to rest.")
                time.sleep(_SAMPLE_S / 2)


def _rate(instants: list[float]) -> float:
    """Events a second: the slope of their count, which neither a window's edges bend nor batches that march in step."""
    return Line.through(np.sort(instants), range(len(instants))).slope


class _Sampler:
    """Looks at a gateway's queue at even intervals for the length of a `with` block."""

    def __init__(self, gateway: EmbeddedServer) -> None:
        self._gateway = gateway
        self._rows: list[tuple[float, int, int]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="labserver-queue-sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def until(self, began: float, seconds: float) -> tuple[Floats, Floats, Floats]:
        """Times, jobs that waited, and their bytes, for so many seconds since `began`."""
        rows = np.array(self._rows, dtype=float)
        rows[:, 0] -= began
        rows = rows[(rows[:, 0] >= 0) & (rows[:, 0] < seconds)]
        return rows[:, 0], rows[:, 1], rows[:, 2]

    def _work(self) -> None:
        while not self._stopping.wait(_SAMPLE_S):
            self._rows.append((time.monotonic(), *self._gateway.service.queue.waiting()))


@contextmanager
def theatre(scene: Scene, *, seed: int = 0) -> Iterator[Theatre]:
    """Start the AI service and the traffic's process, and leave nothing of them behind.

    Args:
        scene: what is fixed in all experiments.
        seed: of the photographs' variation.
    """
    settings = FaceSettings(service_time_s=scene.inference_s, workers=scene.pool, result_px=scene.result_px)
    with face_api_process(settings) as face, traffic(seed) as source:
        yield Theatre(scene, face, source)
