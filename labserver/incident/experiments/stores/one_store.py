"""One store under the script: a real server, a client in another process, a clock that only the script moves."""

import gc
import heapq
import itertools
import threading
import time
import tracemalloc
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import numpy as np
import psutil

from labserver.errors import CannotRun
from labserver.heap.meters import wait_until
from labserver.incident.experiments.stores.client import Answer, ScriptedClient
from labserver.incident.experiments.stores.script import Script, Visit
from labserver.incident.hosting.embedded import EmbeddedServer, embedded
from labserver.incident.service.face import largest_png_bytes
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import (
    DiskJobStore,
    JobStore,
    RedisJobStore,
    SchedulerJobStore,
    StoreUnavailable,
    TimerJobStore,
    TtlJobStore,
)

COLUMNS = ("clock_s", "kept_bytes", "jobs_kept", "threads", "traced_bytes")
_SAMPLE_EVERY_S = 0.02
_IDLE_WITHIN_S = 60.0
_TRIES = 20
_OK, _ACCEPTED, _UNAVAILABLE = 200, 202, 503
# They act at each result's deadline, by real time: they are told whenever the clock has been moved.
_ACT_AT_DEADLINES = (TimerJobStore, SchedulerJobStore, RedisJobStore)


@dataclass(frozen=True, slots=True)
class Floor:
    """Bytes at rest: what the store says it keeps, and what is found.

    Attributes:
        kept_bytes: the images, by the store's own books.
        jobs_kept: the jobs, in whatever state.
        heap_bytes: growth of this process's traced heap since the empty server was at rest.
        elsewhere_bytes: in files or in another process, measured there.
    """

    kept_bytes: int
    jobs_kept: int
    heap_bytes: int
    elsewhere_bytes: int

    @property
    def unaccounted_bytes(self) -> int:
        """What is found beyond the store's books; negative where less is found."""
        return self.heap_bytes + self.elsewhere_bytes - self.kept_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRun:
    """What one store did with the script.

    Attributes:
        store: its name.
        script: the load.
        settings: the server's.
        visits: what each client met.
        long_job: the statuses of the job that ran longer than its time to live: asked then, and its result after it.
        full: at rest after the burst, before anybody fetched of it.
        drained: at rest when everything is older than the time to live and two sweeps.
        failed_kept: records of failed jobs that are kept then.
        given_up_early: results that were not kept any more after the burst, though none was as old as the time to live
            and none of them had been fetched.
        peak_bytes: most image bytes at any sampled instant.
        peak_jobs: most finished jobs kept at one.
        threads_peak: threads beyond those of the empty server.
        cpu_s: the server's processor time under the script, that of its own child processes included.
        p95_ms: of all requests, milliseconds.
        curve: the CSV file of all samples, columns `COLUMNS`.
    """

    store: str
    script: Script
    settings: Settings
    visits: tuple[Visit, ...]
    long_job: tuple[int, int]
    full: Floor
    drained: Floor
    failed_kept: int
    given_up_early: int
    peak_bytes: int
    peak_jobs: int
    threads_peak: int
    cpu_s: float
    p95_ms: float
    curve: Path

    @property
    def finished_jobs(self) -> int:
        """Jobs that the server ran."""
        return sum(visit.accepted for visit in self.visits)

    @property
    def cpu_ms_per_job(self) -> float:
        """Milliseconds of processor time for each of them."""
        return 1000 * self.cpu_s / self.finished_jobs

    @property
    def lost_unread(self) -> int:
        """Results that were gone within their time to live when their clients first came."""
        long_lost = self.long_job[1] != _OK
        return sum(visit.lost_unread(self.script.ttl_s) for visit in self.visits) + long_lost

    @property
    def refused(self) -> int:
        """Jobs that were not taken when they first came."""
        return sum(visit.refused > 0 for visit in self.visits)

    @property
    def unaccounted_bytes(self) -> int:
        """The larger gap of the two floors between the store's books and what is found, in bytes either way."""
        return max(abs(self.full.unaccounted_bytes), abs(self.drained.unaccounted_bytes))


class ScriptClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.began_s = self.now_s = time.time()

    def __call__(self) -> float:
        """Return the Unix time in seconds."""
        return self.now_s


def run_script(settings: Settings, script: Script, client: ScriptedClient, csv: Path) -> StoreRun:
    """Play the script to one store.

    Args:
        settings: of the server; its sweeper does not run, the script sweeps.
        script: the load.
        client: who asks; in another process.
        csv: where the samples are written.

    Raises:
        CannotRun: the store needs what is not installed, or the server does not come to rest.
    """
    clock = ScriptClock()
    with embedded(settings, clock=clock) as server:
        client.ask(server.url, [("status", "nobody")] * 8)  # what every new application makes once
        _rest(server)
        with _Sampler(server, clock, csv) as sampler:
            return _Performance(server, clock, script, client, sampler).play(settings)


