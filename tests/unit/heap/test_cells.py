"""A notebook's cell is known by the number beside it, a line in it by its code."""

import linecache
import sys
from types import SimpleNamespace

import pytest

from labserver.heap.cells import cell_name, code_at
from labserver.heap.tracemalloc_tools import frame_at

FILE = "/tmp/ipykernel_99/55.py"
LINES = ["kept = []\n", "    kept.append(bytes(9))\n", f"kept = {'x' * 200!r}\n"]


@pytest.fixture
def ran(monkeypatch):
    """A cell that a shell has run, and run again."""
    monkeypatch.setitem(linecache.cache, FILE, (99, None, LINES, FILE))
    numbers = {FILE: 4}
    shell = SimpleNamespace(compile=SimpleNamespace(_filename_map=numbers))
    monkeypatch.setitem(sys.modules, "IPython.core.getipython", SimpleNamespace(get_ipython=lambda: shell))
    return numbers


def test_a_line_says_which_cell_and_what_stands_there(ran):
    assert str(frame_at(FILE, 2)) == "notebook cell [4], line 2: kept.append(bytes(9))"
    ran[FILE] = 12
    assert str(frame_at(FILE, 1)) == "notebook cell [12], line 1: kept = []"


@pytest.mark.usefixtures("ran")
def test_a_long_line_is_cut():
    assert len(code_at(FILE, 3)) == 72
    assert code_at(FILE, 3).endswith("…")


@pytest.mark.parametrize("shell", [None, SimpleNamespace(), SimpleNamespace(compile=None)])
def test_without_a_shell_that_tells_the_cell_has_no_number(monkeypatch, shell):
    monkeypatch.setitem(sys.modules, "IPython.core.getipython", SimpleNamespace(get_ipython=lambda: shell))
    assert cell_name(FILE) == "notebook cell"
    assert str(frame_at(FILE, 7)) == "notebook cell:7"


@pytest.mark.usefixtures("ran")
@pytest.mark.parametrize("line", [0, 4, 99])
def test_a_line_that_is_not_there_has_no_code(line):
    assert code_at(FILE, line) == ""


def test_what_stands_in_files_is_not_quoted():
    assert code_at(__file__, 1) == ""
