import threading

import pytest

from labserver.incident.service import Service, Settings, create_app
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.runtime import service_of


@pytest.fixture
def service():
    service = service_of(create_app(Settings(store="ttl", workers=2)))
    yield service
    service.close()


def own_threads():
    names = {t.name for t in threading.enumerate()}
    return {name for name in names if name.startswith("labserver-") and name != "labserver-agent"}


def test_building_starts_nothing(service):
    assert own_threads() == set()
    assert isinstance(service, Service)


def test_start_and_close_are_a_pair(service):
    service.start()
    assert own_threads() == {"labserver-worker-1", "labserver-worker-2", "labserver-sweeper"}
    service.close()
    assert own_threads() == set()


def test_two_applications_share_nothing():
    one, other = service_of(create_app()), service_of(create_app())
    one.store.put("a", JobResult(JobState.DONE, b"png", None, 0.0))
    assert (one.live_jobs(), other.live_jobs()) == (1, 0)


def test_counts_live_and_finished_jobs(service, astronaut, wait_until):
    service.start()
    assert service.idle()
    service.queue.submit("a", astronaut, astronaut)
    service.queue.submit("b", astronaut, b"no photograph")
    assert service.live_jobs() == 2
    wait_until(service.idle)
    assert service.finished_jobs() == 2
    assert service.store.counts()[JobState.FAILED] == 1


def test_expire_ages_and_removes_what_is_finished(service):
    service.store.put("done", JobResult(JobState.DONE, b"png", None, service.clock()))
    service.store.put("running", JobResult(JobState.RUNNING, None, None, service.clock()))
    assert service.expire() == 1
    assert service.live_jobs() == 1


def test_expire_removes_nothing_where_nothing_ever_goes():
    service = service_of(create_app(Settings(store="leaky")))
    service.store.put("done", JobResult(JobState.DONE, b"png", None, service.clock()))
    assert service.expire() == 0


def test_a_fixed_clock_is_not_advanced(clock):
    service = service_of(create_app(Settings(store="ttl"), clock=clock))
    service.store.put("done", JobResult(JobState.DONE, b"png", None, clock()))
    assert service.expire() == 0
    clock.now += 601
    assert service.expire() == 1


def test_close_empties_even_where_nothing_ever_goes(astronaut):
    service = service_of(create_app(Settings(store="leaky", service_time_s=3600)))
    service.start()
    for name in "abcdef":
        service.queue.submit(name, astronaut, astronaut)
    service.close()
    assert (service.live_jobs(), service.idle(), own_threads()) == (0, True, set())
