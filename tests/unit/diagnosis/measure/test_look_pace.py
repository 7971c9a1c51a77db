import pytest

from labserver.diagnosis.measure.look_pace import LIMITS, LookPace
from labserver.heap.wire import LookCost


def paced(*costs, observe_s=600.0, every_s=None, allowed_ms=20.0):
    pace = LookPace(observe_s, every_s, allowed_ms)
    for stall_ms, cpu_s in costs:
        pace.add(LookCost(stall_ms, cpu_s))
    return pace


def test_looks_come_so_rarely_that_they_take_no_more_than_their_share_of_a_core():
    pace = paced((5.0, 0.3), (5.0, 0.6), (5.0, 0.9))
    looks = LIMITS.first + 600.0 / pace.every_s
    assert looks * 0.6 == pytest.approx(LIMITS.core_share * 600.0)
    assert pace.cpu_s == pytest.approx(1.8)
    assert paced((5.0, 9.0), (5.0, 9.0), observe_s=60.0).every_s == 60.0  # one look, whatever it takes


def test_cheap_looks_are_neither_too_many_nor_too_near():
    assert paced((1.0, 0.001)).every_s == 600.0 / LIMITS.most_looks
    assert paced((1.0, 0.001), observe_s=30.0).every_s == LIMITS.least_s
    assert paced((1.0, 0.001), observe_s=86_400.0).every_s == 360.0


def test_the_pace_follows_a_heap_that_grows():
    cheap, dear = [(5.0, 0.03)] * 5, [(5.0, 0.3)] * 5
    assert paced(*cheap).every_s < paced(*cheap, *dear).every_s == paced(*dear).every_s


def test_a_pace_that_is_given_is_kept():
    assert paced((5.0, 3.0), every_s=2.0).every_s == 2.0


def test_a_single_long_stall_is_no_rule_and_several_are():
    assert not paced((300.0, 0.1), (5.0, 0.1), (5.0, 0.1)).stalls
    assert not paced((300.0, 0.1), (300.0, 0.1)).stalls
    long = paced((300.0, 0.1), (30.0, 0.1), (5.0, 0.1), (31.0, 0.1))
    assert long.stalls
    assert (long.stall_ms, long.most_stall_ms) == (30.5, 300.0)


def test_looks_that_do_not_tell_their_cost_change_nothing():
    pace = paced()
    pace.add(None)
    assert not pace.stalls
    assert pace.every_s == 600.0 / LIMITS.most_looks
    assert (pace.stall_ms, pace.most_stall_ms) == (0.0, 0.0)
