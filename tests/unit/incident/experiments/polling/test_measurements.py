import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from labserver.incident.experiments.polling.measurements import Polls, read_polls


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
