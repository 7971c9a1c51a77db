import math

import pytest

from labserver.stats.student import t_cdf, t_quantile

# Abramowitz & Stegun, table 26.10, and the closed forms for one and two degrees of freedom.
TABLE = [
    (0.975, 1, 12.706),
    (0.975, 2, 4.303),
    (0.975, 3, 3.182),
    (0.975, 10, 2.228),
    (0.995, 3, 5.841),
    (0.995, 30, 2.750),
]


@pytest.mark.parametrize(("p", "dof", "expected"), TABLE)
def test_quantiles_are_those_of_the_published_table(p, dof, expected):
    assert t_quantile(p, dof) == pytest.approx(expected, abs=5e-4)


def test_one_degree_of_freedom_is_cauchy():
    assert t_cdf(1.0, 1) == pytest.approx(0.75)
    assert t_quantile(0.9, 1) == pytest.approx(math.tan(0.4 * math.pi))


@pytest.mark.parametrize("dof", [1, 2, 3, 4, 7, 20, 101])
def test_quantile_inverts_the_distribution_on_both_sides(dof):
    for p in (0.001, 0.2, 0.5, 0.8, 0.9995):
        assert t_cdf(t_quantile(p, dof), dof) == pytest.approx(p, abs=1e-9)


@pytest.mark.parametrize(("p", "dof"), [(0.0, 3), (1.0, 3), (0.5, 0), (math.nan, 3)])
def test_out_of_range_is_refused(p, dof):
    with pytest.raises(ValueError, match="no t quantile"):
        t_quantile(p, dof)
