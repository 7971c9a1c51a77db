"""The routes over a service whose workers run only where a test starts them."""

import io
import tracemalloc
from datetime import datetime

import pytest
import requests
from PIL import Image

from labserver.incident.service import Settings, create_app
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.stores import StoreUnavailable

ANALYZE = "/api/images/analyze"


@pytest.fixture
def build(clock):
    services = []

    def make(**settings):
        app = create_app(Settings(**settings), clock=clock)
        service = app.extensions["labserver"]
        services.append(service)
        return app.test_client(), service

    yield make
    for service in services:
        service.close()


def form(**photos):
    """Return a body that is encoded already: the test client's own encoder leaves cycles and temporary files."""
    request = requests.Request("POST", "http://localhost/", files=photos).prepare()
    return {"data": request.body, "content_type": request.headers["Content-Type"]}


@pytest.fixture
def both(astronaut, photographer):
    return form(parentA=astronaut, parentB=photographer)


def problem(answer, status, type_):
    body = answer.get_json(force=True)
    assert answer.content_type == "application/problem+json"
    assert (answer.status_code, body["status"], body["type"]) == (status, status, type_)
    return body["detail"]


def stored(service, state, *, image=None, error=None):
    job_id = service.ids.issue()
    service.store.put(job_id, JobResult(state, image, error, service.clock()))
    return job_id


def test_health(build):
    client, _ = build()
    assert client.get("/health").get_json() == {"status": "UP"}


def test_a_submission_is_accepted_and_says_where_to_look(build, both):
    client, service = build(retry_after_s=2.5)
    answer = client.post(ANALYZE, **both)
    job_id = answer.get_json()["jobId"]
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/images/status/{job_id}"
    assert answer.headers["Retry-After"] == "3"
    assert service.store.get(job_id).state is JobState.PENDING


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.RUNNING])
def test_the_status_of_an_unfinished_job_says_when_to_come_back(build, clock, state):
    client, service = build()
    job_id = stored(service, state)
    answer = client.get(f"/api/images/status/{job_id}")
    assert answer.get_json()["status"] == state
    assert answer.get_json()["jobId"] == job_id
    assert datetime.fromisoformat(answer.get_json()["createdAt"]).timestamp() == clock.now
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_status_of_a_finished_job(build):
    client, service = build()
    answer = client.get("/api/images/status/" + stored(service, JobState.DONE, image=b"png"))
    assert answer.get_json()["status"] == "DONE"
    assert "error" not in answer.get_json()
    assert "Retry-After" not in answer.headers


def test_a_failed_job_says_why_in_both_places(build):
    client, service = build()
    job_id = stored(service, JobState.FAILED, error="No face.")
    assert client.get(f"/api/images/status/{job_id}").get_json()["error"] == "No face."
    assert problem(client.get(f"/api/images/result/{job_id}"), 409, "/problems/job-failed") == "No face."


def test_a_result_is_a_png_each_time(build):
    client, service = build()
    job_id = stored(service, JobState.DONE, image=b"png")
    for _ in range(2):
        answer = client.get(f"/api/images/result/{job_id}")
        assert (answer.status_code, answer.mimetype, answer.data) == (200, "image/png", b"png")


def test_the_result_of_an_unfinished_job_conflicts(build):
    client, service = build()
    answer = client.get("/api/images/result/" + stored(service, JobState.RUNNING))
    assert "RUNNING" in problem(answer, 409, "/problems/job-unfinished")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("route", ["status", "result"])
def test_an_unknown_id_is_not_found_and_a_forgotten_one_is_gone(build, route):
    client, service = build(store="ttl", ttl_s=600)
    job_id = stored(service, JobState.DONE, image=b"png")
    problem(client.get(f"/api/images/{route}/{job_id}x"), 404, "/problems/unknown-job")
    problem(client.get(f"/api/images/{route}/%ff%00"), 404, "/problems/unknown-job")
    service.clock.now += 601
    assert service.store.sweep() == 1
    problem(client.get(f"/api/images/{route}/{job_id}"), 410, "/problems/job-gone")


@pytest.mark.parametrize("missing", ["parentA", "parentB"])
def test_a_missing_photograph_is_named(build, astronaut, missing):
    client, service = build()
    present = {"parentA": "parentB", "parentB": "parentA"}[missing]
    answer = client.post(ANALYZE, **form(**{present: astronaut}))
    assert missing in problem(answer, 400, "/problems/missing-photo")
    assert service.live_jobs() == 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"json": {"parentA": "x"}},
        {"data": {"parentA": "text", "parentB": "text"}},
        {"data": b"--x\r\ngarbage", "content_type": "multipart/form-data; boundary=x"},
        {"data": b"x", "content_type": "multipart/form-data"},
        {"data": {"parentA": (io.BytesIO(), "a.jpg"), "parentB": (io.BytesIO(), "")}},
    ],
    ids=["nothing", "json", "text", "malformed", "no boundary", "empty"],
)
def test_a_body_without_files_misses_them(build, options):
    client, service = build()
    problem(client.post(ANALYZE, **options), 400, "/problems/missing-photo")
    assert service.live_jobs() == 0


