import pytest

from labserver.incident.experiments.figure import VERMILLION
from labserver.incident.experiments.theory.sequential_test import LOOKS, false_alarms, limit, sequential_test


def test_a_limit_for_one_look_is_overrun_the_more_often_the_more_looks_there_are():
    assert false_alarms(0.99, 1, shared_over=1) == pytest.approx(0.01)
    assert false_alarms(0.99, LOOKS, shared_over=1) > 0.4


@pytest.mark.parametrize("looks", [1, 7, LOOKS])
def test_a_limit_that_is_shared_out_holds_over_all_looks(looks):
    assert false_alarms(0.99, looks, shared_over=LOOKS) <= 0.01
    assert limit(0.99, LOOKS) > limit(0.99, 1)


def test_the_run_that_is_drawn_overruns_only_the_limit_for_one_look():
    left, _ = sequential_test().axes
    circled = [line for line in left.lines if line.get_markersize() == 8]
    assert [len(line.get_xdata()) for line in circled] == [1, 0]
    assert circled[0].get_color() == VERMILLION
