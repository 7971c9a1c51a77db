import os
import platform

import pytest

from labserver import system
from labserver.cli import doctor, main
from labserver.heap import process_memory as footprint
from labserver.incident.postmortem import fonts, pdf


def rows():
    return {title: (here, without) for title, here, without in doctor.rows()}


def test_what_is_here_switches_nothing_off():
    found = rows()
    assert found["Python"] == (f"{platform.python_version()} (CPython)", "")
    assert found["fork"][0] == ("present" if system.CAN_FORK else "missing")
    assert set(found) >= {"attach: ptrace", "attach: sys.remote_exec"}


@pytest.mark.parametrize(
    ("title", "hide", "switched_off"),
    [
        ("allocators' books", lambda patch: patch.setattr(footprint, "heap_bytes", lambda: None), "a check traces"),
        ("fork", lambda patch: patch.delattr(os, "fork"), "heap graphs without a stall"),
        ("fork", lambda patch: patch.setattr(system, "CAN_FORK", False), "heap graphs without a stall"),
        ("redis-server", lambda patch: patch.setattr(doctor.shutil, "which", lambda _: None), "the store redis"),
        ("Graphviz dot", lambda patch: patch.setattr(doctor.shutil, "which", lambda _: None), "pictures"),
        ("Chromium", lambda patch: patch.setattr(doctor.shutil, "which", lambda _: None), "browser tests"),
        ("/proc", lambda patch: patch.setattr(doctor.Path, "exists", lambda _: False), "mapped directly"),
        ("PDF", lambda patch: patch.setattr(pdf, "why_not", lambda: "No Pango."), "the post-mortem as PDF. No Pango."),
        ("Korean fonts", lambda patch: patch.setattr(fonts, "korean", lambda: None), "pip install 'labserver[pdf]'"),
        (
            "ASGI server",
            lambda patch: patch.setattr(doctor, "_installed", lambda _: False),
            "checks of ASGI applications",
        ),
    ],
)
def test_what_is_missing_says_what_it_switches_off(monkeypatch, title, hide, switched_off):
    hide(monkeypatch)
    here, without = rows()[title]
    assert here == "missing"
    assert switched_off in without


@pytest.mark.parametrize(("installed", "without"), [("uvicorn", ""), ("a2wsgi", "pip install 'labserver[asgi]'")])
def test_what_would_serve_an_asgi_application_is_named(monkeypatch, installed, without):
    monkeypatch.setattr(doctor, "_installed", lambda name: name == installed)
    here, lost = rows()["ASGI server"]
    assert here == installed
    assert lost.endswith(without)
    assert bool(lost) == bool(without)


def test_another_python_loses_what_only_cpython_tells(monkeypatch):
    monkeypatch.setattr(platform, "python_implementation", lambda: "PyPy")
    assert "heap graphs" in rows()["Python"][1]


def test_an_extra_names_what_is_missing_and_what_that_switches_off(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "requires", lambda _: ["flask>=3", "redis>=5.2; extra == 'redis'"])
    monkeypatch.setattr(doctor, "_installed", lambda name: name != "redis")
    assert rows()["extra redis"] == ("missing: redis", "the store redis")
    monkeypatch.setattr(doctor, "_installed", lambda _: True)
    assert rows()["extra redis"] == ("present", "")


def test_each_extra_that_there_is_switches_something_off_and_no_other_does():
    assert set(doctor._SWITCHED_OFF) == set(doctor._packages_by_extra())


def test_the_table_is_printed(capsys):
    assert main(["doctor"]) == 0
    assert "Korean fonts" in capsys.readouterr().out
