"""Hostile load: many users with every bad manner, a face-api that dies under them, and the account of it all."""

import gc
import itertools
import random
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import NamedTuple

import psutil

from labserver.heap.meters import wait_until
from labserver.heap.process_memory import heap_bytes
from labserver.incident.hosting.embedded import embedded
from labserver.incident.service.clock import AdjustableClock

from .books import Book, ClientLog, noted
from .chaos import FaceApiUnderFire
from .judge import LOST_FACE_API, Check, Evidence, Floor, Promise, judge, judge_floors
from .users import ACTS, Scene, User
from .wire import FORGED, uploads

SETTINGS = {
    "result_px": 32,
    "max_upload_bytes": 100_000,
    "budget_bytes": 100_000,  # some forty results: there is back-pressure
    "queue_size": 16,
    "workers": 4,
    "ttl_s": 1.0,
    "sweep_s": 0.1,
    "retry_after_s": 0.05,
}
INFERENCE_S = 0.01
READINGS = 3
SETTLE_S = 10.0  # longest wait for threads and descriptors that are about to go


class Figures(NamedTuple):
    """How much there was to judge.

    Attributes:
        accepted: Jobs.
        done: Of them, those with a face.
        failed: Those without.
        gone: Answers that a job was no longer kept.
        refused: Answers that there was no room.
        kept: Results that were counted in the end.
        kills: Of the face-api, during the load.
    """

    accepted: int
    done: int
    failed: int
    gone: int
    refused: int
    kept: int
    kills: int

    @classmethod
    def of(cls, evidence, kills):
        states = Counter(end.state for end in evidence.server.ended)
        answers = Counter(evidence.server.statuses)
        return cls(
            answers[202], states["DONE"], states["FAILED"], answers[410], answers[503], evidence.kept["DONE"], kills
        )


class Outcome(NamedTuple):
    """The checks on a load, and what they were made on."""

    checks: list[Check]
    figures: Figures

    def objections(self):
        """Return what speaks against the server, by the name of the check; nothing, if all is well."""
        return {check.name: check.objections[:5] for check in self.checks if not check.holds}


def hostile_load(  # noqa: PLR0913 - keyword-only, each with a unit of its own
    store,
    *,
    users,
    seconds=0.0,
    visits=None,
    kill_within_s=None,
    acts=tuple(ACTS),
    seed=1,
    warm_visits=2,
    patience_s=60.0,
    rest_s=60.0,
    **settings,
):
    """Put a service under hostile load and say what came of it.

    Args:
        store: The service's retention policy.
        users: How many at the same time.
        seconds: How long.
        visits: How many acts of each user, in place of a time.
        kill_within_s: Longest life of the face-api's process; None: faces are composed by the service itself.
        acts: What the users choose from.
        seed: What they choose by.
        warm_visits: Acts of each user before anything is counted.
        patience_s: Longest wait of a user for the end of a job.
        rest_s: Longest wait for the server to come to rest.
        **settings: Of the service, in place of `SETTINGS`.
    """
    outside = _floor()
    with ExitStack() as stack:
        api = None
        if kill_within_s is not None:
            api = FaceApiUnderFire(result_px=SETTINGS["result_px"], service_time_s=INFERENCE_S)
            stack.enter_context(api)
        stage = _Stage(api, random.Random(seed), patience_s, rest_s, {"store": store, **SETTINGS, **settings})
        stack.enter_context(stage)
        stage.warm(acts)
        stage.load(users, visits=warm_visits, acts=acts)
        before = stage.floor()
        kills = 0 if api is None else api.kills
        evidence = stage.load(users, seconds=seconds, visits=visits, acts=acts, kill_within_s=kill_within_s)
        checks = judge(evidence, stage.promise)
        figures = Figures.of(evidence, api.kills - kills if api is not None else 0)
        del evidence
        serving = before, stage.floor(before)
        del stage
    orphans = [] if api is None else api.orphans()
    checks += judge_floors((serving, (outside, _floor(outside))), orphans, figures.accepted)
    return Outcome(checks, figures)


class HeldClock(AdjustableClock):
    """A clock that can be held still, so that nothing expires while it is counted."""

    def __init__(self):
        super().__init__()
        self._held = None

    def __call__(self):
        held = self._held
        return super().__call__() if held is None else held

    def advance(self, seconds):
        super().advance(seconds)
        if self._held is not None:
            self._held += seconds

    def hold(self):
        self._held = super().__call__()

    def release(self):
        self._held = None


