"""The two policies that act at a deadline by themselves, against the real clock and one that stands still."""

import threading
import time

import pytest

from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import create_store

BOTH = pytest.mark.parametrize("name", ["timer", "scheduler"])


def done(at, image=b"png"):
    return JobResult(JobState.DONE, image, None, at)


def named(name):
    return [thread for thread in threading.enumerate() if thread.name == f"labserver-{name}"]


@pytest.fixture
def in_real_time():
    stores = []

    def make(name, ttl_s):
        stores.append(create_store(Settings(store=name, ttl_s=ttl_s, sweep_s=3600), time.time))
        stores[-1].start()
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@BOTH
def test_results_go_at_their_deadlines_without_a_sweep(in_real_time, wait_until, name):
    store = in_real_time(name, ttl_s=0.2)
    store.put("running", JobResult(JobState.RUNNING, None, None, time.time() - 100))
    store.put("later", done(time.time() + 3600))
    store.put("second", done(time.time()))
    store.put("first", done(time.time() - 0.1))
    wait_until(lambda: store.get("first") is None)
    wait_until(lambda: store.get("second") is None)
    assert store.get("later") is not None
    assert (len(store), store.kept_bytes()) == (2, 3)


@BOTH
def test_a_result_that_is_due_earlier_is_not_kept_waiting_by_a_later_one(in_real_time, wait_until, name):
    store = in_real_time(name, ttl_s=3600)
    store.put("late", done(time.time()))
    store.put("due", done(time.time() - 3599.95))
    if name == "scheduler":  # a timer runs from the moment of its setting
        wait_until(lambda: store.get("due") is None)
        assert store.get("late") is not None


@BOTH
def test_nothing_goes_before_its_time_by_the_services_clock(open_store, clock, wait_until, name):
    store = open_store(name, ttl_s=0.01)
    store.put("a", done(clock()))
    clock.now += 0.005
    time.sleep(0.05)
    assert store.get("a") is not None
    clock.now += 1
    wait_until(lambda: store.get("a") is None)


@BOTH
def test_close_ends_all_threads_though_nothing_is_due_for_hours(open_store, clock, name):
    store = open_store(name, ttl_s=36000)
    for number in range(5):
        store.put(str(number), done(clock()))
    assert len(named(name)) == {"timer": 5, "scheduler": 1}[name]
    assert all(thread.daemon for thread in named(name))
    store.close()
    assert named(name) == []


def test_each_kept_result_costs_a_thread_until_it_goes(open_store, clock, wait_until):
    store = open_store("timer", ttl_s=600)
    for number in range(3):
        store.put(str(number), JobResult(JobState.RUNNING, None, None, clock()))
        assert len(named("timer")) == number
        store.put(str(number), done(clock()))
    clock.now += 601
    assert store.sweep() == 3
    wait_until(lambda: not named("timer"))


def test_where_no_thread_is_granted_the_result_is_not_kept(open_store, clock, monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    store = open_store("timer")
    store.put("a", JobResult(JobState.RUNNING, None, None, clock()))
    monkeypatch.setattr(threading.Timer, "start", refuse)
    with pytest.raises(RuntimeError, match="new thread"):
        store.put("a", done(clock()))
    assert store.get("a").state is JobState.RUNNING
    monkeypatch.undo()


def test_the_scheduler_keeps_no_deadline_of_what_is_gone(open_store, clock):
    store = open_store("scheduler", ttl_s=600)
    for number in range(100):
        store.put(str(number), done(clock()))
    clock.now += 601
    store.sweep()
    assert store._deadlines == []
