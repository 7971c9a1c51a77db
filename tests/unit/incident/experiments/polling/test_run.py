import json
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from labserver.incident.experiments.polling import run as polling
from labserver.incident.experiments.polling.run import Polls, read_polls


def polls(starts):
    starts = np.sort(np.asarray(starts, dtype=float))
    return Polls(starts, starts + 0.01, tuple(map(str, range(len(starts)))))


@pytest.mark.parametrize(
    ("starts", "window_s", "peak"),
    [([], 1, 0), ([0], 1, 1), ([0, 1, 2], 1, 1), ([0, 0.4, 0.9, 1.1], 1, 3), ([5, 5, 5, 9], 0.1, 3)],
)
def test_the_peak_is_the_most_in_any_window(starts, window_s, peak):
    assert polls(starts).peak(window_s) == peak


def test_polls_are_counted_up_to_an_instant():
    assert [polls([1, 2, 3]).until(at) for at in (0, 1, 2.5, 9)] == [0, 1, 2, 3]


BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def point(metric, name, end, ms, job):
    tags = {"name": name, "url": f"http://127.0.0.1:1/api/images/status/{job}"}
    at = (BEGAN + timedelta(seconds=end)).isoformat().replace("+00:00", "Z")
    return {"metric": metric, "type": "Point", "data": {"time": at, "value": ms, "tags": tags}}


def test_polls_are_read_from_a_loads_own_file_and_nothing_else_is(tmp_path):
    lines = [
        {"type": "Metric", "data": {}, "metric": "http_req_duration"},
        point("http_req_duration", "status", 2.5, 500, "b%2F1"),
        point("http_req_duration", "status", 1.5, 100, "a"),
        point("http_req_duration", "submit", 1.0, 10, "a"),
        point("http_req_waiting", "status", 1.0, 10, "a"),
    ]
    path = tmp_path / "out.json"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_polls(path)
    assert found.jobs == ("a", "b/1")
    assert np.diff(found.start_s) == pytest.approx([0.6])
    assert found.end_s - found.start_s == pytest.approx([0.1, 0.5])
    with path.open("a") as file:
        file.write(json.dumps(point("http_req_duration", "status", 3.5, 500, "a"))[:60])  # the load is at it
    assert read_polls(path).jobs == ("a", "b/1")
    path.write_text("")
    assert len(read_polls(path)) == 0


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
            for at_s in range(before + 1, self.sent + 1):
                file.write(json.dumps(point("http_req_duration", "status", at_s, 1, "a")) + "\n")
        return self.sent == self.polls


@pytest.fixture
def _looks_again_at_once(monkeypatch):
    monkeypatch.setattr(polling, "_LOOK_S", 0)


@pytest.mark.usefixtures("_looks_again_at_once")
@pytest.mark.parametrize("at_a_time", [1, 3, 1000])
def test_who_does_not_give_up_is_stopped_when_it_has_sent_too_many_polls_however_long_that_takes(tmp_path, at_a_time):
    run = Polling(tmp_path / "out.json", at_a_time=at_a_time)
    assert polling._end_of(run, run.file, 0.0, patience=50) is None
    assert 50 <= run.sent < 50 + at_a_time


@pytest.mark.usefixtures("_looks_again_at_once")
@pytest.mark.parametrize("at_a_time", [1, 3, 1000])
def test_who_gives_up_is_waited_for_however_long_that_takes(tmp_path, at_a_time):
    run = Polling(tmp_path / "out.json", at_a_time=at_a_time, polls=40)
    assert polling._end_of(run, run.file, 0.0, patience=50) is not None
    assert run.sent == 40


@pytest.mark.usefixtures("_looks_again_at_once")
@pytest.mark.parametrize("at_a_time", [1, 3, 1000])
def test_the_others_poll_half_as_often_again_after_that(tmp_path, at_a_time):
    run = Polling(tmp_path / "out.json", at_a_time=at_a_time)
    polling._wait_for_polls(run, run.file, BEGAN.timestamp() + 40, polls=20)
    assert 60 <= run.sent <= 60 + at_a_time
    ends = Polling(tmp_path / "ends.json", at_a_time=at_a_time, polls=45)
    polling._wait_for_polls(ends, ends.file, BEGAN.timestamp() + 40, polls=20)
    assert ends.sent == 45
