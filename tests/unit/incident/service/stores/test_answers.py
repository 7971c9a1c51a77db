"""What each store makes a client be told: the status codes of a whole service, store by store and case by case."""

import pytest

from labserver.incident.service import Settings, create_app
from labserver.incident.service.jobs import JobResult, JobState

TTL = 600

# For a finished job: its result a second before the time to live is over, a second after it but before any sweep,
# and after a sweep; the result fetched a second time; and a sweep after ten times the time to live, never fetched.
#                   in time  late  swept  twice  never fetched
RESULTS = {
    "leaky":          (200,  200,  200,   200,   200),
    "ttl":            (200,  200,  410,   200,   410),
    "ttl-lazy":       (200,  410,  410,   200,   410),
    "timer":          (200,  200,  410,   200,   410),
    "scheduler":      (200,  200,  410,   200,   410),
    "weak":           (410,  410,  410,   410,   410),
    "soft":           (200,  200,  410,   200,   410),
    "evict-on-fetch": (200,  200,  200,   410,   200),
    "lru-count":      (200,  200,  200,   200,   200),
    "byte-budget":    (200,  410,  410,   200,   410),
    "disk":           (200,  410,  410,   200,   410),
    "redis":          (200,  410,  410,   200,   410),
}  # fmt: skip
# What stays of it in the store a sweep after ten times the time to live: images of 3 bytes.
KEPT_FOR_EVER = {"leaky", "ttl-lazy", "evict-on-fetch", "lru-count"}
# A failed job's status is there until the job is let go, its result is a conflict until then.
FAILED_JOBS_STAY = {"leaky", "evict-on-fetch", "lru-count"}


class Client:
    def __init__(self, name, clock):
        self.clock = clock
        self.app = create_app(Settings(store=name, ttl_s=TTL, sweep_s=10**6), clock=clock)
        self.service = self.app.extensions["labserver"]
        self.service.store.start()
        self.client = self.app.test_client()

    def job(self, state=JobState.DONE, image=b"png", error=None):
        job_id = self.service.ids.issue()
        for stage in (JobState.PENDING, JobState.RUNNING):
            self.service.store.put(job_id, JobResult(stage, None, None, self.clock()))
        if state.finished:
            self.service.store.put(job_id, JobResult(state, image, error, self.clock()))
        return job_id

    def result(self, job_id, method="GET"):
        return self.client.open(f"/api/images/result/{job_id}", method=method).status_code

    def status(self, job_id):
        return self.client.get(f"/api/images/status/{job_id}").status_code

    def wait(self, seconds, *, swept=False):
        self.clock.now += seconds
        if swept:
            self.service.store.sweep()


@pytest.fixture
def client(store_name, clock):
    client = Client(store_name, clock)
    yield client
    client.service.close()


def test_a_result_asked_for_in_time_and_late(client, store_name):
    in_time, late, swept, _, _ = RESULTS[store_name]
    jobs = [client.job() for _ in range(3)]
    client.wait(TTL - 1)
    assert client.result(jobs[0]) == in_time
    client.wait(2)
    assert client.result(jobs[1]) == late
    client.wait(0, swept=True)
    assert client.result(jobs[2]) == swept


def test_a_result_fetched_twice(client, store_name):
    *_, twice, _ = RESULTS[store_name]
    job_id = client.job()
    assert client.result(job_id) == RESULTS[store_name][0]
    assert client.result(job_id) == twice
    assert client.status(job_id) == twice


def test_asking_for_the_headers_or_the_status_fetches_nothing(client, store_name):
    job_id = client.job()
    expected = RESULTS[store_name][0]
    assert [client.result(job_id, "HEAD"), client.status(job_id), client.result(job_id)] == [expected] * 3


def test_a_result_never_fetched(client, store_name):
    job_id = client.job()
    client.wait(10 * TTL, swept=True)
    assert client.service.store.kept_bytes() == (3 if store_name in KEPT_FOR_EVER else 0)
    assert client.result(job_id) == RESULTS[store_name][-1]


def test_a_failed_job(client, store_name):
    job_id = client.job(JobState.FAILED, image=None, error="No face.")
    gone = store_name == "weak"
    assert (client.status(job_id), client.result(job_id)) == ((410, 410) if gone else (200, 409))
    assert client.service.store.kept_bytes() == 0
    client.wait(TTL + 1, swept=True)
    stays = store_name in FAILED_JOBS_STAY
    assert (client.status(job_id), client.result(job_id)) == ((200, 409) if stays else (410, 410))


def test_a_job_that_runs_longer_than_the_time_to_live(client, store_name):
    running, waiting = client.job(JobState.RUNNING), client.job(JobState.PENDING)
    client.wait(10 * TTL, swept=True)
    assert (client.status(running), client.status(waiting)) == (200, 200)
    assert (client.result(running), client.result(waiting)) == (409, 409)
    client.service.store.put(running, JobResult(JobState.DONE, b"png", None, client.clock()))
    client.wait(TTL - 1)
    assert client.result(running) == RESULTS[store_name][0]


def test_an_id_that_was_never_issued(client):
    assert (client.status("nobody"), client.result("nobody")) == (404, 404)


def test_every_store_is_in_the_table(store_name):
    assert store_name in RESULTS
