import threading
from collections import Counter
from types import SimpleNamespace

import pytest

from labserver.service.settings import Settings
from labserver.suite.exhaustion import Trial, in_pace
from labserver.suite.forecast import Readings
from labserver.suite.paced import DONE, REFUSED, Attempt, paced_clients


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


def trial(ends_s, *, dies_s=None):
    attempts = [Attempt(end, DONE if number % 2 else REFUSED, "", 0.02) for number, end in enumerate(ends_s)]
    attempts += [Attempt(dies_s, "no answer", "", 0.02)] if dies_s else []
    nothing = Readings.of([], 0)
    return Trial(Settings(), 1, 10.0, nothing, attempts, 4.0, True, "", Counter(), 0.0, Counter(), 0.0)


def test_jobs_that_end_late_make_a_trial_late_and_a_late_death_does_not():
    in_time = [0.1 * number + 0.05 for number in range(20)]
    assert trial(in_time).late_s == pytest.approx(0.05)
    assert trial(in_time, dies_s=9.0).late_s == pytest.approx(0.05)
    assert trial([0.0, 0.0]).late_s == 0.02  # the clients themselves
    assert trial([2 * end for end in in_time]).late_s == pytest.approx(2.0)


def test_a_client_that_finds_no_thread_is_said_and_not_waited_for(monkeypatch):
    start = threading.Thread.start

    def granted(thread):
        if thread.name == "client-1":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", granted)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        paced_clients(1, [], lambda _: 0.0, jobs=0).__enter__()
