"""Two hundred leaks whose count, bytes and holder are known, found in one heap."""

import gc
import random
import sys
import types
from collections import deque

import pytest

from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.heap.graph import heap_graph

PLANTS, BEFORE, JOBS = 200, 12, 40


class Slotted:
    __slots__ = ("kept", "number")

    def __init__(self, kept):
        self.kept, self.number = kept, None


class Instance:
    def __init__(self, kept):
        self.kept, self.label = kept, "label"


# How something is wrapped, and how the way to it is written.
WRAPPERS = {
    "dict": (lambda kept: {"kept": kept, "other": None}, "['…']"),
    "list": (lambda kept: [None, kept], "[…]"),
    "tuple": (lambda kept: (kept, None), "[…]"),
    "deque": (lambda kept: deque([kept]), "[…]"),
    "instance": (Instance, "Instance.kept"),
    "slots": (Slotted, "Slotted.kept"),
}
# What a job adds an item to, how, and how the way to the item is written.
COLLECTIONS = {
    "dict": (dict, lambda held, number, item: held.__setitem__(number, item), "['…']"),
    "list": (list, lambda held, _, item: held.append(item), "[…]"),
    "deque": (deque, lambda held, _, item: held.append(item), "[…]"),
    "set": (set, lambda held, _, item: held.add(item), "{…}"),
}
HASHABLE = {"tuple", "instance", "slots"}


class Plant:
    """A collection in some wrappers, to which each job adds a buffer in some wrappers."""

    def __init__(self, rng, name):
        self.module = types.ModuleType(name)
        self.kind = rng.choice(list(COLLECTIONS))
        make, self._add, edge = COLLECTIONS[self.kind]
        self._collection = make()
        self.size = rng.randrange(1800, 3000)  # more than two deques
        self._inner = [rng.choice(list(WRAPPERS)) for _ in range(rng.randrange(3))]
        if self.kind == "set" and not set(self._inner) <= HASHABLE:
            self._inner = ["tuple"]
        outer = [rng.choice(list(WRAPPERS)) for _ in range(rng.randrange(4))]
        held = self._collection
        for wrapper in outer:
            held = WRAPPERS[wrapper][0](held)
        self.module.STATE = held
        way = [WRAPPERS[wrapper][1] for wrapper in reversed(outer)]
        self.holder = " → ".join([f"module {name}", "STATE", *way])
        self.path = " → ".join([self.holder, edge, *(WRAPPERS[wrapper][1] for wrapper in reversed(self._inner))])
        sys.modules[name] = self.module

    def job(self, number):
        item = bytes([number]) * self.size
        for wrapper in self._inner:
            item = WRAPPERS[wrapper][0](item)
        self._add(self._collection, number, item)


@pytest.fixture(scope="module")
def plants():
    rng = random.Random(20)
    plants = [Plant(rng, f"plant_{chr(97 + n // 26)}{chr(97 + n % 26)}") for n in range(PLANTS)]
    yield plants
    for plant in plants:
        del sys.modules[plant.module.__name__]


@pytest.fixture(scope="module")
def growth(plants):
    with heap_graph():
        pass  # what its first use imports is no growth

    def jobs(first, last):
        for number in range(first, last):
            for plant in plants:
                plant.job(number)
        gc.collect()

    jobs(0, BEFORE)
    with heap_graph() as graph:
        baseline = snapshot_of(graph)
    jobs(BEFORE, BEFORE + JOBS)
    with heap_graph() as graph:
        return find_growth(graph, baseline, most=PLANTS + 20)


def test_each_plant_is_found_once_with_its_path_count_and_bytes(plants, growth):
    by_module = {}
    for holder in growth.holders:
        by_module.setdefault(holder.path.split(" → ")[0], []).append(holder)
    wrong = []
    for plant in plants:
        found = by_module.get(f"module {plant.module.__name__}", [])
        seen = [(one.holder, one.path, one.holder_type, one.buffer_type, one.buffers) for one in found]
        if seen != [(plant.holder, plant.path, plant.kind, "bytes", JOBS)]:
            wrong.append((seen, plant.holder, plant.path))
        elif not JOBS * plant.size < found[0].growth_bytes < JOBS * (plant.size + 2000):
            wrong.append((found[0].growth_bytes, plant.size))
    assert wrong == []


def test_together_they_explain_the_growth(growth):
    assert sum(holder.growth_bytes for holder in growth.holders) / growth.bytes == pytest.approx(1, abs=0.002)
