import json
import sys
from types import ModuleType

import numpy as np
import pytest

import labserver.text
from labserver.heap import origin, precedence
from labserver.heap.precedence import Precedence, declare_serving, precedence_of


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project in which nothing is known of the application, nor of what serves it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(origin, "_declared", [])
    monkeypatch.setattr(precedence, "_serving", set())
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    return tmp_path


def module(name, file=None):
    made = ModuleType(name)
    if file is not None:
        made.__file__ = str(file)
    return made


def test_a_module_goes_by_its_file(project):
    assert precedence_of(module("shop", project / "shop.py")) is Precedence.APPLICATION
    assert precedence_of(np) is Precedence.LIBRARY
    assert precedence_of(json) is Precedence.STANDARD
    assert precedence_of(labserver.text) is Precedence.SERVING


def test_an_applications_module_may_have_a_name_of_the_standard_librarys(project):
    assert precedence_of(module("queue", project / "queue.py")) is Precedence.APPLICATION


def test_what_has_no_file_is_built_in_or_made_by_the_application():
    assert precedence_of(sys) is Precedence.STANDARD
    assert precedence_of(module("shop:create_app")) is Precedence.APPLICATION


def test_what_was_loaded_to_serve_comes_last_unless_it_is_the_applications(project):
    shop, server = module("shop", project / "shop.py"), module("server", "/opt/site-packages/server.py")
    assert precedence_of(server) is Precedence.LIBRARY
    declare_serving(["shop", "server", "json"])
    assert precedence_of(server) is Precedence.SERVING
    assert precedence_of(shop) is Precedence.APPLICATION
    assert precedence_of(json) is Precedence.STANDARD


def test_the_order_is_that_in_which_readers_know_them():
    assert Precedence.APPLICATION < Precedence.LIBRARY < Precedence.STANDARD < Precedence.SERVING


class Proxy(ModuleType):
    """A module that loads itself when it is asked."""

    def __getattr__(self, name):
        raise AssertionError(f"asked for {name}")


def test_no_module_is_asked():
    assert precedence_of(Proxy("lazy")) is Precedence.APPLICATION
