from collections import Counter

import pytest

from labserver.incident.experiments.capacity.forecast import Readings
from labserver.incident.experiments.capacity.scheduled_clients import DONE, REFUSED, Attempt
from labserver.incident.experiments.capacity.trial import Trial
from labserver.incident.service.settings import Settings


def trial(ends_s, *, dies_s=None):
    attempts = [Attempt(end, DONE if number % 2 else REFUSED, "", 0.02) for number, end in enumerate(ends_s)]
    attempts += [Attempt(dies_s, "no answer", "", 0.02)] if dies_s else []
    nothing = Readings.of([], 0)
    return Trial(Settings(), 1, 10.0, nothing, attempts, 4.0, True, "", Counter(), Counter(), 0.0)


def test_jobs_that_end_late_make_a_trial_late_and_a_late_death_does_not():
    in_time = [0.1 * number + 0.05 for number in range(20)]
    assert trial(in_time).late_s == pytest.approx(0.05)
    assert trial(in_time, dies_s=9.0).late_s == pytest.approx(0.05)
    assert trial([0.0, 0.0]).late_s == 0.02  # the clients themselves
    assert trial([2 * end for end in in_time]).late_s == pytest.approx(2.0)
