"""The simulator is as noisy as real floors are, and its runs come out as they should."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from labserver.diagnosis.fact import NoteKind
from labserver.diagnosis.verdict import Verdict

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def simulator():
    spec = importlib.util.spec_from_file_location("verdict_simulate", BENCH / "verdict_simulate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def table(simulator):
    return json.loads(simulator.NOISE_FILE.read_text(encoding="utf-8"))


def test_the_noise_is_that_of_real_floors(simulator, table):
    rng = np.random.default_rng(0)
    for name, measured in table.items():
        drawn = simulator.noise(rng, 20_000, {name: measured})
        assert drawn.std() == pytest.approx(measured["deviation"], rel=0.25)
        assert abs(drawn.mean()) < 0.3 * measured["deviation"]
        assert drawn.min() >= measured["quantiles"][0]
        assert drawn.max() <= measured["quantiles"][-1]


def test_a_simulated_cache_fills_with_its_time_constant(simulator):
    jobs = np.arange(0, 20_001, 50)
    entries = simulator.cache(np.random.default_rng(0), jobs, 3000, 1.0)
    left = 3000 * np.exp(-simulator.WARM_UP / 3000)
    assert entries[-1] == pytest.approx(left, rel=0.02)
    assert entries[60] == pytest.approx(left * (1 - np.exp(-1)), rel=0.05)


@pytest.mark.parametrize(
    ("kind", "never"),
    [("idle", "leak"), ("filling", "leak"), ("slow", "leak"), ("steps", "leak"), ("sawtooth", "leak")]
    + [(kind, "no-leak") for kind in ("constant", "uncounted", "half", "some", "late", "bursts")],
)
def test_the_verdict_of_simulated_runs_is_not_wrong(simulator, kind, never):
    kinds = {**simulator.CLEAN, **simulator.LEAKY}
    (row,) = simulator.simulate({kind: kinds[kind]}, 60, 1, simulator.Plan(), simulator.Rules())
    assert row.runs == 60
    assert row.verdicts[Verdict(never)] == 0
    if kind in {"constant", "late"}:
        assert row.verdicts[Verdict.LEAK] == 60
        assert np.mean(row.jobs) <= 700
    if kind == "idle":
        assert row.verdicts[Verdict.NO_LEAK] >= 57
    assert kind in simulator.table_of([row])


def test_what_is_called_a_leak_of_a_seldom_used_cache_says_that_it_may_be_none(simulator, table):
    rng, plan = np.random.default_rng(3), simulator.Plan()
    decisions = [simulator.check(simulator.seldom(rng, plan.jobs, table))[0] for _ in range(100)]
    leaks = [decision for decision in decisions if decision.verdict is Verdict.LEAK]
    assert 0 < len(leaks) < 30
    assert all(NoteKind.FEW_ITEMS in [note.kind for note in leak.notes] for leak in leaks)
