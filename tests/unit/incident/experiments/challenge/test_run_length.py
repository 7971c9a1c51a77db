import math

import numpy as np
import pytest

from labserver.incident.experiments.challenge.arrivals import Series
from labserver.incident.experiments.challenge.run import Run
from labserver.incident.experiments.challenge.run_length import (
    RunLengths,
    differences,
    false_alarms,
    noise_between,
    predicted_for,
    predicted_s,
    told_apart_s,
)
from labserver.incident.service.settings import Settings

RATE, SIZE, JOBS, SWEEP_S = 10.0, 1000.0, 60, 0.2


def made(rng, *, ttl_s=math.inf, phase_s=0.0, sigma=100.0, offset=0.0):
    """A run by the rule itself: finished each 1 / RATE s, gone at the first sweep past the TTL, read with noise."""
    jobs = np.arange(1.0, JOBS + 1)
    done = jobs / RATE
    gone = np.ceil((done + ttl_s - phase_s) / SWEEP_S) * SWEEP_S + phase_s if math.isfinite(ttl_s) else done + np.inf
    kept = SIZE * ((done[:, None] <= done) & (done < gone[:, None])).sum(axis=0)
    heap = kept + rng.normal(0, sigma, JOBS) + offset
    series = Series(done, heap, kept[:, None], jobs[:, None])
    settings = Settings(ttl_s=min(ttl_s, 1e6), sweep_s=SWEEP_S)
    return Run(settings, RATE, series, jobs, heap - heap[:3].mean(), done)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_a_leaky_run_is_not_told_apart_from_others(rng):
    alarms = sum(false_alarms([made(rng, sigma=400) for _ in range(4)], confidence=0.99) for _ in range(50))
    assert alarms <= 4  # of 200 runs, at 1 % each


def test_what_the_process_had_before_does_not_count(rng):
    noise = noise_between([made(rng) for _ in range(3)], confidence=0.99)
    assert told_apart_s(made(rng, offset=50_000), noise) is None


def test_a_moment_s_burst_is_no_difference(rng):
    noise = noise_between([made(rng) for _ in range(3)], confidence=0.99)
    run = made(rng)
    run.heap[30] += 20 * SIZE
    assert told_apart_s(run, noise) is None
    run.heap[31] += 20 * SIZE
    assert told_apart_s(run, noise) == pytest.approx(3.2)


@pytest.mark.parametrize("ttl_s", [1.0, 2.0, 4.0])
def test_a_store_with_a_ttl_is_told_apart_when_predicted(rng, ttl_s):
    noise = noise_between([made(rng) for _ in range(3)], confidence=0.99)
    for phase_s in np.linspace(0, 0.2, 9):
        run = made(rng, ttl_s=ttl_s, phase_s=phase_s)
        soonest, latest = predicted_for(run, noise)
        assert soonest <= told_apart_s(run, noise) <= latest
        assert latest - soonest < 1


def test_a_run_that_ends_before_its_ttl_tells_nothing(rng):
    noise = noise_between([made(rng) for _ in range(3)], confidence=0.99)
    assert told_apart_s(made(rng, ttl_s=20 * JOBS / RATE), noise) is None


def test_more_noise_needs_a_longer_run(rng):
    quiet, loud = (noise_between([made(rng, sigma=s) for _ in range(3)], confidence=0.99) for s in (50, 800))
    assert quiet.limit_bytes == SIZE
    assert loud.limit_bytes > 3 * SIZE
    runs = [predicted_s(5, 1, rate_per_s=RATE, first_s=0.1, limit_results=n.limit_bytes / SIZE) for n in (quiet, loud)]
    assert runs[0][0] == runs[1][0] == pytest.approx(5.1)
    assert runs[0][1] < runs[1][1]


def test_only_numbers_of_jobs_that_the_leaky_runs_reached_are_compared(rng):
    noise = noise_between([made(rng) for _ in range(3)], confidence=0.99)
    del noise.reference[60]
    assert differences(made(rng), noise)[0].tolist() == list(range(1, 60))


def test_the_lengths_of_all_runs_are_told_together(rng):
    leaky, fixed = [made(rng) for _ in range(3)], [made(rng, ttl_s=ttl_s) for ttl_s in (1.0, 20 * JOBS / RATE)]
    lengths = RunLengths.of(leaky, fixed, confidence=0.99)
    soon, never = (run.settings.ttl_s for run in fixed)
    assert lengths.predicted[soon][0] <= lengths.measured[soon] <= lengths.predicted[soon][1]
    assert lengths.measured[never] is None
    assert (lengths.limit_results, lengths.false_alarms) == (pytest.approx(1.0, rel=0.01), 0)
