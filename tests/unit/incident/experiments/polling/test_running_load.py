import json
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

import pytest

from labserver.incident.experiments.polling.running_load import RunningLoad

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def polled(at_s):
    """The line that a load writes of a poll."""
    at = (BEGAN + timedelta(seconds=at_s)).isoformat()
    tags = {"name": "status", "url": "/api/images/status/a"}
    return json.dumps({"metric": "http_req_duration", "data": {"time": at, "value": 1, "tags": tags}}) + "\n"


class Polling(Future):
    """A load that sends some polls, a second from one to the next, whenever somebody looks whether it has ended.

    Args:
        file: where it says so.
        at_a_time: polls between two looks: how fast the machine is.
        polls: after which it ends by itself.
    """

    def __init__(self, file, *, at_a_time, polls=10**9):
        super().__init__()
        self.file, self.at_a_time, self.polls, self.sent = file, at_a_time, polls, 0
        file.touch()

    def done(self):
        before, self.sent = self.sent, min(self.sent + self.at_a_time, self.polls)
        with self.file.open("a") as file:
            file.writelines(map(polled, range(before + 1, self.sent + 1)))
        return self.sent == self.polls


def load(file, **speed):
    """A load that is looked at without a pause."""
    return RunningLoad(Polling(file, **speed), file, look_s=0)


@pytest.mark.parametrize("at_a_time", [1, 3, 1000])
def test_who_does_not_give_up_is_stopped_when_it_has_sent_too_many_polls_however_long_that_takes(tmp_path, at_a_time):
    endless = load(tmp_path / "out.json", at_a_time=at_a_time)
    assert endless.end_s(0.0, patience=50) is None
    assert 50 <= endless.run.sent < 50 + at_a_time


@pytest.mark.parametrize("at_a_time", [1, 3, 1000])
def test_who_gives_up_is_waited_for_however_long_that_takes(tmp_path, at_a_time):
    capped = load(tmp_path / "out.json", at_a_time=at_a_time, polls=40)
    assert capped.end_s(0.0, patience=50) is not None
    assert capped.run.sent == 40


@pytest.mark.parametrize("at_a_time", [1, 3, 1000])
def test_the_others_poll_half_as_often_again_after_that(tmp_path, at_a_time):
    endless = load(tmp_path / "out.json", at_a_time=at_a_time)
    endless.wait_for_polls(BEGAN.timestamp() + 40, polls=20)
    assert 60 <= endless.run.sent <= 60 + at_a_time
    ends = load(tmp_path / "ends.json", at_a_time=at_a_time, polls=45)
    ends.wait_for_polls(BEGAN.timestamp() + 40, polls=20)
    assert ends.run.sent == 45
