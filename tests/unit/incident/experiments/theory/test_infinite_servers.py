import numpy as np
import pytest

from labserver.incident.experiments.theory.infinite_servers import infinite_servers, kept, poisson_arrivals


def test_each_stays_equally_long():
    arrivals = np.array([0.0, 1.0, 5.0])
    assert kept(arrivals, 2.0, np.array([0.5, 1.5, 2.5, 3.5, 5.5])).tolist() == [1, 2, 1, 0, 1]


def test_the_mean_and_the_spread_are_poissons():
    arrivals = poisson_arrivals(4.0, 20_000.0, seed=1)
    found = kept(arrivals, 5.0, np.arange(10.0, 20_000.0, 5.0))
    assert found.mean() == pytest.approx(20, rel=0.02)
    assert found.var() == pytest.approx(20, rel=0.1)


def test_the_steady_part_of_what_is_drawn_lies_about_the_line():
    _, counts = infinite_servers(rate_per_s=2.0, stay_s=5.0).axes
    steps, line = counts.lines
    assert set(line.get_ydata()) == {10.0}
    steady = steps.get_ydata()[steps.get_xdata() > 5]
    assert steady.min() < 10 < steady.max()
