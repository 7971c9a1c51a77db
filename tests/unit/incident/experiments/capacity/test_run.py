import threading
from collections import Counter
from types import SimpleNamespace

import pytest

from labserver.incident.experiments.capacity import run
from labserver.incident.experiments.capacity.forecast import Readings
from labserver.incident.experiments.capacity.run import in_pace
from labserver.incident.experiments.capacity.scheduled_clients import DONE, REFUSED, Attempt, scheduled_clients
from labserver.incident.experiments.capacity.trial import Trial
from labserver.incident.service.settings import Settings


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
    return Trial(Settings(), 1, 10.0, nothing, attempts, 4.0, True, "", Counter(), Counter(), 0.0)


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
        scheduled_clients(1, [], lambda _: 0.0, jobs=0).__enter__()


class Clock:
    """A clock, a service and its clients, of whom one ends at every look: how long that takes is how slow they are."""

    def __init__(self, job_s, *, dies_at=None):
        self.now, self.began, self.job_s, self.dies_at = 0.0, 0.0, job_s, dies_at
        self.attempts = []

    def monotonic(self):
        return self.now

    def sleep(self, _):
        self.now += self.job_s
        outcome = "no answer" if len(self.attempts) == self.dies_at else DONE
        self.attempts.append(Attempt(self.now, outcome, "", 0.0))

    def address_space(self):
        return (0, 0)


@pytest.mark.parametrize(
    ("job_s", "dies_at", "attempts"),
    [
        (0.05, None, 80),  # twice as fast as they come: for as long as was asked for
        (0.1, None, 40),
        (0.2, None, 40),  # half as fast: until as many have ended
        (0.6, None, 20),  # but not for ever
        (0.05, 10, 13),
        (0.2, 10, 12),
    ],
)
def test_a_slow_machine_watches_for_longer_until_as_many_jobs_have_ended(monkeypatch, job_s, dies_at, attempts):
    clock = Clock(job_s, dies_at=dies_at)
    monkeypatch.setattr(run, "time", clock)
    run._watch(clock, clock, duration_s=4.0, jobs=40, aftermath_s=0.12)
    assert len(clock.attempts) == pytest.approx(attempts, abs=1)
