"""Policies that forget by use, by number or by reference: ttl-lazy, weak, soft, evict-on-fetch, lru-count."""

import sys
import threading

import pytest

from labserver.errors import CannotRun
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import create_store

MIB = 2**20


def done(clock, size=3):
    return JobResult(JobState.DONE, bytes(size), None, clock())


def kept(store, names):
    return [name for name in names if store.get(name) is not None]


def test_what_the_lazy_store_hides_it_keeps_until_the_next_put(open_store, clock):
    store = open_store("ttl-lazy", ttl_s=600)
    store.put("a", done(clock, 1000))
    clock.now += 601
    assert store.get("a") is None
    store.sweep()
    assert (len(store), store.kept_bytes(), store.counts()[JobState.DONE]) == (1, 1000, 1)
    store.put("b", JobResult(JobState.PENDING, None, None, clock()))
    assert (len(store), store.kept_bytes()) == (1, 0)


def test_without_cachetools_one_sentence_names_the_extra(clock, monkeypatch):
    monkeypatch.setitem(sys.modules, "cachetools", None)
    with pytest.raises(CannotRun, match=r"'ttl-lazy' needs .* cachetools: .*labserver\[stores\]'\.$"):
        create_store(Settings(store="ttl-lazy"), clock)


def test_a_weakly_kept_result_lives_as_long_as_somebody_holds_it(open_store, clock):
    store = open_store("weak")
    held = done(clock, 1000)
    store.put("a", held)
    store.put("b", done(clock, 1000))
    assert (store.get("a"), store.get("b")) == (held, None)
    assert store.kept_bytes() == 1000
    del held
    assert (len(store), store.kept_bytes(), store.get("a")) == (0, 0, None)


@pytest.mark.usefixtures("without_collector")
def test_a_weakly_kept_result_needs_no_collection_to_go(open_store, clock):
    store = open_store("weak")
    store.put("a", done(clock))
    assert store.get("a") is None


def test_soft_results_stay_while_memory_is_free(open_store, clock):
    store = open_store("soft", budget_bytes=100 * MIB, soft_s_per_mib=10)
    store.put("a", done(clock, MIB))
    clock.now += 980
    assert store.sweep() == 0
    clock.now += 11  # 99 MiB are free: 990 s of patience
    assert store.sweep() == 1


def test_the_less_memory_is_free_the_sooner_idle_results_go(open_store, clock):
    store = open_store("soft", budget_bytes=10 * MIB, soft_s_per_mib=10)
    store.put("idle", done(clock, MIB))
    store.put("in use", done(clock, MIB))
    clock.now += 50
    assert kept(store, ["in use"]) == ["in use"]
    store.put("new", done(clock, 6 * MIB))  # 2 MiB are free: 20 s of patience
    assert kept(store, ["idle", "in use", "new"]) == ["in use", "new"]


def test_under_full_pressure_the_least_recently_used_go_first_though_unread(open_store, clock):
    store = open_store("soft", budget_bytes=3 * MIB, soft_s_per_mib=10)
    for name in "abcd":
        store.put(name, done(clock, MIB))
    assert kept(store, "abcd") == ["b", "c", "d"]
    store.put("huge", done(clock, 4 * MIB))
    assert len(store) == 0


def test_one_of_many_clients_at_once_gets_what_goes_when_fetched(open_store, clock):
    store = open_store("evict-on-fetch")
    for number in range(50):
        store.put(str(number), done(clock))
    taken = []

    def take_all():
        taken.extend(number for number in range(50) if store.take(str(number)) is not None)

    threads = [threading.Thread(target=take_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(50))


def test_the_least_recently_used_job_makes_room_though_unread(open_store, clock):
    store = open_store("lru-count", max_jobs=2)
    store.put("running", JobResult(JobState.RUNNING, None, None, clock()))
    store.put("a", done(clock))
    store.put("b", done(clock))
    store.get("a")
    store.put("c", JobResult(JobState.FAILED, None, "No face.", clock()))
    assert kept(store, ["running", "a", "b", "c"]) == ["running", "a", "c"]
