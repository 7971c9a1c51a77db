"""The AI service by itself, through Flask's test client."""

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from PIL import Image

from labserver.errors import UsageError
from labserver.incident.service import faceapi
from labserver.incident.service.faceapi import FaceSettings, create_face_api, face_service_of


@pytest.fixture
def build():
    services = []

    def make(**settings):
        app = create_face_api(FaceSettings(**settings))
        services.append(face_service_of(app))
        return app, services[-1]

    yield make
    for service in services:
        service.close()


@pytest.fixture
def both(astronaut, photographer):
    return {"parentA": astronaut, "parentB": photographer}


def ask(app, photos):
    # Encoded here: the test client's own encoder leaves cycles and temporary files.
    request = requests.Request("POST", "http://localhost/", files=photos).prepare()
    return app.test_client().post("/compose", data=request.body, content_type=request.headers["Content-Type"])


def test_two_photographs_in_one_face_out(build, both):
    app, _ = build(result_px=64)
    answer = ask(app, both)
    assert (answer.status_code, answer.content_type) == (200, "image/png")
    with Image.open(io.BytesIO(answer.data)) as image:
        assert image.size == (64, 64)
    health = app.test_client().get("/health").get_json()
    assert health == {"status": "UP", "busy": 0, "waiting": 0, "finished": 1}


@pytest.mark.parametrize(("change", "status"), [({"parentB": b""}, 400), ({"parentA": b"no image"}, 422)])
def test_a_photograph_that_cannot_be_used_is_a_problem(build, both, change, status):
    app, _ = build()
    answer = ask(app, both | change)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.get_json()["status"] == status


def test_too_large_a_request_is_413(build, both):
    app, _ = build(max_upload_bytes=1000)
    assert ask(app, both).status_code == 413


def test_an_inference_takes_as_long_as_it_is_told_and_no_longer(build, both):
    app, _ = build(service_time_s=0.3, result_px=64)
    began = time.monotonic()
    assert ask(app, both).status_code == 200
    assert time.monotonic() - began >= 0.3


def test_every_third_inference_fails_where_it_is_told_to(build, both):
    app, service = build(fail_every=3, result_px=64)
    answers = [ask(app, both) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200, 200, 500, 200, 200, 500]
    assert answers[2].get_json()["type"] == "/problems/inference-failed"
    assert service.figures()["finished"] == 6


def test_never_more_inferences_at_once_than_workers(build, both, wait_until, monkeypatch):
    app, service = build(workers=2, result_px=16)
    go_on, composing = threading.Event(), faceapi.compose
    monkeypatch.setattr(faceapi, "compose", lambda *photos, **options: go_on.wait(60) and composing(*photos, **options))
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(ask, app, both) for _ in range(5)]
        try:
            wait_until(lambda: service.figures() == {"busy": 2, "waiting": 3, "finished": 0})
        finally:
            go_on.set()
        assert {answer.result().status_code for answer in answers} == {200}
    assert service.figures() == {"busy": 0, "waiting": 0, "finished": 5}


def test_closing_ends_every_wait(build, both, wait_until):
    app, service = build(workers=1, service_time_s=3600)
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(ask, app, both) for _ in range(2)]
        wait_until(lambda: service.figures()["waiting"] == 1 and service.figures()["busy"] == 1)
        threading.Thread(target=service.interrupt).start()
        assert {answer.result(timeout=60).status_code for answer in answers} == {503}
    assert ask(app, both).status_code == 503


@pytest.mark.parametrize(
    "wrong",
    [
        {"service_time_s": -1},
        {"service_time_s": 1e10},  # longer than a thread can wait
        {"workers": 0},
        {"fail_every": -1},
        {"result_px": 1.5},
        {"workers": True},
    ],
)
def test_a_wrong_setting_is_a_sentence(wrong):
    with pytest.raises(UsageError, match=f"^{next(iter(wrong))}="):
        FaceSettings(**wrong)
