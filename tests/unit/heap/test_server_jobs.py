"""The jobs that servers count: found by full type name, wherever their objects hang, and no look-alike's."""

import importlib
import sys
import types

import pytest

from labserver.heap.graph import heap_graph
from labserver.heap.server_jobs import ServerCounter, catalogue, server_jobs
from labserver.heap.wire import FinishedJobs

WORKER = ServerCounter("planted", ("nr",), type="planted_server.workers.Worker")
STATE = ServerCounter("tasks", ("total",), module="planted_server.workers")


def planted(monkeypatch, name="planted_server.workers", **attributes):
    """A module as if it were imported."""
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def made(name, module="planted_server.workers", bases=(), **body):
    return type(name, bases, {"__module__": module, **body})


def counted(*entries):
    with heap_graph() as graph:
        return server_jobs(graph, entries)


def with_nr(cls, nr, **more):
    worker = object.__new__(cls)
    worker.__dict__.update(nr=nr, **more)
    return worker


def test_nothing_is_counted_where_no_server_is_loaded():
    assert counted(WORKER) is None


def test_instances_of_a_class_and_of_derived_ones_are_added_up(monkeypatch):
    worker = made("Worker")
    derived = made("Threaded", module="elsewhere", bases=(worker,))
    planted(monkeypatch, Worker=worker, kept=[with_nr(worker, 3), with_nr(derived, 40)])
    assert counted(WORKER) == FinishedJobs(43, "planted")


def test_an_instance_that_only_a_running_frame_has_is_found(monkeypatch):
    worker = made("Worker")
    planted(monkeypatch, Worker=worker)
    on_its_way = {"the server's own": with_nr(worker, 7)}
    planted(monkeypatch, "of_the_frames", kept=on_its_way)
    assert counted(WORKER) == FinishedJobs(7, "planted")


@pytest.mark.parametrize(
    "other",
    [
        {"name": "Worker", "module": "shop.workers"},  # another package's, under the same name
        {"name": "Employee"},
    ],
)
def test_look_alikes_do_not_count(monkeypatch, other):
    cls = made(**other)
    planted(monkeypatch, Worker=cls, kept=[with_nr(cls, 5)])
    planted(monkeypatch, "shop.workers", Worker=cls)
    assert counted(WORKER) is None


@pytest.mark.parametrize("nr", [True, 3.0, "3", None, [1, 2]])
def test_what_is_no_whole_number_does_not_count(monkeypatch, nr):
    worker = made("Worker")
    planted(monkeypatch, Worker=worker, kept=[with_nr(worker, nr)])
    assert counted(WORKER) is None


def test_no_code_of_the_server_runs(monkeypatch):
    def never(*_):
        raise AssertionError("code of the server ran")

    class Meta(type):
        __subclasscheck__ = __instancecheck__ = __getattribute__ = __eq__ = __hash__ = never

    body = dict.fromkeys(("__getattribute__", "__eq__", "__hash__", "__repr__", "__len__", "__bool__"), never)
    worker = Meta.__new__(Meta, "Worker", (), {"__module__": "planted_server.workers", "nr": property(never), **body})
    one = object.__new__(worker)
    object.__getattribute__(one, "__dict__")["nr"] = 11
    planted(monkeypatch, Worker=worker, kept=[one])
    assert counted(WORKER) == FinishedJobs(11, "planted")


def test_a_modules_own_count_is_a_number_or_a_list_of_one(monkeypatch):
    planted(monkeypatch, total=[12])
    assert counted(STATE) == FinishedJobs(12, "tasks")
    planted(monkeypatch, total=13)
    assert counted(STATE) == FinishedJobs(13, "tasks")


def test_who_counts_only_under_a_condition_is_not_believed_without_it(monkeypatch):
    entry = ServerCounter("planted", ("nr",), type=WORKER.type, only_with="most")
    worker = made("Worker")
    planted(monkeypatch, Worker=worker, kept=[with_nr(worker, 0, most=None)])
    assert counted(entry) is None
    planted(monkeypatch, Worker=worker, kept=[with_nr(worker, 4, most=100)])
    assert counted(entry) == FinishedJobs(4, "planted")


def test_what_only_waits_for_the_collector_does_not_count(monkeypatch):
    worker = made("Worker")
    planted(monkeypatch, Worker=worker)
    gone = with_nr(worker, 9)
    gone.itself = gone
    del gone
    with heap_graph() as graph:
        assert server_jobs(graph, [WORKER]) is None


def test_an_entry_is_of_a_class_or_of_a_module():
    for wrong in ({"type": "a.B", "module": "a"}, {}):
        with pytest.raises(ValueError, match="either a type or a module"):
            ServerCounter.of({"server": "x", "counts": ["n"], **wrong})
    with pytest.raises(TypeError):
        ServerCounter.of({"server": "x", "counts": ["n"], "typ": "a.B"})


@pytest.mark.parametrize("entry", catalogue(), ids=lambda one: one.type or one.module)
def test_the_catalogue_names_what_installed_servers_have(entry):
    home = (entry.type or f"{entry.module}.").rpartition(".")[0]
    try:
        module = importlib.import_module(home)
    except ImportError:
        assert home.partition(".")[0] in {"gunicorn", "celery", "hypercorn"}  # not among the tests' packages
        return
    names = vars(module)[entry.type.rpartition(".")[2]].__init__.__code__.co_names if entry.type else vars(module)
    assert {*entry.counts, *filter(None, [entry.only_with])} <= {*names}
