"""Closed forms against exact values and against simulations."""

import math

import numpy as np
import pytest

from labserver.errors import UsageError
from labserver.incident.experiments.capacity.formulas import (
    QUANTILES,
    Retention,
    demand_quantile,
    erlang_b,
    places_needed,
    refused_at,
    simulated_demand,
)

KEPT = Retention(600.0, 60.0, (100.0, 300.0))


def test_the_mean_is_the_plateau():
    assert KEPT.mean_demand(5.0) == pytest.approx(5.0 * (600 + 60 / 2) * 200)


@pytest.mark.parametrize("rate", [2.0, 100.0, 100_000.0])
def test_the_simulation_agrees_with_the_closed_form(rate):
    demand = simulated_demand(rate, KEPT, np.random.default_rng(1), days=100)
    assert demand.mean == pytest.approx(KEPT.mean_demand(rate), rel=0.01)
    for share in QUANTILES:
        assert demand.quantiles[share] == pytest.approx(demand_quantile(rate, KEPT, share), rel=0.01)
    assert demand.quantiles[0.999] < demand.day_max


def test_the_simulation_agrees_with_arrivals_drawn_one_by_one():
    rng = np.random.default_rng(2)
    arrivals = np.cumsum(rng.exponential(1 / 3.0, 300_000))
    looks = rng.uniform(1000, arrivals[-1], 20_000)
    # What had expired at the newest sweep is gone.
    sweeps = looks // 60 * 60
    kept = np.searchsorted(arrivals, looks) - np.searchsorted(arrivals, sweeps - 600)
    demand = simulated_demand(3.0, Retention(600.0, 60.0, (1.0,)), rng, days=100)
    assert demand.mean == pytest.approx(kept.mean(), rel=0.01)
    assert demand.quantiles[0.99] == pytest.approx(np.quantile(kept, 0.99), rel=0.02)


def test_a_time_to_live_between_two_sweeps_is_refused():
    with pytest.raises(UsageError, match="multiple"):
        simulated_demand(1.0, Retention(90.0, 60.0, (1.0,)), np.random.default_rng(0))


@pytest.mark.parametrize(("places", "offered"), [(0, 3.0), (1, 1.0), (10, 8.0), (10, 80.0), (60, 20.0)])
def test_erlangs_formula(places, offered):
    terms = [offered**k / math.factorial(k) for k in range(places + 1)]
    assert erlang_b(places, offered) == pytest.approx(terms[-1] / sum(terms), rel=1e-9)


def test_erlangs_formula_at_the_ends():
    assert erlang_b(5, 0.0) == 0
    assert erlang_b(10_000_000, 5_000_000.0) == 0
    assert erlang_b(1_000, 1_000_000.0) == pytest.approx(0.999, rel=1e-4)


def test_the_places_needed_are_the_fewest():
    places = places_needed(30.0, 0.001)
    assert erlang_b(places, 30.0) <= 0.001 < erlang_b(places - 1, 30.0)


def test_a_larger_budget_refuses_less():
    shares = refused_at([1e3, 1e4, 3e4], 10.0, 10.0, 200.0)
    assert shares[0] > shares[1] > shares[2]
