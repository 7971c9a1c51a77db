import asyncio
import gc
import threading

import pytest

import labserver
from labserver.job_counters import RUNNING, count_jobs


@pytest.fixture(autouse=True)
def nobody_else():
    gc.collect()
    before = [*RUNNING]
    yield
    assert set(before) <= {*RUNNING}


def jobs_of(counted):
    return count_jobs([counted._counter])


def test_a_wsgi_application_answers_as_before_and_is_counted():
    parts = [b"ok"]
    seen = []

    def app(_environ, start_response):
        seen.append(jobs_of(counted))
        start_response("200 OK", [])
        return parts

    counted = labserver.wsgi(app)
    assert counted({}, lambda *_: None) is parts
    assert seen == [{"live_jobs": 1, "finished_jobs": 0}]
    assert jobs_of(counted) == {"live_jobs": 0, "finished_jobs": 1}


def test_what_fails_has_ended_as_well():
    def app(*_):
        raise LookupError

    counted = labserver.wsgi(app)
    for _ in range(2):
        with pytest.raises(LookupError):
            counted({}, None)
    assert jobs_of(counted) == {"live_jobs": 0, "finished_jobs": 2}


def test_no_request_of_many_threads_is_lost():
    counted = labserver.wsgi(lambda *_: [])
    threads = [threading.Thread(target=lambda: [counted({}, None) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert jobs_of(counted) == {"live_jobs": 0, "finished_jobs": 2000}


def test_an_asgi_applications_requests_are_counted_and_its_lifespan_is_not():
    async def app(scope, _receive, send):
        await send(scope["type"])

    sent = []

    async def send(message):
        sent.append(message)

    counted = labserver.asgi(app)
    for kind in ("lifespan", "http", "websocket"):
        asyncio.run(counted({"type": kind}, None, send))
    assert sent == ["lifespan", "http", "websocket"]
    assert jobs_of(counted) == {"live_jobs": 0, "finished_jobs": 2}


def test_who_watches_a_process_learns_of_them_without_being_told():
    counted = labserver.wsgi(lambda *_: [])
    counted({}, None)
    assert counted._counter in RUNNING
