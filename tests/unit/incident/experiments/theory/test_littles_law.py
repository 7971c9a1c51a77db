import numpy as np
import pytest

from labserver.incident.experiments.theory.littles_law import Visits, littles_law, visits


@pytest.mark.parametrize("seed", range(5))
def test_both_sides_of_the_law_are_the_same(seed):
    found = visits(seed)
    assert (found.went_s > found.came_s).all()
    assert found.mean_number == pytest.approx(found.rate_per_s * found.mean_stay_s)


def test_the_number_of_who_is_there_is_a_mean_over_time():
    # Two for one second, one for three seconds, of four.
    assert Visits(np.array([0.0, 0.0]), np.array([1.0, 4.0])).mean_number == pytest.approx((2 * 1 + 1 * 3) / 4)


def test_the_title_says_what_is_drawn():
    (axes,) = littles_law().axes
    found = visits()
    assert axes.get_title(loc="left").endswith(f"= {found.rate_per_s * found.mean_stay_s:.2f}")
    assert [text.get_text() for text in axes.texts if text.get_text()] == ["how long one stays", "how many are there"]
