import random
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labserver.errors import UsageError
from labserver.load.polling import NAMES, POLICIES, Polling, retry_after_s


def waits(policy, count=50, *, advice=None, seed=0, **fields):
    pace = Polling(policy, 1.0, **fields).pace(random.Random(seed))
    return [pace.wait_s(advice) for _ in range(count)]


def test_fixed_waits_are_all_alike():
    assert waits("fixed", 3) == [1, 1, 1]


def test_exponential_waits_double_up_to_their_ceiling():
    assert waits("exponential", 6, most_s=5.0) == [1, 2, 4, 5, 5, 5]
    assert max(waits("exponential")) == 10


def test_full_jitter_is_uniform_below_the_exponential_waits():
    drawn = [waits("full-jitter", 3, seed=seed) for seed in range(2000)]
    for at, longest in enumerate((1, 2, 4)):
        column = [row[at] for row in drawn]
        assert 0 <= min(column) <= max(column) <= longest
        assert sum(column) / len(column) == pytest.approx(longest / 2, rel=0.05)


@settings(deadline=None, database=None)
@given(st.integers(0, 10**6))
def test_decorrelated_waits_lie_between_the_interval_and_three_times_the_one_before(seed):
    before = 1.0
    for wait in waits("decorrelated", seed=seed):
        assert 1.0 <= wait <= min(3 * before, 10) + 1e-9
        before = wait


def test_retry_after_obeys_the_server_and_spreads_the_obedient():
    drawn = [waits("retry-after", 1, advice=7.0, seed=seed)[0] for seed in range(200)]
    assert 7 <= min(drawn) < 7.2
    assert 7.8 < max(drawn) <= 8
    assert waits("retry-after", 3) == [1, 1, 1]


@pytest.mark.parametrize("advice", [1e11, float("inf")])
def test_no_advice_is_longer_than_anybody_can_wait(advice):
    assert waits("retry-after", 1, advice=advice) == [threading.TIMEOUT_MAX]


@pytest.mark.parametrize("policy", POLICIES)
def test_the_others_do_not_listen(policy):
    assert waits(policy, 5, advice=100.0) == waits(policy, 5)


@pytest.mark.parametrize(
    "fields", [{"interval_s": -1}, {"interval_s": float("nan")}, {"most_s": 0.5, "interval_s": 1}, {"max_polls": 0}]
)
def test_figures_that_make_no_sense_are_refused(fields):
    with pytest.raises(UsageError, match=r"must be at least|must be 0 or more"):
        Polling(**fields)


def test_a_misspelt_policy_is_told_the_nearest():
    with pytest.raises(UsageError, match="full-jitter"):
        Polling("full_jiter")
    assert set(NAMES) == {*POLICIES, "retry-after"}


def test_retry_after_is_seconds_or_a_date_and_nonsense_is_no_advice():
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=30), usegmt=True)
    assert retry_after_s({"Retry-After": "12"}) == 12
    assert retry_after_s({"Retry-After": soon}) == pytest.approx(30, abs=5)
    assert retry_after_s({"Retry-After": past}) == 0
    for nonsense in ({}, {"Retry-After": ""}, {"Retry-After": "soon"}, {"Retry-After": "-3"}, {"Retry-After": "²"}):
        assert retry_after_s(nonsense) is None


def test_every_policy_goes_on_for_ever():
    for policy in POLICIES.values():
        assert len(list(islice(policy(Polling(), random.Random(0)), 1000))) == 1000
