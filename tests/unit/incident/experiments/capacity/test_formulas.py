"""Closed forms against exact values, against simulations, and against the real store."""

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
from labserver.incident.experiments.capacity.sizing import Assumptions, plan, simulation_error
from labserver.incident.experiments.capacity.small_cases import SmallCase, checked_refusals, dispersion, run_small_cases

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


def test_the_real_store_refuses_what_the_formula_says():
    for _, measured, foretold in checked_refusals(1.0, 10.0, loads=(0.6, 1.0), jobs=8_000):
        assert measured == pytest.approx(foretold, abs=0.025)


def kept_by_the_rule(arrivals, ttl_s=0.4, sweep_s=0.04):
    """What a store with a TTL keeps of jobs that come at these instants, looked at every 5 ms."""
    looks = np.arange(1.0, arrivals[-1], 0.005)
    swept_at = looks // sweep_s * sweep_s
    kept = np.searchsorted(arrivals, looks) - np.searchsorted(arrivals, swept_at - ttl_s)
    rate = len(arrivals) / arrivals[-1]
    return SmallCase(rate, ttl_s, sweep_s, kept.astype(float), float(looks[-1] - looks[0]))


def test_only_poisson_arrivals_spread():
    rng = np.random.default_rng(3)
    poisson = [kept_by_the_rule(np.sort(rng.uniform(0, 20, 20 * rate))) for rate in (30, 60)]
    even = [kept_by_the_rule(np.arange(20 * rate) / rate) for rate in (30, 60)]
    assert all(abs(case.error) < 0.05 for case in [*poisson, *even])
    assert 1 in dispersion(poisson)
    assert dispersion(even).high < 0.5


def test_the_real_store_keeps_the_mean_and_one_that_keeps_everything_does_not():
    fixed, leaky = (
        run_small_cases([(40.0, 0.4)], duration_s=20.0, store=store, even=True)[0] for store in ("ttl", "leaky")
    )
    assert abs(fixed.error) < 0.01
    assert leaky.error > 1


def test_what_the_real_store_keeps_spreads_as_its_arrivals_do():
    poisson, even = (run_small_cases([(40.0, 0.4)], duration_s=60.0, even=even) for even in (False, True))
    assert 0.5 < dispersion(poisson).low < 1 < dispersion(poisson).high < 2
    assert dispersion(even).high < 0.5
    assert abs(poisson[0].error) < 0.003  # looks that come with the sweeps would see less


def test_the_plan_names_a_store_for_each_scale():
    scales = plan([10, 100, 10_000], Assumptions(Retention(600.0, 60.0, (190_000.0,)), 0.04), days=5)
    assert [scale.store for scale in scales] == ["byte-budget", "redis", "object store"]
    assert [scale.instances for scale in scales] == [1, 2, 167]
    assert all(simulation_error(scale, Retention(600.0, 60.0, (190_000.0,))) < 0.02 for scale in scales)
