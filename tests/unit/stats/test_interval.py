import numpy as np
import pytest

from labserver.stats.floor_noise import FLOOR_NOISE
from labserver.stats.interval import Interval, bytes_per_job, mean_of


def test_a_straight_line_gives_its_slope():
    interval = bytes_per_job([0, 50, 100, 150], [1e6, 1e6 + 50 * 2e5, 1e6 + 100 * 2e5, 1e6 + 150 * 2e5])
    assert interval.estimate == pytest.approx(2e5)
    assert 2e5 in interval


def test_floors_that_agree_by_luck_are_not_believed_more_than_floors_can_be():
    interval = bytes_per_job([0, 50, 100, 150], [1e6, 1e6, 1e6, 1e6], confidence=0.99)
    assert interval.estimate == 0
    # t(0.995, 2) · 4096 / √12500
    assert interval.high == pytest.approx(9.925 * FLOOR_NOISE.shared_process / np.sqrt(12_500), rel=1e-3)
    assert interval.low == -interval.high


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(7)
    jobs = np.arange(6) * 50.0
    truth, hits, runs = 300.0, 0, 2000
    for _ in range(runs):
        floors = truth * jobs + rng.normal(0, 20_000, 6)
        hits += truth in bytes_per_job(jobs, floors, confidence=0.9)
    assert 0.88 <= hits / runs <= 0.92


def test_noisier_floors_widen_the_interval():
    jobs = [0, 50, 100, 150]
    calm = bytes_per_job(jobs, [0, 100, -100, 0])
    noisy = bytes_per_job(jobs, [0, 1e5, -1e5, 0])
    assert noisy.high - noisy.low > 5 * (calm.high - calm.low)


@pytest.mark.parametrize(("jobs", "floors"), [([0, 1], [1, 2]), ([5, 5, 5], [1, 2, 3]), ([0, 1, 2], [1, 2]), ([], [])])
def test_too_little_to_fit_is_refused(jobs, floors):
    with pytest.raises(ValueError, match="three or more floors"):
        bytes_per_job(jobs, floors)


def test_an_interval_knows_what_it_covers():
    interval = Interval(10.0, -5.0, 25.0, 0.99)
    assert 0 in interval
    assert 26 not in interval
    assert interval.scaled(2) == Interval(20.0, -10.0, 50.0, 0.99)
    assert str(interval) == "10 B/job (−5 to 25, 99 %)"


def test_a_mean_has_students_interval():
    interval = mean_of(np.array([1.0, 2.0, 3.0]), confidence=0.99)
    assert interval.estimate == 2
    assert interval.high == pytest.approx(2 + 9.925 / np.sqrt(3), rel=1e-3)  # t(0.995, 2) · 1 / √3
    assert interval.low == pytest.approx(4 - interval.high)
