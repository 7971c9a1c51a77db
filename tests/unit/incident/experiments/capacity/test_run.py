from types import SimpleNamespace

import pytest

from labserver.incident.experiments.capacity import run
from labserver.incident.experiments.capacity.run import in_pace, picture_bytes, room_for, usual_retention
from labserver.incident.experiments.capacity.scheduled_clients import DONE, Attempt
from labserver.incident.service.settings import Settings
from labserver.load.photos import PhotoPool


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


def test_the_room_is_that_of_so_many_pictures_and_the_plan_adds_their_records():
    pairs = PhotoPool(0).pairs
    sizes = picture_bytes(pairs, Settings())
    assert room_for(10, pairs) == int(10 * sum(sizes) / len(sizes))
    records = [kept - size for kept, size in zip(usual_retention(600.0).sizes, sizes, strict=True)]
    assert min(records) > 100
    assert max(records) == pytest.approx(min(records))
