from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from labserver.service.settings import Settings
from labserver.suite.exhaustion import Trial, in_pace
from labserver.suite.forecast import Readings
from labserver.suite.paced import Attempt


@pytest.mark.parametrize(
    ("late_s", "rates"),
    [
        ([0.1, 0.0], [20.0]),
        ([0.9, 0.1], [20.0, 10.0]),
        ([0.9, 0.9, 0.9, 0.0], [20.0, 10.0, 5.0]),
    ],
)
def test_a_trial_of_which_something_was_late_is_made_again_at_half_the_rate_but_not_for_ever(late_s, rates):
    made, late = [], iter(late_s)

    def trial(rate):
        made.append(rate)
        return SimpleNamespace(late_s=next(late), ended_s=4.0, rate=rate)

    assert in_pace(trial, 20.0).rate == rates[-1]
    assert made == rates


def test_a_job_that_is_done_late_counts_as_late_until_the_death_and_not_after_it():
    times = np.arange(0.0, 4.0, 0.1)
    done = np.floor(10 * np.clip(times - 0.5, 0, None))
    readings = Readings(times, done, done, done)
    attempts = [Attempt(1.0, "done", "1", 0.02), Attempt(3.0, "no answer", "", 0.0)]
    made = Trial(Settings(), 1, 10.0, readings, attempts, 4.0, True, "", Counter(), 0.0, Counter(), 0.0)
    assert 0.5 <= made.late_s <= 0.6
    stuck = Readings(times, np.minimum(10 * times, 20), done, done)
    assert replace(made, readings=stuck).late_s == pytest.approx(1.0)
