from contextlib import nullcontext

import pytest

from labserver.errors import CannotRun, UsageError
from labserver.incident.experiments.stores import run
from labserver.incident.experiments.stores.promises import PROMISES
from labserver.incident.experiments.stores.run import compare, settings_for, store_names, why_missing
from labserver.incident.experiments.stores.script import Script
from labserver.incident.service.face import largest_png_bytes
from labserver.incident.service.stores import STORES


def settings(store):
    return settings_for(store, Script(), budget_results=3, result_px=64)


def test_every_store_has_promises():
    assert set(PROMISES) == set(STORES)


def test_all_stores_or_those_of_a_list_each_once():
    assert store_names("all") == list(STORES)
    assert store_names(" ttl, leaky ,ttl") == ["ttl", "leaky"]


@pytest.mark.parametrize(("stores", "sentence"), [("ttl, leeky", "leaky"), (" , ", "at least one store")])
def test_a_wrong_list_is_a_sentence(stores, sentence):
    with pytest.raises(UsageError, match=sentence):
        store_names(stores)


def test_every_bound_is_the_same_memory():
    made = settings("lru-count")
    assert made.budget_bytes == made.max_jobs * largest_png_bytes(64)
    # In an empty heap an idle result's patience is one time to live.
    assert made.soft_s_per_mib * made.budget_bytes / 2**20 == pytest.approx(Script().ttl_s)


def test_a_store_that_cannot_be_made_says_why(monkeypatch):
    def no_server(*_):
        raise CannotRun("There is no redis-server.")

    assert why_missing(settings("ttl")) == ""
    monkeypatch.setattr(run, "create_store", no_server)
    assert why_missing(settings("redis")) == "There is no redis-server."


def test_what_is_missing_is_named_and_the_others_are_measured(monkeypatch, tmp_path):
    played = []
    monkeypatch.setattr(run, "why_missing", lambda made: "none here" if made.store == "redis" else "")
    monkeypatch.setattr(run, "scripted_client", lambda **_: nullcontext())
    monkeypatch.setattr(run, "run_script", lambda made, *_: played.append(made.store) or made.store)
    monkeypatch.setattr(run, "_warm_up", lambda *_: None)
    found = compare(["ttl", "redis", "leaky"], Script(), budget_results=3, result_px=64, seed=0, curves=tmp_path)
    assert found.missing == {"redis": "none here"}
    assert list(found.runs) == played == ["ttl", "leaky"]