@pytest.fixture(params=["text", "truncated", "huge"])
def bad_photo(request, astronaut, png_of_size):
    return {"text": b"hello", "truncated": astronaut[:20_000], "huge": png_of_size(1001, 1000)}[request.param]


@pytest.mark.parametrize("part", ["parentA", "parentB"])
def test_an_unusable_photograph_is_named_and_refused(build, png_of_size, bad_photo, part):
    client, service = build(max_pixels=10**6)
    photos = dict.fromkeys(["parentA", "parentB"], png_of_size(10, 10)) | {part: bad_photo}
    assert part in problem(client.post(ANALYZE, **form(**photos)), 422, "/problems/bad-photo")
    assert service.live_jobs() == 0


def test_a_request_over_the_limit_is_too_large(build, both):
    client, service = build(max_upload_bytes=50_000)
    problem(client.post(ANALYZE, **both), 413, "about:blank")
    assert service.live_jobs() == 0


def test_a_flood_of_parts_is_too_large(build):
    client, _ = build()
    problem(client.post(ANALYZE, **form(**{f"part{n}": b"x" for n in range(100)})), 413, "about:blank")


def test_a_full_queue_is_unavailable_for_now_and_keeps_no_job(build, both):
    client, service = build(queue_size=1)
    assert client.post(ANALYZE, **both).status_code == 202
    answer = client.post(ANALYZE, **both)
    problem(answer, 503, "/problems/queue-full")
    assert answer.headers["Retry-After"] == "1"
    assert service.live_jobs() == 1


def test_a_full_store_is_unavailable_for_now_and_recovers_once_results_are_read(build, both):
    client, service = build(store="byte-budget", budget_bytes=520_000, retry_after_s=4)
    job_id = client.post(ANALYZE, **both).get_json()["jobId"]
    answer = client.post(ANALYZE, **both)
    assert "read" in problem(answer, 503, "/problems/store-full")
    assert answer.headers["Retry-After"] == "4"
    assert (service.live_jobs(), service.idle()) == (1, False)
    service.store.put(job_id, JobResult(JobState.DONE, bytes(230_000), None, service.clock()))
    assert client.post(ANALYZE, **both).status_code == 503
    assert client.get(f"/api/images/result/{job_id}").status_code == 200
    assert client.post(ANALYZE, **both).status_code == 202


def test_a_store_that_is_away_is_unavailable_for_now(build, both, monkeypatch):
    client, service = build(retry_after_s=4)
    job_id = stored(service, JobState.DONE, image=b"png")

    def fail(*_args):
        raise StoreUnavailable("The store of results cannot be reached.", 2.5)

    for method in ("put", "get", "take"):
        monkeypatch.setattr(service.store, method, fail)
    for answer in (
        client.post(ANALYZE, **both),
        client.get(f"/api/images/status/{job_id}"),
        client.get(f"/api/images/result/{job_id}"),
    ):
        problem(answer, 503, "/problems/store-unavailable")
        assert answer.headers["Retry-After"] == "3"
    assert service.idle()


def test_uploads_never_go_through_temporary_files(build, encoded, monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("a temporary file was opened")

    monkeypatch.setattr("werkzeug.formparser.SpooledTemporaryFile", refuse)
    client, _ = build()
    large = encoded(Image.effect_noise((1000, 1000), 80))
    assert len(large) > 500_000
    assert client.post(ANALYZE, **form(parentA=large, parentB=large)).status_code == 202


@pytest.mark.usefixtures("without_collector")
def test_refused_requests_keep_no_bytes_even_before_a_collection(build, both, astronaut):
    client, service = build(queue_size=1)
    client.post(ANALYZE, **both)
    bad = form(parentA=astronaut, parentB=astronaut[:40_000])

    def refuse():
        assert client.post(ANALYZE, **bad).status_code == 422
        assert client.post(ANALYZE, **both).status_code == 503

    refuse()
    tracemalloc.start()
    try:
        refuse()
        before = large_blocks()
        for _ in range(10):
            refuse()
        assert large_blocks() - before < 2
    finally:
        tracemalloc.stop()
    assert service.live_jobs() == 1


def large_blocks():
    return sum(trace.size > 30_000 for trace in tracemalloc.take_snapshot().traces)


def test_with_workers_the_journey_ends_in_an_image(build, both, wait_until):
    client, service = build()
    service.start()
    job_id = client.post(ANALYZE, **both).get_json()["jobId"]
    wait_until(service.idle)
    assert client.get(f"/api/images/status/{job_id}").get_json()["status"] == "DONE"
    with Image.open(io.BytesIO(client.get(f"/api/images/result/{job_id}").data)) as image:
        assert image.size == (384, 384)
