import numpy as np
import pytest

from labserver.diagnosis.decide.floors import Floors, floor_line


def test_items_of_random_size_widen_the_interval_as_they_make_the_slope_uncertain():
    rng, jobs, misses = np.random.default_rng(1), list(range(0, 1001, 50)), 0
    for _ in range(300):
        floors = np.cumsum(np.concatenate([[0], rng.normal(50_000, 20_000, 20)]))
        fit = floor_line(jobs, floors.tolist(), noise_bytes=1.0, quantile=2.86)  # 99 %
        misses += not fit.low <= 1000 <= fit.high
    assert misses <= 15


def test_a_line_from_a_floor_on_leaves_out_what_was_before():
    floors = Floors([0, 50, 100, 150, 200], [9e6, 0, 5000, 10_000, 15_000], 1.0, 1e-3)
    assert len(floors) == 5
    assert floors.line(1).slope == floors.line(-4).slope == pytest.approx(100)
    assert floors.interval(1, 0.99).estimate == pytest.approx(100)
    assert floors.line().slope < 0