class _Performance:
    """The script's events in the order of their instants."""

    def __init__(
        self, server: EmbeddedServer, clock: ScriptClock, script: Script, client: ScriptedClient, sampler: "_Sampler"
    ) -> None:
        self._server = server
        self._store: JobStore = server.service.store
        self._clock = clock
        self._script = script
        self._client = client
        self._sampler = sampler
        self._visits = script.visits()
        self._long_id = server.service.ids.issue()
        self._long_job = [0, 0]
        self._seconds = array("d")
        self._order = itertools.count()
        self._events: list[tuple[float, int, int, Callable[..., None], Visit | None]] = []
        self._heap_at_rest = tracemalloc.get_traced_memory()[0]
        self._elsewhere_at_rest = bytes_elsewhere(self._store)
        self._full: Floor | None = None
        self._early = 0

    def play(self, settings: Settings) -> StoreRun:
        self._plan()
        with _cpu_of_server(self._sampler) as cpu:
            while self._events:
                self._step()
        drained, failed = self._floor(), self._store.counts()[JobState.FAILED]
        assert self._full is not None  # noqa: S101 - it is one of the events
        return StoreRun(
            store=settings.store,
            script=self._script,
            settings=settings,
            visits=tuple(self._visits),
            long_job=(self._long_job[0], self._long_job[1]),
            full=self._full,
            drained=drained,
            failed_kept=failed,
            given_up_early=self._early,
            peak_bytes=self._sampler.peak_bytes,
            peak_jobs=self._sampler.peak_jobs,
            threads_peak=self._sampler.peak_threads,
            cpu_s=cpu[0],
            p95_ms=1000 * float(np.percentile(np.array(self._seconds), 95)),
            curve=self._sampler.csv,
        )

    def _plan(self) -> None:
        script = self._script
        for visit in self._visits:
            self._at(visit.arrives_s, self._submit, visit)
        for instant in script.sweeps_s():
            self._at(instant, self._sweep)
        self._at(0.5, self._begin_long_job)
        self._at(0.5 + 1.2 * script.ttl_s, self._ask_long_job)
        self._at(script.long_done_at_s + 0.5, self._end_long_job)
        self._at(script.long_done_at_s + script.poll_s, self._ask_long_job)
        self._at(script.burst_at_s + 0.5 * script.poll_s, self._look_when_full)

    def _at(self, instant: float, action: Callable[..., None], visit: Visit | None = None) -> None:
        # Of one instant, a sweep comes first: a client who comes at the same moment finds it done.
        rank = 0 if action == self._sweep else 1
        heapq.heappush(self._events, (instant, rank, next(self._order), action, visit))

    def _step(self) -> None:
        """Move the clock to the next instant, and do all of one kind that is due then."""
        instant, _, _, action, _ = self._events[0]
        self._clock.now_s = self._clock.began_s + instant
        if isinstance(self._store, _ACT_AT_DEADLINES):
            self._store.sweep()
        due: list[Visit] = []
        while self._events and self._events[0][0] == instant and self._events[0][3] == action:
            visit = heapq.heappop(self._events)[4]
            if visit is not None:
                due.append(visit)
        action(*([due] if due else []))
        self._sampler.sample()

    def _ask(self, calls: Sequence[tuple[str, int | str]]) -> list[Answer]:
        answers = self._client.ask(self._server.url, calls)
        for answer in answers:
            self._seconds.extend(answer.seconds)
        return answers

    def _submit(self, visits: list[Visit]) -> None:
        answers = self._ask([("submit", visit.turn) for visit in visits])
        if not wait_until(self._server.service.idle, timeout_s=_IDLE_WITHIN_S, poll_s=0.001):
            raise CannotRun(f"the server still had jobs to do after {_IDLE_WITHIN_S:g} s: make the burst smaller")
        for visit, answer in zip(visits, answers, strict=True):
            now = self._now_s()
            if answer.status == _ACCEPTED:
                visit.job_id, visit.done_s = answer.job_id, now
                for ask in visit.asks_s:
                    self._at(now + ask, self._collect, visit)
            elif answer.status == _UNAVAILABLE and visit.refused < _TRIES:
                visit.refused, visit.retry_after_s = visit.refused + 1, answer.retry_after_s
                self._at(now + self._script.retry_after_s, self._submit, visit)

    def _collect(self, visits: list[Visit]) -> None:
        for visit, answer in zip(visits, self._ask([("collect", visit.job_id) for visit in visits]), strict=True):
            visit.answers.append(answer.status)

    def _sweep(self) -> None:
        # Only those that sweep by themselves; an idle store of another kind is left alone, as it would be.
        if isinstance(self._store, TtlJobStore):
            self._store.sweep()

    def _begin_long_job(self) -> None:
        """Play its worker: a real one would have to be held up for as long as the clock is moved."""
        for state in (JobState.PENDING, JobState.RUNNING):
            self._put_long_job(state, None)

    def _end_long_job(self) -> None:
        # Of a usual size, and like any composed image held by nobody else.
        image = bytes(largest_png_bytes(self._server.service.settings.result_px) // 2)
        self._put_long_job(JobState.DONE, image)

    def _put_long_job(self, state: JobState, image: bytes | None) -> None:
        with suppress(StoreUnavailable):  # as a worker would go on; the job's client meets what is left of it
            self._store.put(self._long_id, JobResult(state, image, None, self._clock()))

    def _ask_long_job(self) -> None:
        finished = self._now_s() > self._script.long_done_at_s
        (answer,) = self._ask([("collect" if finished else "status", self._long_id)])
        self._long_job[finished] = answer.status

    def _look_when_full(self) -> None:
        """Let all poll whose results are still to be fetched, count those gone, and take the floor after the burst."""
        unread = [v for v in self._visits if v.accepted and v.group != "failed" and _OK not in v.answers]
        answers = self._ask([("status", visit.job_id) for visit in unread])
        self._early = sum(answer.status != _OK for answer in answers)
        self._full = self._floor()

    def _floor(self) -> Floor:
        _rest(self._server)
        return Floor(
            kept_bytes=self._store.kept_bytes(),
            jobs_kept=len(self._store),
            heap_bytes=tracemalloc.get_traced_memory()[0] - self._heap_at_rest,
            elsewhere_bytes=bytes_elsewhere(self._store) - self._elsewhere_at_rest,
        )

    def _now_s(self) -> float:
        return self._clock.now_s - self._clock.began_s


class _Sampler:
    """Reads the store every 20 ms from a thread of its own, and whenever told; rows go to the file at once."""

    def __init__(self, server: EmbeddedServer, clock: ScriptClock, csv: Path) -> None:
        self.csv = csv
        self.peak_bytes = self.peak_jobs = self.peak_threads = 0
        self.cpu_s = 0.0
        self._store = server.service.store
        self._clock = clock
        self._threads_at_rest = threading.active_count() + 1  # its own
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="labserver-sampler", daemon=True)
        self._file: IO[str] | None = None
        self._heap_at_rest = tracemalloc.get_traced_memory()[0]

    def __enter__(self) -> Self:
        self._file = self.csv.open("w", buffering=1, encoding="utf-8")
        self._file.write(",".join(COLUMNS) + "\n")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._file is not None:
            self._file.close()

    def sample(self) -> None:
        """Read now."""
        with self._lock:
            # Threads first: what the store does while it is asked is not yet part of the load.
            threads = max(0, threading.active_count() - self._threads_at_rest)
            kept, jobs = self._store.kept_bytes(), len(self._store)
            traced = tracemalloc.get_traced_memory()[0] - self._heap_at_rest
            self.peak_bytes, self.peak_jobs = max(self.peak_bytes, kept), max(self.peak_jobs, jobs)
            self.peak_threads = max(self.peak_threads, threads)
            if self._file is not None:
                self._file.write(f"{self._clock.now_s - self._clock.began_s:.3f},{kept},{jobs},{threads},{traced}\n")

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLE_EVERY_S):
            self.sample()
            self.cpu_s = time.thread_time()


