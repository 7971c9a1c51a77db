import logging
import threading

import pytest

from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import TtlJobStore


def result(clock, state=JobState.DONE):
    return JobResult(state, None, None, clock())


@pytest.fixture
def store(clock):
    store = TtlJobStore(Settings(ttl_s=600), clock)
    yield store
    store.close()


def test_removes_what_has_outlived_its_time(store, clock):
    store.put("old", result(clock))
    clock.now += 500
    store.put("young", result(clock))
    clock.now += 101
    assert store.sweep() == 1
    assert store.get("old") is None
    assert store.get("young") is not None


def test_a_result_lives_through_its_last_second(store, clock):
    store.put("a", result(clock))
    clock.now += 600
    assert store.sweep() == 0
    clock.now += 0.1
    assert store.sweep() == 1


def test_failed_jobs_go_the_same_way(store, clock):
    store.put("a", result(clock, JobState.FAILED))
    clock.now += 601
    assert store.sweep() == 1


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.RUNNING])
def test_a_job_that_runs_longer_than_the_time_to_live_stays(store, clock, state):
    store.put("a", result(clock, state))
    clock.now += 10_000
    assert store.sweep() == 0
    assert len(store) == 1


def test_age_counts_from_completion(store, clock):
    store.put("a", result(clock, JobState.PENDING))
    clock.now += 599
    store.put("a", result(clock))
    clock.now += 599
    assert store.sweep() == 0


def test_until_it_is_swept_an_old_result_is_still_served(store, clock):
    store.put("a", result(clock))
    clock.now += 601
    assert store.get("a") is not None


def test_logs_how_many_went_and_remain_and_only_then(store, clock, caplog):
    caplog.set_level(logging.INFO, logger="labserver.incident.service.stores.ttl")
    store.put("a", result(clock))
    store.sweep()
    assert caplog.messages == []
    clock.now += 601
    store.put("b", result(clock))
    store.sweep()
    assert caplog.messages == ["Removed 1 expired jobs, 1 remain"]


def test_sweeps_by_itself_and_stops_with_the_server(clock, wait_until):
    store = TtlJobStore(Settings(ttl_s=1, sweep_s=0.01), clock)
    store.put("a", result(clock))
    clock.now += 2
    assert len(store) == 1
    store.start()
    wait_until(lambda: len(store) == 0)
    sweeper = next(t for t in threading.enumerate() if t.name == "labserver-sweeper")
    assert sweeper.daemon
    store.close()
    assert not sweeper.is_alive()


def test_close_does_not_wait_for_the_next_sweep(clock):
    store = TtlJobStore(Settings(sweep_s=3600), clock)
    store.start()
    closer = threading.Thread(target=store.close)
    closer.start()
    closer.join(60)
    assert not closer.is_alive()
