import gc
import threading
import time

import pytest

from labserver.heap import meters as module
from labserver.heap.meters import ALONE, Meter, Settling, take_floor, wait_until
from labserver.heap.tracemalloc_tools import tracing
from labserver.heap.wire import FloorReading

AT_ONCE = Settling(gap_s=0)


def no_jobs():
    return 0, 0


def test_a_reading_ties_memory_to_jobs():
    with tracing(1):
        kept, before = bytes(3_000_000), time.monotonic()
        reading = Meter(lambda: (3, 7)).read()
    assert (reading.live_jobs, reading.finished_jobs) == (3, 7)
    assert 3_000_000 <= reading.traced_bytes < 4_000_000
    assert reading.resident_bytes > 3_000_000
    assert before <= reading.t_s <= time.monotonic()
    assert len(kept) == 3_000_000


def test_traced_bytes_are_zero_where_nothing_is_traced():
    assert Meter(no_jobs).read().traced_bytes == 0


def test_a_floor_is_taken_after_garbage_was_collected():
    with tracing(1):
        meter = Meter(no_jobs)
        cycle = [bytes(2_000_000)]
        cycle.append(cycle)
        under_load = meter.read().traced_bytes
        del cycle
        floor = meter.floor(threads=threading.active_count())
    assert under_load - floor.traced_bytes > 1_900_000


def test_a_floor_waits_for_threads_that_are_about_to_end():
    leave = threading.Event()

    def work():
        image = bytes(2_000_000)
        leave.wait()
        del image

    with tracing(1):
        meter, at_rest = Meter(no_jobs), threading.active_count()
        before = meter.floor(threads=at_rest)
        thread = threading.Thread(target=work)
        thread.start()
        timer = threading.Timer(0.3, leave.set)
        timer.start()
        after = meter.floor(threads=at_rest, settle_s=60)
        thread.join()
        timer.join()
    assert after.traced_bytes - before.traced_bytes < 100_000


def test_a_thread_that_stays_does_not_hold_the_floor_up():
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    at_rest = threading.active_count()
    thread.start()
    began = time.monotonic()
    try:
        Meter(no_jobs).floor(threads=at_rest, settle_s=0.2)
    finally:
        leave.set()
        thread.join()
    assert 0.2 <= time.monotonic() - began < 60


def readings(monkeypatch, sizes):
    left = list(sizes)
    monkeypatch.setattr(
        module,
        "_reading",
        lambda: FloorReading(heap_bytes=left.pop(0) if len(left) > 1 else left[0], threads=1, collecting=True),
    )
    return left


def test_the_floor_is_the_least_of_three(monkeypatch):
    left = readings(monkeypatch, [100, 90, 95, 10, 10])
    assert take_floor(settling=AT_ONCE).heap_bytes == 90
    assert len(left) == 2


def test_the_floor_waits_while_the_memory_still_falls(monkeypatch):
    readings(monkeypatch, [90_000, 70_000, 50_000, 30_000, 10_000, 10_000, 10_000])
    assert take_floor(settle_s=60, settling=AT_ONCE).heap_bytes == 10_000


def test_where_nothing_acts_by_itself_one_reading_is_a_floor(monkeypatch):
    left = readings(monkeypatch, [100, 90, 95])
    assert take_floor(settling=ALONE).heap_bytes == 100
    assert left == [90, 95]


@pytest.mark.parametrize(("freed", "collections"), [([0], 1), ([7, 0], 2), ([7, 3, 0], 3), ([1] * 9, 4)])
def test_that_one_is_read_when_collections_free_no_more(monkeypatch, freed, collections):
    left = [*freed, 0, 0]
    monkeypatch.setattr(module.gc, "collect", lambda: left.pop(0))
    take_floor(settling=ALONE)
    assert len(left) == len(freed) + 2 - collections


def test_what_a_finalizer_frees_is_no_part_of_that_one():
    class Owner:
        def __del__(self):
            garbage = [bytes(2_000_000)]
            garbage.append(garbage)

    with tracing(1):
        before = take_floor(settling=ALONE).traced_bytes
        owner = Owner()
        owner.itself = owner
        del owner
        after = take_floor(settling=ALONE).traced_bytes
    assert after - before < 100_000


def test_what_collects_nothing_is_not_collected_for(monkeypatch):
    collected = []
    monkeypatch.setattr(module.gc, "collect", lambda: collected.append(1))
    gc.disable()
    try:
        assert take_floor(settling=AT_ONCE).collecting is False
    finally:
        gc.enable()
    assert collected == []


def test_notebooks_and_checks_take_the_same_floor():
    with tracing(1):
        kept = bytes(2_000_000)
        floor, reading = take_floor(), Meter(no_jobs).floor(threads=threading.active_count())
    assert reading.traced_bytes == pytest.approx(floor.traced_bytes, abs=20_000)
    assert len(kept) == 2_000_000


def test_waiting_tells_whether_it_came_true():
    assert wait_until(lambda: True, timeout_s=0)
    assert not wait_until(lambda: False, timeout_s=0.05)
