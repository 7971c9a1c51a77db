import numpy as np
import pytest

from labserver.incident.experiments.steady_state import exhausting_rate, peak_bytes, plateau_bytes

RATE, TTL, SWEEP, SIZE = 7.3, 5.0, 2.0, 1000


def kept(at):
    """Bytes kept at each instant by the rule itself: in the store from completion to the first sweep past the TTL."""
    finished = np.arange(1, 40 * RATE) / RATE
    gone = np.ceil((finished + TTL) / SWEEP) * SWEEP
    return SIZE * ((finished[:, None] <= at) & (at < gone[:, None])).sum(axis=0)


def test_the_formulas_are_what_the_rule_gives():
    at = np.linspace(20, 30, 20_001)[:-1]  # five whole periods, long after the first sweep
    assert kept(at).mean() == pytest.approx(plateau_bytes(RATE, TTL, SWEEP, SIZE), rel=0.02)
    assert kept(at).max() == pytest.approx(peak_bytes(RATE, TTL, SWEEP, SIZE), abs=SIZE)


def test_the_exhausting_rate_peaks_at_the_heap():
    rate = exhausting_rate(2**30, TTL, SWEEP, SIZE)
    assert peak_bytes(rate, TTL, SWEEP, SIZE) == pytest.approx(2**30)
