import numpy as np
import pytest

from labserver.stats.drift import drift
from labserver.stats.interval import bytes_per_job

NOISE = 2000.0


def told(jobs, floors, confidence=0.99):
    return drift(jobs, floors, confidence=confidence, noise_bytes=NOISE)


def test_a_straight_line_gives_its_slope():
    jobs = np.arange(0, 500, 50)
    interval = told(jobs, 2e7 + 900.0 * jobs)
    assert interval.estimate == pytest.approx(900)
    assert interval.low < 900 < interval.high


@pytest.mark.parametrize(("jobs", "floors"), [([0, 1], [1, 2]), ([5, 5, 5], [1, 2, 3]), ([0, 1, 2], [1, 2]), ([], [])])
def test_too_little_to_fit_is_refused(jobs, floors):
    with pytest.raises(ValueError, match="a slope needs three or more floors"):
        told(jobs, floors)


EVEN = np.arange(0, 1250, 50)
CHALLENGED = np.concatenate([np.arange(0, 401, 50), 400 * 2 ** np.arange(1, 7)])


def covered(make, runs=400):
    """How often the interval covers the truth, and how often least squares alone would; and the widths."""
    rng = np.random.default_rng(11)
    hits, widths = np.zeros(2), np.zeros(2)
    for _ in range(runs):
        jobs, floors, truth = make(rng)
        both = (told(jobs, floors), bytes_per_job(jobs, floors, noise_bytes=NOISE))
        hits += [truth in one for one in both]
        widths += [one.high - one.low for one in both]
    return hits / runs, widths / runs


@pytest.mark.parametrize("jobs", [EVEN, CHALLENGED], ids=["even", "challenged"])
@pytest.mark.parametrize(("share", "size"), [(0.3, 20_000), (0.05, 20_000), (0.01, 90_000)])
def test_it_covers_the_truth_where_some_jobs_keep_an_item(jobs, share, size):
    def make(rng):
        items = np.concatenate([[0], np.cumsum(rng.binomial(np.diff(jobs), share))])
        return jobs, size * items + rng.normal(0, NOISE, len(jobs)), size * share

    (hits, by_least_squares), _ = covered(make)
    assert hits >= 0.93
    assert by_least_squares < 0.7


@pytest.mark.parametrize("period", [90, 220, 400])
def test_it_covers_the_truth_where_memory_grows_in_blocks(period):
    """An allocator that takes a block for each so many jobs: wherever the measuring begins."""
    block = 2.0**18

    def make(rng):
        return (
            EVEN,
            block * ((EVEN + rng.uniform(0, period)) // period) + rng.normal(0, NOISE, len(EVEN)),
            block / period,
        )

    (hits, _), _ = covered(make)
    assert hits >= 0.98


def test_of_noise_that_comes_and_goes_it_is_little_wider_than_least_squares():
    def make(rng):
        return EVEN, 500.0 * EVEN + rng.normal(0, 3000, len(EVEN)), 500.0

    (hits, _), (width, by_least_squares) = covered(make)
    assert hits >= 0.98
    assert width < 2.5 * by_least_squares
