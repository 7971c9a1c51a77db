"""The experiment that the notebooks share: load a server in cycles, and read the floor after each."""

import json
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from labserver.diagnosis.decide.decision import Decision, decide
from labserver.diagnosis.decide.evidence import Evidence, Gain
from labserver.diagnosis.decide.rules import Rules
from labserver.errors import CannotRun
from labserver.heap.meters import Meter, Reading, wait_until
from labserver.heap.monitor import Curve, Jitter, Monitor
from labserver.heap.tracemalloc_tools import tracing
from labserver.incident.experiments.leak.live import live_curve
from labserver.incident.experiments.measured import Measured
from labserver.incident.hosting.embedded import EmbeddedServer, embedded
from labserver.incident.service.clock import AdjustableClock
from labserver.incident.service.ids import JobIds
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import create_store
from labserver.load import Progress, Summary, VirtualUsers, virtual_users
from labserver.stats.floor_noise import FLOOR_NOISE
from labserver.stats.interval import Interval, bytes_per_job
from labserver.suite.status_line import StatusLine

# Not zero: Python keeps but one empty bytes object.
_EMPTY = 64
_REDRAWN_S = 0.5  # as often as the users tell of their progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload(Measured):
    """What the virtual users do. `duration_s` is one cycle's; users finish the iteration they are in."""

    users: int = 5
    duration_s: float = 30.0
    poll_interval_s: float = 3.0
    max_polls: int = 40
    seed: int = 0
    photos: str = ""


@dataclass(slots=True)
class Experiment:
    """A server under load with its instruments; made by `experiment`, used inside its block.

    Attributes:
        server: the embedded server.
        users: the virtual users, in a process of their own.
        monitor: samples this process all the while.
        floors: readings at rest, in the order taken.
        live: whether the curve is drawn while it grows.
        swept_while_waiting: jobs that the store dropped by itself during `wait_for_expiry`.
    """

    server: EmbeddedServer
    users: VirtualUsers
    monitor: Monitor
    meter: Meter
    load: Workload
    status_line: StatusLine
    threads_at_rest: int
    summaries_file: Path
    live: bool = False
    cycles: int = 0
    swept_while_waiting: int = 0
    floors: list[Reading] = field(default_factory=list)

    def warm_up(self, jobs: int) -> Reading:
        """Run some jobs that do not count, let their results expire, and take the first floor.

        Lazy imports, caches and pools fill during the first jobs; that growth ends and is no leak.
        """
        self.monitor.mark("warm-up")
        self.status_line.say(f"{self.store}: warm-up, {jobs} jobs")
        self.users.run(iterations=jobs)
        self._drain()
        self.age_results()
        return self.floor()

    def cycle(self) -> None:
        """Run the load once and wait until the server has nothing left to do; results may still be kept."""
        self.cycles += 1
        self.monitor.mark("load")
        self.status_line.say(
            f"{self.store}: cycle {self.cycles}, {self.load.users} users for {self.load.duration_s:g} s"
        )
        summary = self.users.run(duration_s=self.load.duration_s)
        # To a file at once: kept summaries would be growth of the observer's own.
        with self.summaries_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(summary.to_dict()) + "\n")
        self._drain()
        self.monitor.mark("drained")

    def verify(self, *, warmup_jobs: int, cycles: int) -> float:
        """Warm up, run load cycles with a floor after each, and wait for the TTL in real time before the last floor.

        The earlier cycles' results are aged by moving the store's clock, which shows the same sweep at work and saves
        one TTL's wait each; the last drain proves it against the wall clock.

        Returns:
            The seconds waited.
        """
        self.warm_up(warmup_jobs)
        for _ in range(cycles - 1):
            self.cycle()
            self.age_results()
            self.floor()
        self.cycle()
        waited = self.wait_for_expiry()
        self.floor()
        return waited

    def age_results(self) -> int:
        """Move the store's clock past the TTL and sweep, which any result outlives only in a store that keeps it.

        Returns:
            How many jobs the sweep removed.
        """
        return self.server.service.expire()

    def wait_for_expiry(self) -> float:
        """Wait, in real time, for one TTL and two sweeps.

        Returns:
            The seconds waited.
        """
        settings = self.server.service.settings
        seconds = settings.ttl_s + 2 * settings.sweep_s
        self.status_line.say(f"{self.store}: waiting {seconds:g} s, longer than the TTL of {settings.ttl_s:g} s")
        kept = self.server.service.live_jobs()
        due = time.monotonic() + seconds
        while (left := due - time.monotonic()) > 0:
            time.sleep(min(left, _REDRAWN_S))
            self.draw()
        self.monitor.mark("TTL passed")
        self.swept_while_waiting = kept - self.server.service.live_jobs()
        return seconds

    def draw(self) -> None:
        """Show the curve so far to whoever watches: from the thread that takes the floors, so that none has a part."""
        if self.live and self.status_line.is_watched:
            self.status_line.draw(live_curve(self.monitor.curve))

    def floor(self) -> Reading:
        """Take a floor and remember it."""
        reading = self.meter.floor(threads=self.threads_at_rest)
        self.floors.append(reading)
        self.status_line.say(
            f"{self.store}: floor {len(self.floors) - 1} at {reading.finished_jobs} jobs: "
            f"{reading.traced_bytes / 2**20:.1f} MiB traced, {reading.live_jobs} jobs kept"
        )
        return reading

    def bytes_per_job(self, *, confidence: float = 0.99) -> Interval:
        """The floors' slope on finished jobs."""
        jobs = [reading.finished_jobs for reading in self.floors]
        return bytes_per_job(jobs, [reading.traced_bytes for reading in self.floors], confidence=confidence)

    def decide(self, *, tolerance: float, confidence: float = 0.99) -> Decision:
        """What the floors, and the number of kept jobs at each, say by the rules of `labserver check`.

        Args:
            tolerance: bytes per job below which growth is of no interest.
            confidence: of the interval.
        """
        first, last = self.floors[0], self.floors[-1]
        jobs = [reading.finished_jobs - first.finished_jobs for reading in self.floors]
        gained = tuple(reading.live_jobs - first.live_jobs for reading in self.floors[1:])
        size = (last.traced_bytes - first.traced_bytes) / max(gained[-1], 1)
        kept = (Gain(self.store, tuple(jobs[1:]), gained, size),) if gained[-1] > 0 else ()
        evidence = Evidence(jobs, [reading.traced_bytes for reading in self.floors], kept, jobs[-1], final=True)
        # One look at few floors: the risk is that of the interval that is shown.
        noise, risk = FLOOR_NOISE.shared_process, 2 * (1 - confidence)
        rules = Rules(tolerance, confidence, noise, risk=risk, wanders=False)
        return decide(evidence, rules)

    def summaries(self) -> list[Summary]:
        """What the users met, cycle by cycle, without the warm-up."""
        lines = self.summaries_file.read_text(encoding="utf-8").splitlines()
        return [Summary.from_dict(json.loads(line)) for line in lines]

    def mean_png_bytes(self) -> float:
        """The mean size of all results that the users fetched in the cycles."""
        sizes = [summary.png_bytes for summary in self.summaries()]
        jobs = sum(size.count for size in sizes)
        if not jobs:
            raise CannotRun("no user fetched a result: see the failed checks in the load's summary")
        return sum(size.count * (size.mean or 0.0) for size in sizes) / jobs

    @property
    def store(self) -> str:
        """The retention policy under study, by name."""
        return self.server.service.settings.store

    @property
    def curve(self) -> Curve:
        """What the monitor read so far."""
        return self.monitor.curve

    @property
    def jitter(self) -> Jitter:
        """How late the monitor's samples came."""
        return self.monitor.jitter

    def _drain(self) -> None:
        # An open connection keeps the buffers of its last request, up to a photograph's size.
        at_rest = wait_until(lambda: self.server.service.idle() and not self.server.connections(), timeout_s=60.0)
        if not at_rest:
            raise CannotRun(
                "the server still had jobs to do 60 s after the load ended: lower the users or service_time_s"
            )


