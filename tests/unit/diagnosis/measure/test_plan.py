import pytest

from labserver.diagnosis.measure.heuristics import Cycles
from labserver.diagnosis.measure.options import MeasureOptions
from labserver.diagnosis.measure.plan import make_plan


def plan(rate=100.0, floor_s=0.2, left_s=290.0, **options):
    return make_plan(MeasureOptions(**options), Cycles(), jobs_per_s=rate, floor_s=floor_s, left_s=left_s)


def test_a_quick_application_is_measured_in_cycles_of_fifty():
    assert (plan().cycle, plan().jobs, plan().floors) == (50, 4000, 81)
    assert (plan(fast=True).cycle, plan(fast=True).jobs, plan(fast=True).floors) == (25, 2000, 81)


def test_few_jobs_are_split_all_the_same():
    assert plan(max_jobs=10).cycle == 1
    assert plan(max_jobs=10).floors == 11


@pytest.mark.parametrize(
    ("rate", "floor_s", "left_s"), [(0.2, 0.2, 200), (5, 0.2, 60), (100, 30, 290), (100, 12, 100), (0.01, 10, 30)]
)
def test_a_slow_one_gets_what_fits(rate, floor_s, left_s):
    made = plan(rate=rate, floor_s=floor_s, left_s=left_s)
    assert made.cycle >= 1
    assert 5 <= made.floors <= 41
    if rate * left_s > 20:
        assert made.floors * made.cycle_s <= left_s


def test_a_long_wait_means_more_jobs_between_fewer_floors():
    made = plan(floor_s=30)
    assert made.floors < 10
    assert made.cycle > 50