@contextmanager
def _cpu_of_server(sampler: _Sampler) -> Iterator[list[float]]:
    """Measure processor time in the block: this process's and the store's children's, without the observer's own."""
    found = [0.0]
    before = _process_cpu_s() - time.thread_time() - sampler.cpu_s
    yield found
    found[0] = _process_cpu_s() - time.thread_time() - sampler.cpu_s - before


def _process_cpu_s() -> float:
    servers = [child for child in psutil.Process().children(recursive=True) if "redis" in child.name()]
    return time.process_time() + sum(sum(server.cpu_times()[:2]) for server in servers)


def bytes_elsewhere(store: JobStore) -> int:
    """Bytes that a store keeps outside this process's heap: in files, or in a server's memory."""
    if isinstance(store, DiskJobStore):
        return store.files_bytes()
    return store.server_bytes() if isinstance(store, RedisJobStore) else 0


def _rest(server: EmbeddedServer) -> None:
    """Wait until nothing is queued, running or connected, and collect garbage."""
    service = server.service
    if not wait_until(lambda: service.idle() and not server.connections(), timeout_s=_IDLE_WITHIN_S, poll_s=0.002):
        raise CannotRun(f"the server did not come to rest within {_IDLE_WITHIN_S:g} s")
    gc.collect()
