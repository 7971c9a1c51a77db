import sys

import pytest

from labserver.diagnosis.in_process import leak_check
from labserver.errors import CannotRun
from labserver.heap.interpreter import require_global_lock


def test_an_ordinary_build_is_looked_into():
    require_global_lock()


def test_a_free_threaded_build_is_refused_before_anything_runs(monkeypatch):
    monkeypatch.setattr(sys, "abiflags", "t")
    ran = []
    with pytest.raises(CannotRun, match=r"^This is a free-threaded build.*with the ordinary build of Python 3\.\d+\.$"):
        leak_check(lambda: ran.append(1))
    assert ran == []
