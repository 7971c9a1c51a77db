import numpy as np
import pytest

from labserver.diagnosis.decide.steadiness import Course, Kept, course_of_counts, course_of_floors, line, most_per_job


def series(counts, every=200):
    jobs = tuple(every * (number + 1) for number in range(len(counts)))
    return Kept("KEPT", jobs, tuple(counts), 1000.0), jobs[-1]


@pytest.mark.parametrize(
    ("counts", "course"),
    [
        ((200, 400), Course.STEADY),
        ((199, 401), Course.STEADY),  # one is on its way
        ((600, 1200), Course.STEADY),
        ((200,), Course.UNSURE),
        ((180, 340), Course.UNSURE),
        ((150, 200, 210), Course.SLOWING),
        ((0, 0), Course.UNSURE),
        ((20, 40, 60, 80, 100, 120, 140, 160, 180, 200), Course.STEADY),  # every tenth job, too even for chance
    ],
)
def test_the_course_of_counts(counts, course):
    assert course_of_counts(*series(counts)) is course


def test_counts_of_before_say_nothing_about_now():
    kept, now = series((200, 400))
    assert course_of_counts(kept, now + 50) is Course.UNSURE


def test_a_bound_that_is_not_reached_is_filling():
    kept = Kept("CACHE", (200, 400), (200, 400), 1000.0, bound=500)
    assert course_of_counts(kept, 400) is Course.FILLING
    assert course_of_counts(Kept("CACHE", (200, 400), (200, 400), 1000.0, bound=300), 400) is Course.STEADY


def test_half_of_the_jobs_at_random_are_steady_in_the_end_and_a_slow_cache_never():
    rng, jobs = np.random.default_rng(3), np.arange(200, 2001, 200)
    steady = slow = 0
    for _ in range(200):
        half = np.cumsum(rng.binomial(200, 0.7, 10))
        steady += course_of_counts(*series(half.tolist()), final=True) is Course.STEADY
        cache = np.cumsum(rng.binomial(200, np.exp(-(150 + jobs) / 3000)))
        slow += course_of_counts(*series(cache.tolist()), final=True) is Course.STEADY
    assert steady >= 195
    assert slow == 0


def test_the_course_of_floors():
    jobs = list(range(0, 2001, 50))
    noise = np.random.default_rng(0).normal(0, 2000, len(jobs))
    leak = [1000 * job + n for job, n in zip(jobs, noise, strict=True)]
    cache = [3e6 * (1 - np.exp(-job / 3000)) + n for job, n in zip(jobs, noise, strict=True)]
    quick = [3e6 * (1 - np.exp(-job / 300)) + n for job, n in zip(jobs, noise, strict=True)]
    assert course_of_floors(jobs, leak, noise=2000) is Course.STEADY
    assert course_of_floors(jobs, cache, noise=2000) is Course.SLOWING
    assert course_of_floors(jobs, quick, noise=2000) is Course.SLOWING
    assert course_of_floors(jobs[:8], leak[:8], noise=2000) is Course.UNSURE
    assert course_of_floors(jobs, [-y for y in leak], noise=2000) is Course.UNSURE


def test_items_of_random_size_widen_the_interval_as_they_make_the_slope_uncertain():
    rng, jobs, misses = np.random.default_rng(1), list(range(0, 1001, 50)), 0
    for _ in range(300):
        floors = np.cumsum(np.concatenate([[0], rng.normal(50_000, 20_000, 20)]))
        fit = line(jobs, floors.tolist(), noise=1.0, quantile=2.86)  # 99 %
        misses += not fit.low <= 1000 <= fit.high
    assert misses <= 15


def test_the_upper_bound_of_a_rare_event_is_that_of_poisson():
    kept = Kept("KEPT", (100,), (0,), 1.0)
    assert most_per_job(kept, 1) == pytest.approx(3.0, rel=0.03)
    assert most_per_job(Kept("KEPT", (100,), (10,), 1.0), 1) == pytest.approx(16.96, rel=0.01)
