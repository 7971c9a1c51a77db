import numpy as np

from labserver.incident.experiments.capacity import figures, tables
from labserver.incident.experiments.capacity.formulas import Retention
from labserver.incident.experiments.capacity.sizing import Assumptions, plan
from labserver.incident.experiments.capacity.small_cases import SmallCase

GIVEN = Assumptions(Retention(600.0, 60.0, (190_000.0,)), 0.04)


def test_the_plan_is_a_line_and_a_row_a_rate():
    scales = plan([10, 1000], GIVEN, days=1)
    (axes,) = figures.demand(scales, GIVEN).axes
    assert len(axes.lines[0].get_xdata()) == 2
    assert tables.plan(scales).count("\n") == 3


def test_the_refusals_fall_from_all_to_none():
    (axes,) = figures.refusals([1, 100_000], GIVEN, [(5e6, 0.2)]).axes
    shares = axes.lines[0].get_ydata()
    assert shares[0] > 0.9
    assert np.nanmin(shares) < 1e-4


def test_a_panel_a_small_case():
    case = SmallCase(30.0, 0.2, 0.02, np.array([5.0, 6.0, 7.0]), 2.0)
    assert len(figures.small_cases([case, case]).axes) == 2
