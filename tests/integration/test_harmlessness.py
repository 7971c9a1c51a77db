"""A process that is looked at is never harmed: the soak's circumstances, with few looks each."""

import importlib.util
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[1] / "soak" / "harmlessness.py"
spec = importlib.util.spec_from_file_location("harmlessness", SOAK)
harmlessness = importlib.util.module_from_spec(spec)
spec.loader.exec_module(harmlessness)


@pytest.mark.parametrize("circumstance", harmlessness.CIRCUMSTANCES)
def test_a_look_harms_nothing_and_finds_what_is_there(circumstance):
    found, wrong = harmlessness.look_at(sys.executable, circumstance, looks=2, within_s=250)
    assert wrong == []
    assert found["asked"] > 0


RIGHT = {"failed": [], "wrong": 0, "lost_signals": 0, "children_left": 0, "threads_left": 0, "descriptors_left": 0}


@pytest.mark.parametrize("name", RIGHT)
def test_whatever_is_wrong_is_told(name):
    assert list(harmlessness.faults(RIGHT)) == []
    assert len(list(harmlessness.faults(RIGHT | {name: ["CannotLook: it died"] if name == "failed" else 1}))) == 1