@contextmanager
def experiment(  # noqa: PLR0913 - all but two by keyword
    settings: Settings, load: Workload, *, csv: Path, sample_interval_s: float, frames: int = 1, live: bool = False
) -> Iterator[Experiment]:
    """Start the server in this process, the users in another and the monitor; leave nothing of them behind.

    Args:
        settings: the server's.
        load: the users'.
        csv: where the monitor writes its readings.
        sample_interval_s: seconds from one to the next.
        frames: how many frames tracemalloc keeps of each allocation; 1 is enough for totals, and 0 leaves tracing to
            `trace_growth`.
        live: draw the curve while it grows, where somebody watches.
    """
    running: list[Experiment] = []

    def on_progress(_: Progress) -> None:
        for each in running:
            each.draw()

    with (
        tracing(frames) if frames else nullcontext(),
        embedded(settings) as server,
        virtual_users(
            server.url,
            on_progress=on_progress,
            users=load.users,
            poll_interval_s=load.poll_interval_s,
            max_polls=load.max_polls,
            seed=load.seed,
            photos=load.photos or None,
        ) as users,
    ):
        service = server.service
        meter = Meter(lambda: (service.live_jobs(), service.finished_jobs()))
        status_line = StatusLine()
        with Monitor(meter, interval_s=sample_interval_s, csv_path=csv) as monitor:
            summaries = csv.with_suffix(".loads.jsonl")
            summaries.write_text("", encoding="utf-8")
            threads = threading.active_count()
            made = Experiment(server, users, monitor, meter, load, status_line, threads, summaries, live=live)
            running.append(made)
            try:
                yield made
            finally:
                running.clear()
                status_line.draw("")


def record_bytes(settings: Settings, *, records: int = 2000) -> float:
    """What a store keeps of a job besides its image, in bytes: id, record, dictionary entry.

    Measured with results of no content in a store of its own.
    """
    clock = AdjustableClock()
    store, ids = create_store(settings, clock), JobIds(clock)
    store.start()
    with tracing(1):
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(records):
            store.put(ids.issue(), JobResult(JobState.DONE, bytes(_EMPTY), None, clock()))
        after = tracemalloc.get_traced_memory()[0]
    store.close()
    return (after - before) / records - _EMPTY
