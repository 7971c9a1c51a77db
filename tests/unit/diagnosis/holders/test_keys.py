"""Keys that never change are part of a chain; those that vary are left out, and out of every path and fingerprint."""

import gc
import json
import sys
import types

import pytest

from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.heap.graph import heap_graph
from labserver.heap.heap_growth import HolderGrowth

TOKEN = "3f2a9c11"


class State:
    def __init__(self):
        self._state = {"session": {}, "other": []}


def below_an_attribute(shop, n):
    shop.KEPT._state["session"][n] = bytes(2000)


def below_nothing(shop, n):
    shop.KEPT[""][f"user {n}"] = bytes(2000)


def copied(shop, n):
    shop.KEPT = {"jobs": {**shop.KEPT["jobs"], n: bytes(2000)}}


def records(shop, n):
    shop.KEPT.append({"id": n, "image": bytes(2000)})


def nested_records(shop, n):
    shop.KEPT[f"job {n}"] = {"result": {"image": bytes(2000)}}


def one_of_three(shop, n):
    shop.KEPT["abc"[n % 3]][f"user {n}"] = bytes(2000)


def below_a_token(shop, n):
    shop.KEPT[TOKEN][f"user {n}"] = bytes(2000)


def different_records(shop, n):
    shop.KEPT.append({("image", "text", "sound")[n % 3]: bytes(2000)})


def users(shop, n):
    shop.KEPT["abcdefg"[n % 7] + "x" * (n // 7)] = bytes(2000)


# What a job does, with what it begins, and the words of the chain below the variable.
SHOWN = {
    "below an attribute": (below_an_attribute, State, ["_state", "['session']", "['…']"]),
    "below an empty key": (below_nothing, lambda: {"": {}}, ["['']", "['…']"]),
    "in what is copied": (copied, lambda: {"jobs": {}}, ["['jobs']", "['…']"]),
    "in each record": (records, list, ["[…]", "['image']"]),
    "in each record's part": (nested_records, dict, ["['…']", "['result']", "['image']"]),
}
HIDDEN = {
    "one of three": (one_of_three, lambda: {"a": {}, "b": {}, "c": {}}, ["['…']", "['…']"]),
    "a token": (below_a_token, lambda: {TOKEN: {}}, ["['…']", "['…']"]),
    "different records": (different_records, list, ["[…]", "['…']"]),
    "names of users": (users, dict, ["['…']"]),
}
EACH = SHOWN | HIDDEN


@pytest.fixture(scope="module")
def heap():
    modules = {name: types.ModuleType(f"shop_{at}") for at, name in enumerate(EACH)}
    sys.modules.update({module.__name__: module for module in modules.values()})
    for name, (_, make, _) in EACH.items():
        modules[name].KEPT = make()

    def work(numbers):
        for number in numbers:
            for name, (job, *_) in EACH.items():
                job(modules[name], number)
        gc.collect()

    with heap_graph():
        pass
    work(range(20))
    with heap_graph() as graph:
        before = snapshot_of(graph)
    work(range(20, 100))
    with heap_graph() as graph:
        found = find_growth(graph, before, most=40)
    yield modules, found
    for module in modules.values():
        del sys.modules[module.__name__]


@pytest.fixture
def held(heap):
    modules, found = heap
    return lambda name: next(one for one in found.holders if one.path.startswith(f"module {modules[name].__name__} →"))


@pytest.mark.parametrize("name", EACH)
def test_the_chain_shows_the_keys_that_never_change(held, name):
    _, _, words = EACH[name]
    assert [link.words for link in held(name).chain.links] == ["", "KEPT", *words]


@pytest.mark.parametrize("name", EACH)
def test_path_and_holder_show_none(held, name):
    holder = held(name)
    assert holder.chain.trail == holder.path
    assert set(holder.path.split("'")[1::2]) <= {"…"}
    assert set(holder.holder.split("'")[1::2]) <= {"…"}


@pytest.mark.parametrize("name", EACH)
def test_the_keys_reach_the_other_side(held, name):
    sent = held(name).growth()
    assert HolderGrowth.from_json(json.loads(json.dumps(sent.to_json()))) == sent
