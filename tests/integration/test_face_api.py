"""The gateway and the AI service apart, over real sockets: slow, failing, killed, and closed in the middle."""

import contextlib
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests

import labserver
from labserver.errors import CannotRun, UsageError
from labserver.heap.meters import wait_until
from labserver.incident.hosting.embedded import embedded
from labserver.incident.hosting.face_api import embedded_face_api, face_api_process
from labserver.processes.running import runs

PHOTOS = Path(labserver.__file__).parent / "load" / "photos"
BOTH = {f"parent{x}": (PHOTOS / name).read_bytes() for x, name in (("A", "astronaut.jpg"), ("B", "photographer.jpg"))}


@pytest.fixture
def opened():
    """Enter contexts that end with the test, the last one first, and see that no thread is left."""
    before = set(threading.enumerate())
    with contextlib.ExitStack() as stack:
        yield stack.enter_context
    assert set(threading.enumerate()) <= before


def post(url, path, **options):
    return requests.post(f"{url}{path}", files=BOTH, timeout=60, **options)


def finish(url, job_id):
    deadline = time.monotonic() + 60
    while (body := requests.get(f"{url}/api/images/status/{job_id}", timeout=60).json())["status"] in {
        "PENDING",
        "RUNNING",
    }:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return body


def run_job(url):
    return finish(url, post(url, "/api/images/analyze").json()["jobId"])


def problem(answer, status, type_):
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["type"]) == (status, type_)
    return answer.json()["detail"]


def test_the_face_is_the_same_wherever_it_is_composed(opened):
    here = opened(embedded(result_px=64))
    api = opened(embedded_face_api(result_px=64))
    apart = opened(embedded(face_api=api.url, result_px=64))
    images = [post(server.url, "/api/images/compose") for server in (here, apart)]
    assert [image.headers["Content-Type"] for image in images] == ["image/png"] * 2
    assert images[0].content == images[1].content
    assert run_job(apart.url)["status"] == "DONE"
    assert api.service.figures()["finished"] == 2


def test_the_waiting_endpoint_keeps_nothing(opened):
    server = opened(embedded(result_px=64))
    assert post(server.url, "/api/images/compose").status_code == 200
    assert (server.service.live_jobs(), server.service.store.kept_bytes()) == (0, 0)


def test_bad_photographs_are_the_clients_to_mend_on_either_way(opened):
    api = opened(embedded_face_api(max_pixels=1000))
    server = opened(embedded(face_api=api.url))
    assert "more than the 1000 allowed" in problem(post(server.url, "/api/images/compose"), 422, "/problems/bad-photo")
    body = run_job(server.url)
    assert (body["status"], "more than the 1000 allowed" in body["error"]) == ("FAILED", True)


def test_a_failing_face_api_fails_its_jobs_and_nothing_else(opened):
    api = opened(embedded_face_api(fail_every=2, result_px=64))
    server = opened(embedded(face_api=api.url, workers=1))
    bodies = [run_job(server.url) for _ in range(4)]
    assert [body["status"] for body in bodies] == ["DONE", "FAILED", "DONE", "FAILED"]
    assert bodies[1]["error"] == "The face-api failed (HTTP 500)."
    assert server.service.store.counts()["FAILED"] == 2
    assert post(server.url, "/api/images/compose").status_code == 200
    problem(post(server.url, "/api/images/compose"), 502, "/problems/face-api-failed")


@pytest.mark.parametrize("workers", [4, 100])
def test_there_are_more_requests_than_inferences_at_a_time(opened, workers):
    opened(embedded_face_api(workers=workers))
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("labserver-http-")]
    assert len(threads) > workers


def test_a_slow_face_api_fails_its_jobs_in_time(opened):
    api = opened(embedded_face_api(service_time_s=60))
    server = opened(embedded(face_api=api.url, face_timeout_s=0.3))
    assert "within 0.3 s" in problem(post(server.url, "/api/images/compose"), 504, "/problems/face-api-timeout")
    body = run_job(server.url)
    assert (body["status"], body["error"]) == ("FAILED", "The face-api did not answer within 0.3 s.")
    assert server.service.store.kept_bytes() == 0


def test_a_killed_face_api_fails_what_it_had_and_its_successor_is_found(opened, kept_port):
    with face_api_process(port=kept_port, service_time_s=3600) as api:
        server = opened(embedded(face_api=api.url, workers=2))
        job_ids = [post(server.url, "/api/images/analyze").json()["jobId"] for _ in range(3)]
        deadline = time.monotonic() + 60
        while requests.get(f"{api.url}/health", timeout=60).json()["busy"] < 2:
            assert time.monotonic() < deadline
        api.kill()
        assert not api.alive()
        bodies = [finish(server.url, job_id) for job_id in job_ids]
    assert {body["status"] for body in bodies} == {"FAILED"}
    # The last one may have met the process as it died.
    assert {body["error"] for body in bodies} <= {
        "The face-api broke the connection off.",
        "The face-api cannot be reached.",
    }
    assert server.service.store.kept_bytes() == 0
    opened(embedded_face_api(port=kept_port, result_px=64))
    assert run_job(server.url)["status"] == "DONE"


@pytest.mark.parametrize("apart", [True, False])
def test_closing_does_not_wait_for_a_face(opened, apart):
    slow = {"service_time_s": 3600}
    api = opened(embedded_face_api(**slow)) if apart else None
    with ThreadPoolExecutor(2) as pool:
        with embedded(face_api=api.url if api else "", workers=1, **({} if apart else slow)) as server:
            post(server.url, "/api/images/analyze")
            waiting = [pool.submit(post, server.url, "/api/images/compose") for _ in range(2)]
            time.sleep(0.3)
            began = time.monotonic()
        assert time.monotonic() - began < 60
        for answer in waiting:
            with contextlib.suppress(requests.ConnectionError):
                assert answer.result(60).status_code == 503
    assert server.service.finished_jobs() == 0


def test_the_process_of_a_face_api_ends_with_its_block_and_with_its_parent(tmp_path):
    with face_api_process(result_px=64) as api:
        assert requests.get(f"{api.url}/health", timeout=60).json()["status"] == "UP"
    assert not psutil.pid_exists(api.pid)
    code = (
        "import os, sys\nfrom labserver.incident.hosting.face_api import face_api_process\n"
        "with face_api_process() as api:\n    print(api.pid, flush=True)\n    sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    process = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    assert wait_until(lambda: not runs(process), timeout_s=60)


def test_what_cannot_be_served_is_a_sentence(opened):
    taken = opened(embedded_face_api()).port
    for host in (embedded_face_api, face_api_process):
        with pytest.raises(CannotRun, match=f"Port {taken} is already in use"), host(port=taken):
            pass
        with pytest.raises(UsageError, match="did you mean 'workers'"), host(worker=2):
            pass


def test_both_services_by_command(tmp_path):
    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "labserver", *arguments, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )

    processes = [start("faceapi", "--service-time", "0.01")]
    try:
        url = processes[0].stdout.readline().split()[0]
        processes.append(start("serve", "--face-api", url, "--face-timeout", "20"))
        gateway = processes[1].stdout.readline().split()[0]
        assert post(gateway, "/api/images/compose").status_code == 200
        assert requests.get(f"{url}/health", timeout=60).json()["finished"] == 1
        for process in processes:
            process.terminate()
            assert process.wait(60) == 0
    finally:
        for process in processes:
            process.kill()
            process.communicate()
