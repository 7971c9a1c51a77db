"""The experiments on the synchronous service, at small scale: what exhausts it, and what does not."""

import threading

import numpy as np
import pytest

from labserver.incident.experiments.synchronous.measurements import Backlog, Level, Overload, events_per_s
from labserver.incident.experiments.synchronous.run import Conditions, experiments
from labserver.load.traffic_record import Job, TrafficRecord

ENOUGH = 12


def conditions(pool):
    # So slow that all users' faces together take less than a core.
    return Conditions(
        pool=pool, inference_s=0.4, measure_s=1.2, probe_interval_s=0.1, poll_interval_s=0.1, result_px=16
    )


def test_a_small_pool_is_exhausted_and_a_large_one_is_not():
    before = set(threading.enumerate())
    levels = {}
    for pool in (3, ENOUGH):
        with experiments(conditions(pool)) as running:
            levels[pool] = running.level(ENOUGH)
    small, large = levels[3], levels[ENOUGH]
    assert small.throughput <= 1.1 * conditions(3).capacity
    assert large.throughput > 2 * small.throughput
    assert small.health_ms(50) > 400 > large.health_ms(50)
    assert abs(small.littles_error) < 0.3
    assert set(threading.enumerate()) <= before


def test_no_proxy_is_asked_in_the_face_apis_stead(monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # where nobody listens
    with experiments(conditions(1)) as running:
        assert running.finished_inferences() == 0


def test_the_rate_does_not_depend_on_marching_in_step():
    evenly = np.arange(0.0, 2.0, 0.05)
    in_step = np.repeat(np.arange(0.0, 2.0, 0.2), 4)
    assert events_per_s(list(evenly)) == pytest.approx(20)
    assert events_per_s(list(in_step)) == pytest.approx(20, rel=0.02)


def test_littles_law_and_percentiles():
    level = Level(4, 20.0, 0.21, np.array([0.001, 0.002, 0.003, np.inf]))
    assert level.littles_error == pytest.approx(0.05)
    assert level.health_ms(50) == pytest.approx(2.0)
    assert level.health_ms(95) == np.inf


def overload(*jobs):
    backlog = Backlog(np.array([0.0, 1.0]), np.array([0.0, 5.0]), 5.0, 4.0, 0.0)
    return Overload(backlog, np.array([0.0, 500.0]), TrafficRecord(0.0, 1.0, jobs, ()))


def test_what_an_overload_did_to_its_jobs():
    taken = [Job(0.0, 0.5, True, 202, None, None), Job(0.1, 0.9, True, 202, None, None)]
    refused = Job(0.2, 0.01, False, 503, None, "1")
    silent = Job(0.3, None, False, None, None, None)
    met = overload(*taken, refused, silent)
    assert (met.most_waiting, met.slowest_s, met.politely_refused) == (5, 0.9, True)
    assert met.refused_share == pytest.approx(1 / 3)
    assert met.backlog.growth_per_s / met.backlog.predicted_per_s == pytest.approx(1.25)
    assert not overload(Job(0.0, 0.1, False, 503, None, None)).politely_refused
    assert not overload(Job(0.0, 0.1, False, 500, None, "1")).politely_refused
    assert overload(*taken, Job(0.0, 0.5, False, 202, None, None)).slowest_s is None
