"""The judge of the hostile load names what is wrong, by the right check and no other, and is quiet where nothing is."""

import itertools
import os
import random
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from labserver.incident.service import runtime
from labserver.incident.service.ids import JobIds
from labserver.incident.service.job_queue import JobQueue
from labserver.incident.service.jobs import JobState
from labserver.incident.service.runtime import Service
from labserver.incident.service.stores import STORES, TtlJobStore

sys.path.insert(0, str(Path(__file__).parents[2]))
from hostile import judge as checks
from hostile.books import Answer, ClientLog, Ended, Handled, ServerLog, Submission
from hostile.chaos import FaceApiUnderFire
from hostile.judge import Evidence, Floor, Promise, judge, judge_floors
from hostile.load import HeldClock, hostile_load
from hostile.users import ACTS, Scene, User
from hostile.wire import FORGED, uploads

# Of the load's own twelve jobs and twelve first fetches: 6 jobs and 11 fetches come before it.
NTH = 14
FACES = [b"face 0", b"face 1"]
PROMISE = Promise(ttl_s=10.0, evicts_read=False, faces=FACES, reasons=frozenset({"No face."}))


def wrong(found):
    return {check.name for check in found if not check.holds}


def loaded(**options):
    """Load a small service whose results live long, so that nothing depends on how fast it all goes."""
    defaults = {"users": 2, "visits": 6, "acts": ("a good journey",), "warm_visits": 0, "ttl_s": 600.0}
    return set(hostile_load("ttl", **(defaults | options)).objections())


def test_a_service_without_a_fault_is_found_to_have_none():
    assert loaded(acts=tuple(ACTS), visits=30, warm_visits=4) == set()


# -- stores with a fault


class Losing(TtlJobStore):
    """Forgets one job as it is done."""

    def put(self, job_id, result):
        super().put(job_id, result)
        if result.state is JobState.DONE and next(self.turn) == NTH:
            with self._lock:
                self._drop(job_id)


class Miscounting(TtlJobStore):
    """Is a byte out each time something goes."""

    def _drop(self, job_id):
        self._bytes += job_id in self._jobs
        super()._drop(job_id)


class Keeping(TtlJobStore):
    """Takes one job for as young as ever."""

    def put(self, job_id, result):
        if result.state is JobState.DONE and next(self.turn) == NTH:
            result = replace(result, error="kept")
        super().put(job_id, result)

    def _is_expired(self, result):
        return result.error != "kept" and super()._is_expired(result)


class Failing(TtlJobStore):
    """Has an error of its own, once."""

    def take(self, job_id):
        if next(self.turn) == NTH:
            raise RuntimeError("a bug")
        return super().take(job_id)


@pytest.mark.parametrize(
    ("store", "named"),
    [
        (Losing, checks.NOT_EARLY),
        (Miscounting, checks.BYTES),
        (Keeping, checks.NOT_LATE),
        (Failing, checks.ALLOWED),
    ],
)
def test_a_stores_fault_has_one_name(monkeypatch, store, named):
    monkeypatch.setattr(store, "turn", itertools.count(1), raising=False)
    monkeypatch.setitem(STORES, "ttl", store)
    assert loaded() == {named}


# -- services with a fault


def runs_a_job_twice(patch):
    run, turn = JobQueue._run, itertools.count(1)
    patch(JobQueue, "_run", lambda queue, task: run(queue, task) and (next(turn) != NTH or run(queue, task)))


def never_ends_a_job(patch):
    run, turn = JobQueue._run, itertools.count(1)

    def leave(queue, task):
        if next(turn) == NTH:
            queue._put(task.job_id, JobState.RUNNING)
            return True
        return run(queue, task)

    patch(JobQueue, "_run", leave)


def drops_a_queued_job(patch):
    run, turn = JobQueue._run, itertools.count(1)
    patch(JobQueue, "_run", lambda queue, task: next(turn) != NTH and run(queue, task))


def makes_two_jobs_of_one(patch):
    issue, submit, turn = JobIds.issue, JobQueue.submit, itertools.count(1)
    issuers = set()

    def remember(ids):
        issuers.add(ids)
        return issue(ids)

    def twice(queue, job_id, *photos):
        submit(queue, job_id, *photos)
        if next(turn) == NTH:
            submit(queue, issue(*issuers), *photos)

    patch(JobIds, "issue", remember)
    patch(JobQueue, "submit", twice)


def gives_an_id_twice(patch):
    issue, turn, issued = JobIds.issue, itertools.count(1), []

    def again(ids):
        issued.append(issued[-1] if next(turn) == NTH else issue(ids))
        return issued[-1]

    patch(JobIds, "issue", again)


def never_rests(patch):
    patch(Service, "idle", lambda _: False)


