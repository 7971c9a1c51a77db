"""The benches are scripts: they are imported from where they stand, and what they brought along is taken out again."""

import importlib
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def bench():
    """Imports one by its name."""
    paths, modules = list(sys.path), set(sys.modules)
    sys.path[:0] = [str(BENCH), str(BENCH / "modes")]
    yield importlib.import_module
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        if str(BENCH) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]
