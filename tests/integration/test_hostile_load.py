"""A dozen users without manners and a face-api that dies: every job and every byte is accounted for."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from hostile.load import hostile_load


@pytest.mark.parametrize("store", ["ttl", "byte-budget"])
def test_nothing_is_lost_doubled_or_left(store):
    outcome = hostile_load(store, users=12, seconds=2.5, kill_within_s=1.0, budget_bytes=30_000)
    assert outcome.objections() == {}
    figures = outcome.figures
    assert min(figures.accepted, figures.done, figures.kept, figures.kills) > 0, figures
    assert figures.refused > 0 or store == "ttl", figures