def composing(behave):
    """Make a fault of something that happens with the n-th face."""

    def plant(patch):
        compose, turn = runtime.compose, itertools.count(1)

        def composed(*photos, **options):
            image = compose(*photos, **options)
            return (behave(image) or image) if next(turn) == NTH else image

        patch(runtime, "compose", composed)

    return plant


def fail(_):
    raise ValueError("a bug")


@pytest.mark.parametrize(
    ("plant", "named"),
    [
        (runs_a_job_twice, checks.ENDS_ONCE),
        (never_ends_a_job, checks.ENDS_ONCE),
        (drops_a_queued_job, checks.ENDS_ONCE),
        (makes_two_jobs_of_one, checks.ENDS_ONCE),
        (gives_an_id_twice, checks.TAKEN_ONCE),
        (never_rests, checks.AT_REST),
        (composing(lambda image: image[:-1]), checks.OWN_FACE),
        (composing(fail), checks.SAYS_WHY),
    ],
)
def test_a_services_fault_has_one_name(monkeypatch, plant, named):
    plant(monkeypatch.setattr)
    assert loaded(patience_s=2.0, **({"rest_s": 1.5} if plant is never_rests else {})) == {named}


def test_what_the_process_keeps_has_one_name(monkeypatch):
    release, opened, kept = threading.Event(), [], []

    def start(_):
        threading.Thread(target=release.wait, daemon=True).start()

    faults = {
        checks.THREADS: start,
        checks.DESCRIPTORS: lambda _: opened.append(os.open(os.devnull, os.O_RDONLY)),
        checks.HEAP: lambda _: kept.append(bytes(2_000_000)),
    }
    monkeypatch.setattr("hostile.load.SETTLE_S", 2.0)
    try:
        for named, fault in faults.items():
            with monkeypatch.context() as patch:
                composing(fault)(patch.setattr)
                assert loaded() == {named}
    finally:
        release.set()
        for descriptor in opened:
            os.close(descriptor)


# -- evidence with a fault


def evidence():
    """Return what two jobs leave, one fetched, one of a client who had left; two more uploads came to nothing."""
    done = Answer("a", "status", 200, 5.0, "DONE"), Answer("a", "result", 200, 5.0, face=FACES[0], size=100)
    failed = Answer("b", "status", 200, 5.0, "FAILED", "No face."), None
    submissions = [
        Submission(1, "a good journey", 0, status=202, job_id="a"),
        Submission(2, "leave without reading", 1, stays=False),
        Submission(3, "leave in mid-upload", 1, stays=False, complete=False),
        Submission(4, "a bomb", None, status=422),
    ]
    return Evidence(
        clients=ClientLog(submissions, [*done, Answer("x", "status", 404, 5.0)]),
        server=ServerLog(
            [202, 202, 422, 200, 404],
            [Handled(1, 202, "a"), Handled(2, 202, "b"), Handled(4, 422, None)],
            {"a"},
            ["a", "b"],
            [Ended("a", "DONE", 1.0), Ended("b", "FAILED", 1.0)],
        ),
        forged=frozenset({"x"}),
        finished=2,
        now=5.0,
        audit={"a": done, "b": failed},
        kept_bytes=100,
        kept={"DONE": 1, "FAILED": 1, "PENDING": 0},
        left={"DONE": 0},
    )


def test_evidence_without_a_fault_is_quiet():
    assert wrong(judge(evidence(), PROMISE)) == set()


