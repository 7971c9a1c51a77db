"""From which of several modules a path to a holder begins: the same holder, reached through all of them."""

import importlib
import sys
import types

import pytest

from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.heap import origin, precedence
from labserver.heap.graph import heap_graph
from labserver.heap.precedence import declare_serving

STORE = """
class Store:
    def __init__(self):
        self.entries = {}

STORE = Store()
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Makes a module with a file, of the application or of a library; those made earlier are seen earlier."""
    installed = tmp_path / "venv" / "site-packages"
    installed.mkdir(parents=True)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(origin, "_declared", [])
    monkeypatch.setattr(precedence, "_serving", set())
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))

    def place(name, code="", *, library=False):
        folder = installed if library else tmp_path / "project"
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, name, raising=False)
        module = importlib.import_module(name)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return place


def grown(keep):
    """Who holds the most of what `keep(number)` leaves."""
    with heap_graph():
        pass
    keep(0)
    with heap_graph() as graph:
        before = snapshot_of(graph)
    for number in range(1, 60):
        keep(number)
    with heap_graph() as graph:
        return find_growth(graph, before).holders[0]


def test_the_module_that_defines_the_holders_class_is_the_root(place):
    first, store, last = place("first"), place("stores", STORE), place("last")
    first.STORE = last.STORE = store.STORE
    holder = grown(lambda number: store.STORE.entries.update({number: bytes(3000)}))
    assert holder.holder == "module stores → STORE → Store.entries"
    assert holder.chain.links[0].name == holder.root.name == "stores"


def test_the_module_that_defines_the_function_is_the_root(place):
    first = place("first")
    jobs = place("jobs", "def work(number, kept=[]):\n    kept.append(bytes(3000))\n")
    first.work = jobs.work
    holder = grown(jobs.work)
    assert holder.holder == "module jobs → work → default kept"


def test_the_applications_module_comes_before_a_librarys(place):
    library, shop = place("some_library", library=True), place("shop_app")
    library.KEPT = shop.KEPT = {}
    assert grown(lambda number: shop.KEPT.update({number: bytes(3000)})).holder == "module shop_app → KEPT"


def test_a_librarys_module_comes_before_one_that_was_loaded_to_serve(place):
    serving, library = place("some_server", library=True), place("some_library", library=True)
    declare_serving(["some_server"])
    serving.kept = library.kept = {}
    assert grown(lambda number: library.kept.update({number: bytes(3000)})).holder == "module some_library → kept"


def test_a_class_in_between_makes_the_way_no_longer(place):
    serving = place("some_server", library=True)
    logs = place("logs", "class Log:\n    pass\n\nclass Manager:\n    def __init__(self):\n        self.known = {}\n")
    logs.Log.manager = logs.Manager()  # two namespaces away, which nobody writes
    serving.log = logs.Log()
    serving.log.manager = logs.Log.manager
    holder = grown(lambda number: logs.Log.manager.known.update({number: bytes(3000)}))
    assert holder.holder == "module logs → Log → Log.manager → Manager.known"


def test_a_longer_way_is_not_taken(place):
    near, far = place("some_library", library=True), place("shop_app")
    near.KEPT = {}
    far.STATE = {"kept": near.KEPT}
    assert grown(lambda number: near.KEPT.update({number: bytes(3000)})).holder == "module some_library → KEPT"


def test_among_equals_the_first_one_stays(place):
    first, second = place("first_app"), place("second_app")
    first.KEPT = second.KEPT = []
    assert grown(lambda _: first.KEPT.append(bytes(3000))).holder == "module first_app → KEPT"


def test_the_fingerprint_is_that_of_the_path_that_was_found_first(place):
    """Files in which users accept holders were written before roots were chosen."""
    library, shop = place("some_library", library=True), place("shop_app")
    library.KEPT = shop.KEPT = {}
    both = grown(lambda number: shop.KEPT.update({number: bytes(3000)}))
    del shop.KEPT
    alone = grown(lambda number: library.KEPT.update({number + 100: bytes(3000)}))
    assert (both.holder, alone.holder) == ("module shop_app → KEPT", "module some_library → KEPT")
    assert both.fingerprint == alone.fingerprint
