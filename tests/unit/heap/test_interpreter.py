import subprocess
import sys
import textwrap

import pytest

from labserver.diagnosis.measure.in_process import leak_check
from labserver.errors import CannotRun
from labserver.heap.interpreter import require_global_lock, unknown_parts


def test_an_ordinary_build_is_looked_into():
    require_global_lock()


def test_a_free_threaded_build_is_refused_before_anything_runs(monkeypatch):
    monkeypatch.setattr(sys, "abiflags", "t")
    ran = []
    with pytest.raises(CannotRun, match=r"^This is a free-threaded build.*with the ordinary build of Python 3\.\d+\.$"):
        leak_check(lambda: ran.append(1))
    assert ran == []


def test_a_newer_cpython_is_looked_into_and_the_answer_says_what_is_uncertain(monkeypatch):
    assert unknown_parts() == ()
    monkeypatch.setattr(sys, "version_info", (3, 16, 0, "final", 0))
    (note,) = unknown_parts()
    assert note.startswith("CPython 3.16 is newer than 3.15, the last one that labserver knows")


def test_at_fork_hooks_that_are_frozen_are_told_of():
    code = """
        import gc, os
        os.register_at_fork(before=int, after_in_parent=int, after_in_child=int)
        gc.freeze()
        from labserver.diagnosis.instruments import Instruments
        print(*Instruments().baseline().notes)
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=200, check=True
    )
    assert "at-fork hooks cannot be found" in done.stdout
