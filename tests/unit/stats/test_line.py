import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labserver.stats.line import Line

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(
    st.lists(st.tuples(st.integers(-1000, 1000), NUMBERS), min_size=2, max_size=30, unique_by=lambda point: point[0])
)
def test_the_line_is_that_of_polyfit(points):
    x, y = np.array(points, dtype=float).T
    line, (slope, level) = Line.through(x, y), np.polyfit(x, y, 1)
    assert line.slope == pytest.approx(slope, rel=1e-6, abs=1e-6 * np.abs(y).max() + 1e-9)
    assert line.rest == pytest.approx(y - level - slope * x, abs=1e-6 * np.abs(y).max() + 1e-9)


def test_a_weight_is_so_many_points():
    weighted = Line.through([0, 1, 5], [3, 4, 20], weights=[1, 3, 2])
    repeated = Line.through([0, 1, 1, 1, 5, 5], [3, 4, 4, 4, 20, 20])
    assert (weighted.slope, weighted.x, weighted.y) == pytest.approx((repeated.slope, repeated.x, repeated.y))
    assert weighted.spread == pytest.approx(repeated.spread)


def test_large_levels_cost_no_digits():
    assert Line.through([1e9, 1e9 + 1, 1e9 + 2], [2e12, 2e12 + 3, 2e12 + 6]).slope == pytest.approx(3)


def test_the_deviation_has_two_degrees_of_freedom_less():
    assert Line.through([0, 1, 2], [0, 3, 0]).deviation == pytest.approx(np.sqrt(6))
    assert not Line.through([0, 1], [0, 3]).deviation


@pytest.mark.parametrize(("x", "y"), [([], []), ([1], [1]), ([2, 2, 2], [1, 2, 3]), ([0, 1, 2], [0, 1])])
def test_what_gives_no_line_is_refused(x, y):
    with pytest.raises(ValueError, match="differing x"):
        Line.through(x, y)
