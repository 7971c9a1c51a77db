import pytest

from labserver.diagnosis.decide.forecast import Forecast
from labserver.heap.wire import LimitKind
from labserver.stats.interval import Interval


def of(per_hour, *, limit=1000, used=400):
    return Forecast.of(LimitKind.GROUP, limit, used, per_hour)


def test_the_time_to_a_limit_has_the_bounds_of_the_pace_turned_round():
    found = of(Interval(100.0, 50.0, 150.0, 0.99))
    assert (found.hours, found.low_hours, found.high_hours) == (6.0, 4.0, 12.0)


def test_where_the_growth_may_be_none_there_is_no_latest_time():
    assert of(Interval(100.0, -10.0, 150.0, 0.99)).high_hours is None


@pytest.mark.parametrize("estimate", [0.0, -5.0])
def test_nothing_is_foretold_of_what_does_not_grow(estimate):
    assert of(Interval(estimate, -10.0, 10.0, 0.99)) is None


def test_what_is_beyond_the_limit_already_has_no_time_left():
    found = of(Interval(100.0, 50.0, 150.0, 0.99), used=2000)
    assert (found.hours, found.low_hours, found.high_hours) == (0.0, 0.0, 0.0)
