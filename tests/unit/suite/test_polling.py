import json

import numpy as np
import pytest

from labserver.suite.findings import Findings
from labserver.suite.polling import Herd, Polls, _per_poll, read_polls
from labserver.suite.polling_claims import record_herds

CLIENTS = 40


def polls(starts):
    starts = np.sort(np.asarray(starts, dtype=float))
    return Polls(starts, starts + 0.01, tuple(map(str, range(len(starts)))))


def herd(policy, starts):
    return Herd(policy, polls(starts), 0.0, np.linspace(0.0, 0.4, CLIENTS))


@pytest.mark.parametrize(
    ("starts", "window_s", "peak"),
    [([], 1, 0), ([0], 1, 1), ([0, 1, 2], 1, 1), ([0, 0.4, 0.9, 1.1], 1, 3), ([5, 5, 5, 9], 0.1, 3)],
)
def test_the_peak_is_the_most_in_any_window(starts, window_s, peak):
    assert polls(starts).peak(window_s) == peak


def test_polls_are_counted_up_to_an_instant():
    assert [polls([1, 2, 3]).until(at) for at in (0, 1, 2.5, 9)] == [0, 1, 2, 3]


def test_a_poll_costs_what_is_used_beyond_idling():
    rng = np.random.default_rng(0)
    seconds, sent = np.full(25, 0.2), rng.integers(0, 30, 25).astype(float)
    used = 0.05 * seconds + 0.0011 * sent + rng.normal(0, 1e-4, 25)
    cost = _per_poll(used, seconds, sent, 0.99)
    assert cost.low < 0.0011 < cost.high
    assert cost.estimate == pytest.approx(0.0011, rel=0.02)


def test_polls_are_read_from_a_loads_own_file_and_nothing_else_is(tmp_path):
    def point(metric, name, end, ms, job):
        tags = {"name": name, "url": f"http://127.0.0.1:1/api/images/status/{job}"}
        data = {"time": f"2026-01-01T00:00:{end:09.6f}Z", "value": ms, "tags": tags}
        return {"metric": metric, "type": "Point", "data": data}

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
    path.write_text("")
    assert len(read_polls(path)) == 0


@pytest.fixture
def claims(tmp_path):
    """Which claims of a comparison do not hold."""
    together = np.repeat(np.arange(1.0, 5.0), CLIENTS)
    spread = np.linspace(0, 4, 3 * CLIENTS)
    good = {
        "fixed": together,
        "exponential": together[: 2 * CLIENTS],
        "full_jitter": spread,
        "retry_after": np.linspace(2, 2.5, CLIENTS),
    }

    def broken(**other):
        findings = Findings(tmp_path, "05_bound_the_polling")
        herds = {name: herd(name, starts) for name, starts in (good | other).items()}
        record_herds(findings, herds, 0.1, [])
        return {name for name, finding in findings._mine.items() if not finding.holds}

    broken.together = together
    broken.spread = spread
    return broken


def test_what_is_claimed_of_the_policies_holds_for_such_herds(claims):
    assert claims() == set()


def test_jitter_that_is_none_and_advice_that_is_not_heeded_break_their_claims(claims):
    assert claims(full_jitter=claims.together) == {"full_jitter_peak"}
    assert claims(retry_after=claims.together) == {"retry_after_peak", "retry_after_requests"}


def test_a_herd_that_is_none_breaks_the_claims_that_it_is_one(claims):
    assert {"fixed_peak", "exponential_peak"} <= claims(fixed=claims.spread, exponential=claims.spread)
