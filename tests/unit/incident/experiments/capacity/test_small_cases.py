"""The real stores against the closed forms."""

import numpy as np
import pytest

from labserver.incident.experiments.capacity.small_cases import SmallCase, checked_refusals, dispersion, run_small_cases


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
