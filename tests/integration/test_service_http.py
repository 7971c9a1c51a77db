"""The service over real sockets, as a client sees it."""

import contextlib
import gc
import io
import re
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from PIL import Image

import labserver
from labserver.incident.hosting.embedded import embedded
from labserver.incident.service.jobs import JobResult, JobState

PHOTOS = Path(labserver.__file__).parent / "load" / "photos"
ASTRONAUT = (PHOTOS / "astronaut.jpg").read_bytes()
PHOTOGRAPHER = (PHOTOS / "photographer.jpg").read_bytes()
# Bytes per action: what the libraries' bounded caches still take in, and a fifth of the smallest photograph.
NOISE = 10_000
BOTH = {"parentA": ASTRONAUT, "parentB": PHOTOGRAPHER}


class Client:
    """One user with one connection that is kept alive."""

    def __init__(self, server):
        self.server = server
        self.session = requests.Session()

    def call(self, method, path, **options):
        return self.session.request(method, self.server.url + path, timeout=60, **options)

    def submit(self, files=BOTH):
        return self.call("POST", "/api/images/analyze", files=files)

    def status(self, job_id):
        return self.call("GET", f"/api/images/status/{job_id}")

    def result(self, job_id):
        return self.call("GET", f"/api/images/result/{job_id}")

    def finish(self, job_id):
        deadline = time.monotonic() + 60
        while (body := self.status(job_id).json())["status"] in {"PENDING", "RUNNING"}:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return body


@pytest.fixture
def serve():
    contexts, clients = [], []

    def start(**settings):
        context = embedded(**settings)
        client = Client(context.__enter__())
        contexts.append(context)
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.session.close()
    for context in contexts:
        context.__exit__(None, None, None)


def problem(answer, status, type_):
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["type"]) == (status, status, type_)
    assert body["title"]
    assert body["detail"]
    return body["detail"]


def test_the_journey_ends_in_an_image_that_may_be_fetched_twice(serve):
    client = serve()
    accepted = client.submit()
    assert accepted.status_code == 202
    job_id = accepted.json()["jobId"]
    assert client.call("GET", accepted.headers["Location"]).json()["jobId"] == job_id
    assert client.finish(job_id)["status"] == "DONE"
    first, second = client.result(job_id), client.result(job_id)
    assert first.headers["Content-Type"] == "image/png"
    assert first.content == second.content
    with Image.open(io.BytesIO(first.content)) as image:
        assert image.size == (384, 384)


def test_one_connection_serves_the_whole_journey(serve):
    client = serve()
    job_id = client.submit().json()["jobId"]
    client.finish(job_id)
    client.result(job_id)
    client.submit({"parentA": b"no image"})
    client.status("nobody")
    pools = client.session.get_adapter(client.server.url).poolmanager.pools
    [pool] = [pools[key] for key in pools.keys()]  # noqa: SIM118 - no mapping: it cannot be iterated over
    assert pool.num_connections == 1
    assert pool.num_requests >= 5


def test_many_users_at_once_get_their_own_images(serve):
    client = serve(service_time_s=0.01)

    def journey(_):
        user = Client(client.server)
        try:
            job_id = user.submit().json()["jobId"]
            user.finish(job_id)
            return job_id, user.result(job_id).content
        finally:
            user.session.close()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(journey, range(24)))
    assert len({job_id for job_id, _ in results}) == 24
    assert len({image for _, image in results}) == 1


def test_a_missing_part_is_400(serve):
    client = serve()
    assert "parentB" in problem(client.submit({"parentA": ASTRONAUT}), 400, "/problems/missing-photo")
    problem(client.call("POST", "/api/images/analyze"), 400, "/problems/missing-photo")
    assert client.server.service.live_jobs() == 0


def test_an_unusable_photograph_is_422(serve):
    client = serve(max_pixels=512 * 512)
    large = io.BytesIO()
    Image.new("L", (513, 512)).save(large, "PNG")
    for photo in (b"hello", ASTRONAUT[:-1000], large.getvalue()):
        problem(client.submit({"parentA": ASTRONAUT, "parentB": photo}), 422, "/problems/bad-photo")
    assert client.server.service.live_jobs() == 0


def test_unknown_jobs_routes_and_methods(serve):
    client = serve()
    problem(client.status("nobody"), 404, "/problems/unknown-job")
    problem(client.result("nobody"), 404, "/problems/unknown-job")
    problem(client.call("GET", "/nowhere"), 404, "about:blank")
    wrong = client.call("GET", "/api/images/analyze")
    problem(wrong, 405, "about:blank")
    assert "POST" in wrong.headers["Allow"]


def test_a_body_over_the_limit_is_413_and_the_next_one_is_served(serve):
    client = serve(max_upload_bytes=200_000)
    problem(client.submit({"parentA": b"x" * 100_000, "parentB": b"x" * 100_000}), 413, "about:blank")
    assert client.submit().status_code == 202