FAULTS = {
    "a client without an answer": (lambda e: e.clients.broken.append("no answer"), checks.ANSWERED),
    "an error of the server's that nobody read": (lambda e: e.server.statuses.append(500), checks.ALLOWED),
    "a forged id that is served": (
        lambda e: e.clients.answers.append(Answer("x", "result", 200, 5.0, face=FACES[0])),
        checks.ALLOWED,
    ),
    "a bomb that is not refused": (
        lambda e: (
            setattr(e.clients.submissions[3], "status", 400),
            e.server.handled.__setitem__(2, Handled(4, 400, None)),
        ),
        checks.ALLOWED,
    ),
    "a submission that is taken twice": (lambda e: e.server.handled.append(Handled(4, 422, None)), checks.TAKEN_ONCE),
    "a job that only its client knows": (lambda e: setattr(e.clients.submissions[0], "job_id", "c"), checks.SAME_COUNT),
    "a job of half an upload": (lambda e: setattr(e.clients.submissions[1], "complete", False), checks.SAME_COUNT),
    "a submission of nobody": (lambda e: e.server.handled.append(Handled(9, 503, None)), checks.SAME_COUNT),
    "a connection that stays": (lambda e: setattr(e, "unrest", "1 connection"), checks.AT_REST),
    "a job that ended twice": (lambda e: e.server.ended.append(Ended("b", "DONE", 1.0)), checks.ENDS_ONCE),
    "a job that was not counted": (lambda e: setattr(e, "finished", 1), checks.ENDS_ONCE),
    "a job begun for nobody": (lambda e: e.server.begun.append("c"), checks.ENDS_ONCE),
    "a result that is gone too early": (
        lambda e: e.clients.answers.append(Answer("b", "status", 410, 11.0)),
        checks.NOT_EARLY,
    ),
    "a read result that is gone too early": (
        lambda e: e.clients.answers.append(Answer("a", "result", 410, 11.0)),
        checks.NOT_EARLY,
    ),
    "a result that is too old": (lambda e: setattr(e, "now", 11.5), checks.NOT_LATE),
    "a result that never goes": (lambda e: setattr(e, "left", {"DONE": 1}), checks.NOT_LATE),
    "a failure without a reason": (
        lambda e: e.clients.answers.append(Answer("b", "status", 200, 5.0, "FAILED")),
        checks.SAYS_WHY,
    ),
    "somebody else's face": (
        lambda e: e.clients.answers.append(Answer("a", "result", 200, 5.0, face=FACES[1])),
        checks.OWN_FACE,
    ),
    "a done job without a face": (
        lambda e: (e.audit.__setitem__("a", (e.audit["a"][0], None)), setattr(e, "kept_bytes", 0)),
        checks.OWN_FACE,
    ),
    "a byte too many": (lambda e: setattr(e, "kept_bytes", 101), checks.BYTES),
    "a byte of nothing": (lambda e: setattr(e, "left_bytes", 1), checks.BYTES),
    "a job too few": (lambda e: setattr(e, "kept", {"DONE": 1}), checks.BYTES),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_evidence_has_one_name(fault):
    plant, named = FAULTS[fault]
    planted = evidence()
    plant(planted)
    assert wrong(judge(planted, PROMISE)) == {named}


@pytest.mark.parametrize(("job_id", "named"), [("a", set()), ("b", {checks.NOT_EARLY})])
def test_only_read_results_may_make_room(job_id, named):
    seen = evidence()
    seen.clients.answers.append(Answer(job_id, "status", 410, 11.0))
    assert wrong(judge(seen, replace(PROMISE, evicts_read=True))) == named


def test_expired_results_may_be_gone():
    seen = evidence()
    seen.clients.answers.append(Answer("b", "status", 410, 11.5))
    assert wrong(judge(seen, PROMISE)) == set()


BEFORE = Floor(threads=10, descriptors=20, heap=10**6)


@pytest.mark.parametrize(
    ("after", "orphans", "named"),
    [
        (BEFORE, [], set()),
        (BEFORE._replace(threads=9, descriptors=19), [], set()),
        (BEFORE._replace(heap=10**6 + checks.ALLOWANCE + 100 * checks.TOLERANCE), [], set()),
        (BEFORE._replace(heap=10**6 + checks.ALLOWANCE + 100 * checks.TOLERANCE + 1), [], {checks.HEAP}),
        (BEFORE._replace(heap=None), [], set()),
        (BEFORE._replace(threads=11), [], {checks.THREADS}),
        (BEFORE._replace(descriptors=21), [], {checks.DESCRIPTORS}),
        (BEFORE, [4711], {checks.PROCESSES}),
    ],
)
def test_a_floor_that_is_not_reached_has_one_name(after, orphans, named):
    same = BEFORE, BEFORE
    assert wrong(judge_floors(((BEFORE, after), same), orphans, 100)) == named
    if after.heap == BEFORE.heap:  # which is compared where jobs are counted
        assert wrong(judge_floors((same, (BEFORE, after)), orphans, 100)) == named


# -- the parts


def test_a_process_that_lives_is_told_from_one_that_does_not():
    with FaceApiUnderFire(result_px=32) as api:
        port = api.port
        api.kill()
        assert api.orphans() == []
        api.revive()
        assert api.port == port
        assert api.orphans() == api.pids[1:]
    assert api.orphans() == []
    assert (api.kills, len(set(api.pids))) == (1, 2)


def test_a_missed_answer_is_noted():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up():
            for _ in range(2):
                listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        log = ClientLog()
        scene = Scene(listener.getsockname()[1], float, uploads(32, 10), itertools.count(), 1)
        for act in ("a good journey", "a forged id"):
            User(scene, log, random.Random(1)).visit(act)
        thread.join()
    assert [entry.split(":")[0] for entry in log.broken] == ["a good journey", "a forged id"]


def test_a_held_clock_moves_by_advances_alone_and_never_back():
    clock = HeldClock()
    clock.hold()
    held = clock()
    assert clock() == held
    clock.advance(100)
    assert clock() == held + 100
    clock.release()
    assert clock() >= held + 100


def test_a_forged_id_has_the_shape_of_a_real_one():
    assert len(FORGED) == len(JobIds(lambda: 1.7e9).issue())
