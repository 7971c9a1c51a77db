"""The simulator is as noisy as real floors are, and its runs come out as they should."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from labserver.diagnosis.fact import NoteKind
from labserver.diagnosis.measure.options import MeasureOptions
from labserver.diagnosis.verdict import Verdict

BENCH = Path(__file__).parents[2] / "bench"
MAY_BE_WRONG = {"swept", "unique", "refilled"}
"""Where the code around says nothing of a sweep or a bound, and neither comes in the time of a challenge."""


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


CLEAN = ["idle", "filling", "slow", "steps", "scatter", "unique", "swept", "refilled", "seldom"]
LEAKY = ["constant", "uncounted", "half", "some", "late", "bursts", "beside"]


@pytest.mark.parametrize(("kind", "never"), [(kind, "leak") for kind in CLEAN] + [(kind, "no-leak") for kind in LEAKY])
def test_the_verdict_of_simulated_runs_is_not_wrong(simulator, kind, never):
    (row,) = simulator.simulate({kind: simulator.KINDS[kind]}, 60, 1, MeasureOptions())
    assert row.runs == 60
    assert row.verdicts[Verdict(never)] <= (kind in MAY_BE_WRONG)
    if kind in {"constant", "late"}:
        assert row.verdicts[Verdict.LEAK] == 60
    if kind == "idle":
        assert row.verdicts[Verdict.NO_LEAK] >= 57
    assert kind in simulator.table_of([row])


def test_what_is_let_go_of_is_told_from_a_leak_by_who_stays(simulator, table):
    """Without the memory of items, what is swept passes for a leak as soon as its counts happen to rise."""
    results = [simulator.one("swept", 3, number, table, MeasureOptions()) for number in range(40)]
    told = [result for result in results if NoteKind.LETS_GO in [note.kind for note in result.noted]]
    assert len(told) > 20
    assert all(result.verdict is Verdict.NO_LEAK and result.interval.high < 256 for result in told)


def test_a_leak_says_what_was_tried_before_it_was_called_one(simulator, table):
    results = [simulator.one("constant", 3, number, table, MeasureOptions()) for number in range(20)]
    assert all(NoteKind.CHALLENGED in [note.kind for note in result.noted] for result in results)


def test_what_is_undecided_shows_who_holds_it_and_what_is_no_leak_does_not(simulator, table):
    def server(size):
        rng = np.random.default_rng(5)
        came = simulator.Store(simulator.GRID.astype(float), size)
        return simulator.background(rng, table, came)

    undecided, quiet = simulator.check(server(232.0)), simulator.check(server(20.0))
    assert undecided.verdict is Verdict.INCONCLUSIVE
    assert [holder.path for holder in undecided.holders] == ["module shop → STORE_5fec → ['…'] → bytes"]
    assert quiet.verdict is Verdict.NO_LEAK
    assert quiet.holders == ()


def test_no_page_of_a_simulated_check_contradicts_itself(simulator, table, bench):
    contradictions = bench("verdict_consistency").contradictions
    for kind in simulator.KINDS:
        for number in range(12):
            result = simulator.one(kind, 2, number, table, MeasureOptions(fast=not number % 3))
            page = json.loads(json.dumps(result.to_dict()))
            assert contradictions(page) == [], (kind, number)
