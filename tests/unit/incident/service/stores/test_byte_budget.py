import random
import threading

import pytest

from labserver.errors import UsageError
from labserver.incident.service.face import largest_png_bytes
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import StoreFull, create_store

LARGEST = largest_png_bytes(16)


@pytest.fixture
def store(open_store):
    return open_store("byte-budget", result_px=16, budget_bytes=3 * LARGEST, ttl_s=600, retry_after_s=7)


@pytest.fixture
def put(store, clock):
    def put(job_id, state, size=None):
        store.put(job_id, JobResult(state, None if size is None else bytes(size), None, clock()))

    return put


def test_a_job_is_promised_room_for_the_largest_result(store, put):
    for name in "abc":
        put(name, JobState.PENDING)
    with pytest.raises(StoreFull, match="still to be read") as error:
        put("d", JobState.PENDING)
    assert error.value.retry_after_s == 7
    assert store.get("d") is None
    put("a", JobState.RUNNING)
    put("a", JobState.DONE, LARGEST)
    put("b", JobState.FAILED)
    put("d", JobState.PENDING)  # the failed job's room
    assert len(store) == 4


def test_what_a_result_leaves_of_its_promise_is_free_again(put):
    for number in range(20):
        put(str(number), JobState.PENDING)
        put(str(number), JobState.DONE, 100)


def test_room_is_made_of_expired_results_then_of_read_ones_never_of_unread_ones(store, put, clock):
    put("expired", JobState.DONE, LARGEST)
    clock.now += 601
    put("read", JobState.DONE, LARGEST)
    put("unread", JobState.DONE, LARGEST)
    store.take("read")
    put("a", JobState.PENDING)
    assert (store.get("expired"), len(store)) == (None, 3)
    assert store.get("read") is not None
    put("b", JobState.PENDING)
    assert store.get("read") is None
    with pytest.raises(StoreFull):
        put("c", JobState.PENDING)
    assert store.get("unread") is not None


def test_a_status_poll_is_no_reading(store, put):
    put("a", JobState.DONE, 3 * LARGEST)
    store.get("a")
    with pytest.raises(StoreFull):
        put("b", JobState.PENDING)


def test_a_result_larger_than_promised_is_kept_where_it_fits_and_else_fails_in_words(store, put):
    put("a", JobState.RUNNING)
    put("a", JobState.DONE, 2 * LARGEST)
    assert store.kept_bytes() == 2 * LARGEST
    put("b", JobState.RUNNING)
    put("b", JobState.DONE, LARGEST + 1)
    assert (store.get("b").state, store.get("b").image) == (JobState.FAILED, None)
    assert "too large" in store.get("b").error
    assert store.kept_bytes() == 2 * LARGEST


def test_a_budget_below_one_result_is_refused_in_words(clock):
    with pytest.raises(UsageError, match=rf"budget_bytes=1000 .* 16 px may take {LARGEST} bytes"):
        create_store(Settings(store="byte-budget", budget_bytes=1000, result_px=16), clock)


def test_under_contention_the_budget_holds_and_no_unread_result_is_lost(store, put):
    over, lost, refused = [], [], []

    def live(number):
        rng = random.Random(number)
        for i in range(150):
            job_id = f"{number}-{i}"
            try:
                put(job_id, JobState.PENDING)
            except StoreFull:
                refused.append(job_id)
                continue
            put(job_id, JobState.RUNNING)
            put(job_id, JobState.DONE, rng.randint(0, LARGEST))
            if store.kept_bytes() > 3 * LARGEST:
                over.append(job_id)
            if store.take(job_id) is None:
                lost.append(job_id)

    threads = [threading.Thread(target=live, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (over, lost) == ([], [])
    assert len(refused) < 6 * 150
    assert store.counts()[JobState.PENDING] == store.counts()[JobState.RUNNING] == 0
