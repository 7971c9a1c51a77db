import numpy as np
import pytest

from labserver.diagnosis.decide.count_channel import (
    most_per_job,
    steadiness_of_counts,
    steadiness_of_gain,
    steadiness_of_holders,
)
from labserver.diagnosis.decide.evidence import Evidence, Gain
from labserver.diagnosis.decide.steadiness import Steadiness


def series(counts, every=200):
    jobs = tuple(every * (number + 1) for number in range(len(counts)))
    return Gain("KEPT", jobs, tuple(counts), 1000.0), jobs[-1]


@pytest.mark.parametrize(
    ("counts", "steadiness"),
    [
        ((200, 400), Steadiness.STEADY),
        ((199, 401), Steadiness.STEADY),  # one is on its way
        ((600, 1200), Steadiness.STEADY),
        ((200,), Steadiness.UNSURE),
        ((180, 340), Steadiness.UNSURE),
        ((150, 200, 210), Steadiness.SLOWING),
        ((0, 0), Steadiness.UNSURE),
        ((20, 40, 60, 80, 100, 120, 140, 160, 180, 200), Steadiness.STEADY),  # every tenth job, too even for chance
    ],
)
def test_the_steadiness_of_counts(counts, steadiness):
    assert steadiness_of_counts(*series(counts)) is steadiness


def test_counts_of_before_say_nothing_about_now():
    gain, now = series((200, 400))
    assert steadiness_of_counts(gain, now + 50) is Steadiness.UNSURE


def test_a_bound_that_is_not_reached_is_filling():
    gain = Gain("CACHE", (200, 400), (200, 400), 1000.0, bound=500)
    assert steadiness_of_counts(gain, 400) is Steadiness.FILLING
    assert steadiness_of_counts(Gain("CACHE", (200, 400), (200, 400), 1000.0, bound=300), 400) is Steadiness.STEADY


def test_half_of_the_jobs_at_random_are_steady_in_the_end_and_a_slow_cache_never():
    rng, jobs = np.random.default_rng(3), np.arange(200, 2001, 200)
    steady = slow = 0
    for _ in range(200):
        half = np.cumsum(rng.binomial(200, 0.7, 10))
        steady += steadiness_of_counts(*series(half.tolist()), final=True) is Steadiness.STEADY
        cache = np.cumsum(rng.binomial(200, np.exp(-(150 + jobs) / 3000)))
        slow += steadiness_of_counts(*series(cache.tolist()), final=True) is Steadiness.STEADY
    assert steady >= 195
    assert slow == 0


@pytest.mark.parametrize(
    ("counts", "steadiness"),
    [
        ((2, 4, 6), Steadiness.GOES_ON),
        ((2, 3, 5), Steadiness.UNSURE),  # too few
        ((5, 6, 6), Steadiness.UNSURE),  # none late
    ],
)
def test_a_few_items_that_came_early_and_late_go_on(counts, steadiness):
    gain, now = series(counts)
    assert steadiness_of_gain(gain, Evidence([0, now], [0, 0], (gain,), now)) is steadiness


@pytest.mark.parametrize(
    ("other", "steadiness"),
    [
        ((200, 400), Steadiness.STEADY),
        ((180, 340), Steadiness.UNSURE),
        ((150, 200, 210), Steadiness.SLOWING),
        ((1, 1), Steadiness.UNKNOWN),  # it is this item that grows
    ],
)
def test_of_several_holders_the_doubtful_one_decides(other, steadiness):
    one, now = series((200, 400, 600)[: len(other)])
    two = Gain("OTHER", one.jobs, other, one.gained_bytes / other[-1])
    evidence = Evidence([0, now], [0, 2 * one.gained_bytes], (one, two), now)
    per_job = 3 * one.gained_bytes / now  # neither explains half of it alone
    assert steadiness_of_holders(evidence, per_job) is steadiness


def test_holders_that_explain_too_little_say_nothing():
    gain, now = series((200, 400))
    evidence = Evidence([0, now], [0, 10 * gain.gained_bytes], (gain,), now)
    assert steadiness_of_holders(evidence, 10 * gain.gained_bytes / now) is Steadiness.UNKNOWN


def test_the_upper_bound_of_a_rare_event_is_that_of_poisson():
    assert most_per_job(0, 1) == pytest.approx(3.0, rel=0.03)
    assert most_per_job(10, 1) == pytest.approx(16.96, rel=0.01)
