"""What every policy has in common, whatever it lets go."""

import threading

import pytest

from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import STORES, create_store


@pytest.fixture
def store(open_store, store_name):
    return open_store(store_name)


@pytest.fixture
def done(clock):
    """Make finished jobs and hold them, or those in the store of weak references would be gone at once."""
    held = []

    def make(image=b"png"):
        held.append(JobResult(JobState.DONE, image, None, clock()))
        return held[-1]

    return make


def pending(clock):
    return JobResult(JobState.PENDING, None, None, clock())


def test_the_name_decides(clock, store_name):
    assert type(create_store(Settings(store=store_name), clock)) is STORES[store_name]


def test_keeps_the_newest_state(store, clock, done):
    store.put("a", pending(clock))
    store.put("a", done())
    assert store.get("a") == done()
    assert len(store) == 1
    assert store.counts()[JobState.PENDING] == 0


def test_a_failed_jobs_reason_is_kept_as_it_was_put(store, clock):
    failed = JobResult(JobState.FAILED, None, "Kein Gesicht – 얼굴 없음.", clock() + 0.123456)
    store.put("a", failed)
    assert store.get("a") == failed


def test_an_unknown_job_is_none(store):
    assert store.get("nobody") is None
    assert store.take("nobody") is None


def test_counts_every_state_and_the_images_bytes(store, clock, done):
    store.put("a", done(b"12345"))
    store.put("b", done(b"123"))
    store.put("c", pending(clock))
    assert store.counts() == {JobState.PENDING: 1, JobState.RUNNING: 0, JobState.DONE: 2, JobState.FAILED: 0}
    assert store.kept_bytes() == 8


def test_the_oldest_is_the_finished_job_that_finished_first(store, clock, done):
    store.put("waiting", pending(clock))
    assert store.oldest() is None
    clock.now += 10
    store.put("failed", JobResult(JobState.FAILED, None, "No face.", clock()))
    clock.now += 10
    store.put("done", done())
    store.get("failed")
    assert store.oldest() == clock() - (0 if store_lets_go(store, "failed") else 10)


def store_lets_go(store, job_id):
    return store.get(job_id) is None  # weak: nobody holds the failed one


def test_a_status_may_be_asked_for_often_and_the_image_taken_after(store, done):
    store.put("a", done())
    assert store.get("a").image == store.get("a").image == b"png"
    assert store.take("a").image == b"png"


def test_taking_an_unfinished_job_takes_nothing(store, clock):
    store.put("a", pending(clock))
    assert store.take("a") == store.get("a") == pending(clock)


def test_a_sweep_lets_fresh_jobs_be(store, done):
    store.put("a", done())
    assert store.sweep() == 0
    assert len(store) == 1


def test_ids_are_no_file_names_nor_patterns(store, done):
    for job_id in ("../a", "*", "/", "x" * 300, "ü"):
        store.put(job_id, done(job_id.encode()))
        assert store.get(job_id).image == job_id.encode()
    assert len(store) == 5


def test_close_leaves_nothing(store, clock, done):
    store.put("a", done())
    store.put("b", pending(clock))
    store.close()
    assert (len(store), store.kept_bytes(), set(store.counts().values())) == (0, 0, {0})
    assert store.oldest() is None
    assert store.get("a") is None


def test_closing_twice_or_without_a_start_is_harmless(clock, store_name):
    store = create_store(Settings(store=store_name), clock)
    store.close()
    store.close()


@pytest.mark.parametrize("seconds", [0.001, 1e300])
def test_any_time_that_the_settings_allow_can_be_waited_for(open_store, store_name, done, seconds):
    store = open_store(store_name, ttl_s=seconds, sweep_s=seconds)
    store.put("a", done())
    assert len(store) <= 1


def test_many_threads_at_once_leave_exact_books(store, clock, done):
    errors = []

    def use(number):
        try:
            for i in range(60):
                store.put(f"{number}-{i}", pending(clock))
                store.put(f"{number}-{i}", done(bytes(i)))
                store.get(f"{number - 1}-{i}")
                if i % 3 == 0:
                    store.take(f"{number}-{i}")
                if i % 10 == 0:
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
    kept = [result for n in range(4) for i in range(60) if (result := store.get(f"{n}-{i}")) is not None]
    assert {result.state for result in kept} == {JobState.DONE}
    assert store.counts()[JobState.DONE] == len(store) == len(kept)
    assert store.kept_bytes() == sum(len(result.image) for result in kept)
