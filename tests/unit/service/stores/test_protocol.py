"""What every policy has in common, whatever it lets go."""

import threading

import pytest

from labserver.service.jobs import JobResult, JobState
from labserver.service.settings import Settings
from labserver.service.stores import STORES, create_store


@pytest.fixture(params=sorted(STORES))
def store(request, clock):
    store = create_store(Settings(store=request.param), clock)
    store.start()
    yield store
    store.close()


def pending(clock):
    return JobResult(JobState.PENDING, None, None, clock())


def done(clock, image=b"png"):
    return JobResult(JobState.DONE, image, None, clock())


def test_the_name_decides(clock):
    assert {name: type(create_store(Settings(store=name), clock)) for name in STORES} == STORES


def test_keeps_the_newest_state(store, clock):
    store.put("a", pending(clock))
    store.put("a", done(clock))
    assert store.get("a") == done(clock)
    assert len(store) == 1


def test_an_unknown_job_is_none(store):
    assert store.get("nobody") is None


def test_counts_every_state_and_the_images_bytes(store, clock):
    store.put("a", done(clock, b"12345"))
    store.put("b", done(clock, b"123"))
    store.put("c", pending(clock))
    assert store.counts() == {JobState.PENDING: 1, JobState.RUNNING: 0, JobState.DONE: 2, JobState.FAILED: 0}
    assert store.kept_bytes() == 8


def test_a_result_may_be_fetched_twice(store, clock):
    store.put("a", done(clock))
    assert store.get("a").image == store.get("a").image == b"png"


def test_a_sweep_lets_fresh_jobs_be(store, clock):
    store.put("a", done(clock))
    assert store.sweep() == 0
    assert len(store) == 1


def test_close_leaves_nothing(store, clock):
    store.put("a", done(clock))
    store.close()
    assert (len(store), store.kept_bytes()) == (0, 0)
    assert not [t for t in threading.enumerate() if t.name == "labserver-sweeper"]


def test_may_be_used_from_many_threads_at_once(store, clock):
    errors = []

    def use(number):
        try:
            for i in range(200):
                store.put(f"{number}-{i}", done(clock))
                store.counts()
                store.kept_bytes()
                store.sweep()
        except Exception as error:  # noqa: BLE001 - any at all is the failure
            errors.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store) == 800