class _Stage:
    """A server, with what it promises, and everybody's notes."""

    def __init__(self, api, rng, patience_s, rest_s, settings):
        self._api = api
        self._rng = rng
        self._patience_s = patience_s
        self._rest_s = rest_s
        self._settings = settings
        self._clock = HeldClock()
        self._book = Book()
        self._uploads = uploads(settings["result_px"], settings["max_upload_bytes"])
        self._stack = ExitStack()
        self._server = self._scene = None
        self.promise = Promise(
            ttl_s=settings["ttl_s"],
            evicts_read=settings["store"] == "byte-budget",
            faces=self._uploads.faces,
            reasons=LOST_FACE_API if api is not None else frozenset(),
        )

    def __enter__(self):
        with ExitStack() as stack:
            stack.enter_context(noted(self._settings["store"], self._book))
            face_api = self._api.url if self._api is not None else ""
            self._server = stack.enter_context(embedded(clock=self._clock, face_api=face_api, **self._settings))
            self._scene = Scene(self._server.port, self._clock, self._uploads, itertools.count(1), self._patience_s)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def warm(self, acts):
        """Do everything once: what is imported and kept for the first of its kind is not what a load leaves."""
        user = self._user(ClientLog())
        for act in acts:
            user.visit(act)

    def load(self, users, *, seconds=0.0, visits=None, acts, kill_within_s=None):
        """Let the users in, wait until the server is at rest, and count."""
        log = ClientLog()
        self._book.take()
        finished = self._server.service.finished_jobs()
        stop = threading.Event()
        crowd = [self._user(log) for _ in range(users)]
        with ThreadPoolExecutor(users + 1) as pool:
            try:
                staying = [pool.submit(user.stay, acts, stop, visits) for user in crowd]
                chaos = []
                if kill_within_s is not None:
                    chaos = [pool.submit(self._api.under_fire, stop, self._another_rng(), kill_within_s)]
                wait(staying, timeout=seconds if visits is None else None, return_when=FIRST_EXCEPTION)
            finally:
                stop.set()
        for future in [*staying, *chaos]:
            future.result()
        # From here on nothing expires, and there are results whose bytes can be counted.
        self._clock.hold()
        for user in crowd:
            user.visit("fetch twice")
            user.visit("never fetch")
        unrest = self._unrest()
        server = self._book.take()
        evidence = Evidence(log, server, frozenset({FORGED}), unrest)
        evidence.finished = self._server.service.finished_jobs() - finished
        self._audit(evidence)
        return evidence

    def floor(self, before=None):
        """Bring the server into a state that is always the same, and read the process at rest.

        A new face-api ends all connections to the old one, and a single job opens one to the new.
        """
        if self._api is not None:
            self._api.kill()
            self._api.revive()
        self._user(ClientLog()).visit("a good journey")
        self._unrest()
        self._server.service.expire()
        self._book.take()
        return _floor(before)

    def _user(self, log):
        return User(self._scene, log, self._another_rng())

    def _another_rng(self):
        return random.Random(self._rng.random())

    def _unrest(self):
        """Wait until nothing moves, and return what still does."""
        server, service = self._server, self._server.service
        # Connections are accepted in turn: once this one is, there is none left whose client has gone already.
        with self._user(ClientLog()).connected() as user:
            user.ask("status", FORGED)
        if wait_until(lambda: not server.connections() and service.idle(), timeout_s=self._rest_s):
            return ""
        return f"{server.connections()} connections; the queue is {'idle' if service.idle() else 'not idle'}"

    def _audit(self, evidence):
        """Ask for every job, while the service's time stands still, and let all expire in the end."""
        service = self._server.service
        service.store.sweep()
        evidence.now = self._clock()
        evidence.kept_bytes, evidence.kept = service.store.kept_bytes(), _by_name(service.store.counts())
        jobs = {entry.job_id for entry in evidence.server.handled if entry.job_id}
        jobs.update(evidence.server.begun, (end.job_id for end in evidence.server.ended))
        jobs.update(upload.job_id for upload in evidence.clients.submissions if upload.job_id)
        with self._user(ClientLog()).connected() as auditor:
            for job_id in jobs:
                status = auditor.ask("status", job_id)
                evidence.audit[job_id] = status, auditor.ask("result", job_id) if status.state == "DONE" else None
        service.expire()
        evidence.left_bytes, evidence.left = service.store.kept_bytes(), _by_name(service.store.counts())
        self._clock.release()


def _by_name(counts):
    return {str(state): count for state, count in counts.items()}


def _floor(before=None):
    """Read what the process has at rest, the least of some readings; what is about to end is waited for."""
    if before is not None:
        wait_until(lambda: threading.active_count() <= before.threads, timeout_s=SETTLE_S)
        wait_until(lambda: psutil.Process().num_fds() <= before.descriptors, timeout_s=SETTLE_S)
    readings = []
    for _ in range(READINGS):
        time.sleep(0.05)  # a connection is off the books a moment before its descriptor is
        gc.collect()
        readings.append(Floor(threading.active_count(), psutil.Process().num_fds(), heap_bytes()))
    return Floor(*(None if None in values else min(values) for values in zip(*readings, strict=True)))