def test_a_body_far_over_the_limit_is_cut_off(serve):
    client = serve(max_upload_bytes=1000)
    with contextlib.suppress(requests.ConnectionError):  # where the server hangs up before all was sent
        assert client.submit({"parentA": b"x" * 5_000_000}).status_code == 413
    assert client.submit({"parentA": b"x"}).status_code == 422


def test_an_unfinished_jobs_result_is_409_with_a_time_to_come_back(serve):
    client = serve(service_time_s=3600, retry_after_s=3)
    job_id = client.submit().json()["jobId"]
    assert client.status(job_id).headers["Retry-After"] == "3"
    answer = client.result(job_id)
    problem(answer, 409, "/problems/job-unfinished")
    assert answer.headers["Retry-After"] == "3"


def test_a_full_queue_is_503_until_there_is_room_again(serve):
    client = serve(service_time_s=0.3, workers=1, queue_size=1)
    answers = [client.submit() for _ in range(3)]
    while answers[-1].status_code == 202 and len(answers) < 100:  # a job is done meanwhile, on a busy machine
        answers.append(client.submit())
    accepted = [answer.json()["jobId"] for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code != 202]
    assert refused
    for answer in refused:
        problem(answer, 503, "/problems/queue-full")
        assert answer.headers["Retry-After"] == "1"
    assert client.server.service.live_jobs() == len(accepted)
    assert {client.finish(job_id)["status"] for job_id in accepted} == {"DONE"}
    assert client.finish(client.submit().json()["jobId"])["status"] == "DONE"


def test_an_expired_job_is_410_and_its_bytes_are_gone(serve):
    client = serve(store="ttl", ttl_s=600)
    job_id = client.submit().json()["jobId"]
    client.finish(job_id)
    assert client.server.service.store.kept_bytes() > 100_000
    assert client.server.service.expire() == 1
    problem(client.status(job_id), 410, "/problems/job-gone")
    problem(client.result(job_id), 410, "/problems/job-gone")
    assert client.server.service.store.kept_bytes() == 0


def test_the_leaky_store_never_forgets(serve):
    client = serve(store="leaky")
    job_id = client.submit().json()["jobId"]
    client.finish(job_id)
    assert client.server.service.expire() == 0
    assert client.result(job_id).status_code == 200


def test_the_hosts_measurement_of_the_heap_is_reported(serve):
    client = serve()
    gc.collect()  # what other tests have left is not to go meanwhile
    before = client.call("GET", "/actuator/metrics/jvm.memory.used?tag=area:heap").json()
    assert before["baseUnit"] == "bytes"
    client.server.service.store.put("a", JobResult(JobState.DONE, bytes(50_000_000), None, 0.0))
    after = client.call("GET", "/actuator/metrics/jvm.memory.used?tag=area:heap").json()
    grown = after["measurements"][0]["value"] - before["measurements"][0]["value"]
    assert 49_000_000 < grown < 55_000_000
    assert "labserver_kept_bytes" in client.call("GET", "/metrics").text


def traced_bytes():
    """The least of some readings: a request's thread lets go a moment after the client has its answer."""
    re.purge()  # werkzeug compiles each body's boundary: 2 kB a request until the cache of 512 patterns is full
    readings = []
    for _ in range(5):
        time.sleep(0.1)
        gc.collect()
        readings.append(tracemalloc.get_traced_memory()[0])
    return min(readings)


def growth(action, *, times):
    """Return the traced bytes that `action` adds each time, after it has run some times to warm up."""
    tracemalloc.start()
    try:
        for _ in range(times):
            action()
        before = traced_bytes()
        for _ in range(times):
            action()
        return (traced_bytes() - before) / times
    finally:
        tracemalloc.stop()


def test_bad_input_leaves_no_bytes_behind(serve):
    client = serve(workers=1, queue_size=1, service_time_s=3600, max_upload_bytes=300_000)
    while client.submit().status_code == 202:
        pass
    live = client.server.service.live_jobs()

    def misbehave():
        assert client.submit().status_code == 503
        assert client.submit({"parentA": ASTRONAUT, "parentB": ASTRONAUT[:-100]}).status_code == 422
        assert client.submit({"parentA": ASTRONAUT}).status_code == 400
        assert client.submit({"parentA": b"x" * 400_000}).status_code == 413
        assert client.status("nobody").status_code == 404

    assert growth(misbehave, times=15) < NOISE
    assert client.server.service.live_jobs() == live


@pytest.mark.parametrize(("store", "least", "most"), [("ttl", -NOISE, NOISE), ("leaky", 200_000, 280_000)])
def test_the_stores_alone_decide_what_a_finished_job_costs(serve, store, least, most):
    client = serve(store=store, workers=1)

    def journey():
        job_id = client.submit().json()["jobId"]
        client.finish(job_id)
        client.result(job_id)
        client.server.service.expire()

    assert least < growth(journey, times=15) < most
