"""Heaps that are small enough to be walked in a millisecond, and code with and without its source."""

import builtins
import gc
import importlib
import sys
import types
from collections import deque
from pathlib import Path

import numpy as np
import pytest

from labserver.diagnosis.holders.bounds import bound_of, byte_budget_of
from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.functions import Functions
from labserver.diagnosis.holders.reading import read
from labserver.diagnosis.holders.referrers import Referrers
from labserver.diagnosis.holders.removal import removal_from
from labserver.diagnosis.holders.running import Running
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.diagnosis.holders.sources import Sources
from labserver.heap.graph import HeapGraph, heap_graph


def small_heap(*roots):
    """The graph of what some objects refer to; other modules, and the classes of other modules, are not entered."""
    modules = [root for root in roots if isinstance(root, types.ModuleType)]
    objects = [*modules, *(root for root in roots if not isinstance(root, types.ModuleType))]
    number = {id(one): at for at, one in enumerate(objects)}
    names = {module.__name__ for module in modules}
    edges = []
    waiting = deque(range(len(objects)))
    parents = [-1] * len(objects)
    while waiting:
        at = waiting.popleft()
        for child in gc.get_referents(objects[at]):
            foreign = isinstance(child, type) and child.__module__ not in names
            if foreign or child is vars(builtins) or (isinstance(child, types.ModuleType) and child not in modules):
                continue
            if id(child) not in number:
                number[id(child)] = len(objects)
                waiting.append(len(objects))
                objects.append(child)
                parents.append(at)
            edges.append((at, number[id(child)]))
    edges.sort()
    owners = np.array([owner for owner, _ in edges], dtype=np.int64)
    return HeapGraph(
        objects=objects,
        sizes=np.zeros(len(objects), dtype=np.int64),
        starts=np.searchsorted(owners, np.arange(len(objects) + 1)),
        targets=np.array([child for _, child in edges], dtype=np.int32),
        modules=len(modules),
        local_roots={},
        addresses=np.array([id(one) for one in objects]),
        types=np.array([id(type(one)) for one in objects]),
        garbage=np.zeros(len(objects), dtype=bool),
        complete=True,
        notes=(),
        _cycles=np.zeros(0, dtype=np.int64),
        _parents=np.array(parents),
    )


class Said:
    """What is said about one container."""

    def __init__(self, container, *roots):
        graph = small_heap(*roots)
        node = graph.find(container)
        functions = Functions(graph)
        self.referrers = Referrers(graph, functions).of(node)
        self.reading = read(self.referrers, functions, Sources())
        self.bound = bound_of(container, self.referrers, self.reading)
        self.budget = byte_budget_of(container, self.referrers, self.reading)
        self.removal = removal_from(container, self.reading, Running(graph), known=True)


@pytest.fixture
def said():
    """Tells what is said about a container, by those whom some objects lead to."""
    return Said


@pytest.fixture(params=["source", "bytecode"])
def shop_cache(request, tmp_path, monkeypatch):
    """Makes a module of some code: once with its file, once without, as of an application of bytecode alone."""
    monkeypatch.chdir(tmp_path)
    Path("shop").mkdir()
    if request.param == "source":
        monkeypatch.delattr("labserver.diagnosis.holders.reading.handling_in_bytecode")

    def module(code):
        if request.param == "source":
            Path("shop/cache.py").write_text(code, encoding="utf-8")
        found = types.ModuleType("shop.cache")
        exec(compile(code, "shop/cache.py", "exec"), vars(found))
        return found

    module.has_source = request.param == "source"
    return module


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """What a look says of who holds the most of what the jobs of each of some codes leave behind, by the codes' names.

    Each code has a function `work(number)`, and may have an `end()`; it is a module of its own, in a file of its own.
    All share one heap, as walks take long.
    """
    made = {}

    def look(codes, *, before=60, jobs=200):
        folder = tmp_path_factory.mktemp("shops")
        sys.path.insert(0, str(folder))
        for number, (name, code) in enumerate(codes.items()):
            module = f"shop_{len(made)}_{number}"
            (folder / f"{module}.py").write_text(code, encoding="utf-8")
            made[name] = importlib.import_module(module)
        run(range(before), codes)
        with heap_graph() as graph:
            snapshot = snapshot_of(graph)
        run(range(before, before + jobs), codes)
        with heap_graph() as graph:
            found = find_growth(graph, snapshot, most=200)
        return {
            name: next(one for one in found.holders if one.path.startswith(f"module {made[name].__name__} →"))
            for name in codes
        }

    def run(numbers, codes):
        for number in numbers:
            for name in codes:
                made[name].work(number)

    yield look
    for module in made.values():
        getattr(module, "end", lambda: None)()
        sys.modules.pop(module.__name__, None)
    sys.path[:] = [path for path in sys.path if "shops" not in path]
