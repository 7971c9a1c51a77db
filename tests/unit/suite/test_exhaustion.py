from types import SimpleNamespace

from labserver.suite.exhaustion import in_pace


def trials(*late_s):
    return iter([SimpleNamespace(late_s=late, ended_s=4.0, number=n) for n, late in enumerate(late_s)])


def test_a_trial_that_kept_the_pace_is_the_one():
    made = trials(0.1, 0.0)
    assert in_pace(lambda: next(made)).number == 0


def test_a_trial_whose_clients_came_late_is_made_again_but_not_for_ever():
    made = trials(0.9, 0.1)
    assert in_pace(lambda: next(made)).number == 1
    made = trials(0.9, 0.9, 0.9, 0.0)
    assert in_pace(lambda: next(made)).number == 2
