"""Traffic against the real service: every job is told of, whatever became of it."""

import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from labserver.errors import CannotRun, UsageError
from labserver.heap.meters import wait_until
from labserver.incident.hosting.embedded import embedded
from labserver.load.traffic import traffic
from labserver.processes.running import runs


@pytest.fixture(scope="module")
def source():
    with traffic() as made:
        yield made


def test_users_of_a_closed_loop_wait_for_one_another(source):
    with embedded(service_time_s=0.2, http_threads=2, result_px=16) as server:
        course = source.closed(server.url, users=3, duration_s=1.0, ramp_s=0.1, finish_s=10.0)
    assert all(job.ok and job.status == 200 and job.error is None for job in course.jobs)
    assert 3 <= len(course.jobs) <= 13
    backlog = course.backlog(np.arange(0.2, 1.0, 0.01))  # less for a moment, between a user's jobs
    assert (np.median(backlog), backlog.max()) == (3, 3)
    assert time.monotonic() - 60 < course.began < time.monotonic()


def test_open_arrivals_come_whether_or_not_there_is_an_answer(source):
    with embedded(service_time_s=3600, http_threads=1) as server:
        course = source.open(server.url, rate=20.0, duration_s=1.0, probe_interval_s=0.25, probe_timeout_s=0.5)
        assert len(course.jobs) == 20
        assert {(job.seconds, job.ok, job.status) for job in course.jobs} == {(None, False, None)}
        assert len(course.probes) == 4
        assert sum(probe.seconds is None for probe in course.probes) >= 2  # the first may come before the first job
        assert course.backlog([60.0]).tolist() == [20]
        starts = sorted(job.start_s for job in course.jobs)
        assert all(0 <= start - number / 20 < 5 for number, start in enumerate(starts))


def test_impatient_clients_are_told_from_those_that_were_cut_off(source):
    with embedded(service_time_s=3600, http_threads=1) as server:
        course = source.closed(server.url, users=1, duration_s=2.0, timeout_s=0.4)
    errors = [job.error for job in course.jobs]
    assert errors[:2] == ["timed out", "timed out"]
    assert not any(job.ok for job in course.jobs)
    assert 0.39 < course.jobs[0].seconds < 5


def test_jobs_of_the_queue_are_polled_and_refusals_noted(source):
    with embedded(service_time_s=0.2, workers=1, queue_size=1, retry_after_s=7, result_px=16) as server:
        options = {"journey": "analyze", "poll_interval_s": 0.05, "finish_s": 20.0}
        course = source.open(server.url, rate=20.0, duration_s=0.5, **options)
    taken = [job for job in course.jobs if job.status == 202]
    refused = [job for job in course.jobs if job.status == 503]
    assert len(taken) + len(refused) == len(course.jobs) == 10
    assert all(job.ok for job in taken)
    assert {job.retry_after for job in refused} == {"7"}
    assert not any(job.ok for job in refused)


def test_health_is_looked_at_beside_the_load(source):
    with embedded(service_time_s=0.5, http_threads=1, result_px=16) as server:
        course = source.closed(server.url, users=1, duration_s=1.0, probe_interval_s=0.1)
    times = course.health_s(0.0, 60.0)
    assert len(times) == 10
    assert 0.05 < max(times) < 30


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("closed", {"users": 0, "duration_s": 1.0}),
        ("closed", {"users": 1, "duration_s": 0.0}),
        ("open", {"rate": 0.0, "duration_s": 1.0}),
        ("open", {"rate": 1e6, "duration_s": 1.0}),
        ("open", {"rate": 1.0, "duration_s": 1.0, "journey": "fetch"}),
    ],
)
def test_a_wrong_plan_is_a_sentence(source, method, arguments):
    with pytest.raises(UsageError):
        getattr(source, method)("http://127.0.0.1:1", **arguments)


def test_a_process_that_dies_is_a_sentence():
    with traffic() as doomed:
        psutil.Process(doomed.pid).kill()
        with pytest.raises(CannotRun, match="died"):
            doomed.open("http://127.0.0.1:1", rate=1.0, duration_s=1.0)


def test_the_process_ends_with_its_parent(tmp_path):
    code = (
        "from labserver.load.traffic import traffic\nwith traffic() as source:\n"
        "    print(source.pid, flush=True)\n    source.open('http://127.0.0.1:1', rate=1.0, duration_s=60.0)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    process = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    assert wait_until(lambda: not runs(process), timeout_s=60)
