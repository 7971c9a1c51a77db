"""One store under the script: a real server, a client in another process, a clock that only the script moves."""

import gc
import heapq
import itertools
import tracemalloc
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from labserver.errors import CannotRun
from labserver.heap.meters import wait_until
from labserver.incident.experiments.stores.client import Answer, Call, ScriptedClient
from labserver.incident.experiments.stores.sampler import StoreSampler
from labserver.incident.experiments.stores.script import Script, ScriptClock, Visit
from labserver.incident.experiments.stores.store_run import Floor, StoreRun
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

_IDLE_WITHIN_S = 60.0
_TRIES = 20
_OK, _ACCEPTED, _UNAVAILABLE = 200, 202, 503
# They act at each result's deadline, by real time: they are told whenever the clock has been moved.
_ACT_AT_DEADLINES = (TimerJobStore, SchedulerJobStore, RedisJobStore)


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
        with StoreSampler(server.service.store, clock, csv) as sampler:
            return _Playback(server, clock, script, client, sampler).play(settings)


class _Playback:
    """The script's events in the order of their instants."""

    def __init__(
        self, server: EmbeddedServer, clock: ScriptClock, script: Script, client: ScriptedClient, sampler: StoreSampler
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
        self._request_s = array("d")  # a list of floats would be the larger part of the heap that is measured
        self._order = itertools.count()
        self._events: list[tuple[float, int, int, Callable[..., None], Visit | None]] = []
        self._heap_at_rest = tracemalloc.get_traced_memory()[0]
        self._elsewhere_at_rest = bytes_elsewhere(self._store)
        self._full: Floor | None = None
        self._early = 0

    def play(self, settings: Settings) -> StoreRun:
        """Do all that the script says, and take the floor at its end."""
        self._plan()
        cpu_before_s = self._sampler.server_cpu_s()
        while self._events:
            self._step()
        cpu_s = self._sampler.server_cpu_s() - cpu_before_s
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
            cpu_s=cpu_s,
            p95_ms=1000 * float(np.percentile(np.array(self._request_s), 95)),
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
        self._clock.move_to(instant)
        if isinstance(self._store, _ACT_AT_DEADLINES):
            self._store.sweep()
        due: list[Visit] = []
        while self._events and self._events[0][0] == instant and self._events[0][3] == action:
            visit = heapq.heappop(self._events)[4]
            if visit is not None:
                due.append(visit)
        action(*([due] if due else []))
        self._sampler.sample()

    def _ask(self, calls: Sequence[Call]) -> list[Answer]:
        answers = self._client.ask(self._server.url, calls)
        for answer in answers:
            self._request_s.extend(answer.seconds)
        return answers

    def _submit(self, visits: list[Visit]) -> None:
        answers = self._ask([("submit", visit.turn) for visit in visits])
        if not wait_until(self._server.service.idle, timeout_s=_IDLE_WITHIN_S, poll_s=0.001):
            raise CannotRun(f"the server still had jobs to do after {_IDLE_WITHIN_S:g} s: make the burst smaller")
        for visit, answer in zip(visits, answers, strict=True):
            now = self._clock.elapsed_s
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
        finished = self._clock.elapsed_s > self._script.long_done_at_s
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
