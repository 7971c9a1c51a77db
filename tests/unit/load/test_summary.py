import json
import math

import numpy as np
import pytest

from labserver.load import table
from labserver.load.http import INTERRUPTED, RequestRecord
from labserver.load.samples import MAX_NAMES, Samples
from labserver.load.summarise import littles_law, percentile, sizes, summarise, trend
from labserver.load.summary import Summary


def record(duration=0.01, name="submit", status=200, error=None):
    return RequestRecord(name, 0.0, 0.0, 0.0, duration, 0.0, duration, status, error, 100, 50)


def refused():
    return record(math.inf, status=None, error="refused")


def summed(records=(), iterations=(), **changes):
    samples = Samples()
    for one in records:
        samples.request(one)
    for seconds, ok in iterations:
        samples.iteration(seconds, ok)
    figures = {"vus": 2, "elapsed_s": 10.0, "cpu_s": 1.0, "peak_rss": 10_000_000} | changes
    return samples, summarise(samples, **figures)


@pytest.mark.parametrize("percent", [50, 90, 95])
@pytest.mark.parametrize("count", [1, 2, 7, 20, 101])
def test_percentiles_are_numpys(count, percent):
    times = np.sort(np.random.default_rng(count).exponential(size=count))
    assert percentile(times, count, percent) == np.percentile(times, percent)


def test_percentiles_are_k6s_by_hand():
    # k6: position p/100 * (n - 1); for 1..10 the p95 lies at 8.55, so 9 + 0.55 * (10 - 9).
    found = trend(np.arange(1.0, 11.0))
    assert (found.med, found.p90, found.p95) == (5.5, pytest.approx(9.1), pytest.approx(9.55))
    assert (found.avg, found.min, found.max) == (5.5, 1.0, 10.0)


def test_refused_requests_never_flatter_a_percentile():
    _, summary = summed([record(0.01 * n) for n in range(1, 81)] + [refused()] * 20)
    found = summary.http_req_duration["all"]
    assert found.p90 is None
    assert found.p95 is None
    assert found.med == pytest.approx(0.505)  # the 50th and 51st of a hundred, as if the refused were the slowest
    assert (found.answered, found.unanswered, found.max) == (80, 20, pytest.approx(0.8))
    assert summary.http_req_failed_rate == 0.2
    assert summary.errors == {"refused": 20}


def test_a_percentile_just_below_the_unanswered_is_known():
    # 11 times, the last unknown: p90 is the tenth exactly, p95 would lie between the tenth and the unknown.
    assert percentile(np.arange(1.0, 11.0), 11, 90) == 10.0
    assert percentile(np.arange(1.0, 11.0), 11, 95) is None


def test_the_table_states_the_unanswered():
    _, summary = summed([record()] * 8 + [refused()] * 2)
    text = summary.table()
    line = next(line for line in text.splitlines() if "http_req_duration" in line)
    assert "p(95)=—" in line
    assert "2 unanswered: slower than any in the percentiles, not in avg, min and max" in " ".join(text.split())


def test_six_times_stand_on_one_line_and_what_is_longer_goes_on_below():
    times = [0.4321, 0.0123456, 12.3456, 123.4567, 0.000_999_9]
    records = [record(one, name) for one in times for name in ("submit", "GET /" + "a/long/path" * 5)]
    _, summary = summed([*records, refused()], [(one, True) for one in times])
    lines = summary.table().splitlines()
    assert max(map(len, lines)) <= table.LINE
    (six,) = [line for line in lines if "iteration_duration" in line]
    assert six.endswith(": avg=27.2s min=1000µs med=432ms max=123s p(90)=79.0s p(95)=101s")
    first = next(number for number, line in enumerate(lines) if "http_req_duration" in line)
    assert lines[first + 1].startswith(" " * (table.WIDTH + 4))
    whole = " ".join(summary.table().split())
    assert f"{{ name:GET /{'a/long/path' * 5} }}: avg=" in whole


@pytest.mark.parametrize(
    ("seconds", "short", "long"),
    [
        (None, "—", "—"),
        (0.00123456, "1.23ms", "1.23ms"),
        (0.0099951, "10.0ms", "10.00ms"),
        (0.0567891, "56.8ms", "56.79ms"),
        (0.4999, "500ms", "499.90ms"),
        (3.14159, "3.14s", "3.14s"),
        (59.987, "60.0s", "59.99s"),
    ],
)
def test_a_time_is_short_in_the_table_and_exact_beside_a_threshold(seconds, short, long):
    assert table._time(seconds, short=True) == short
    assert table._time(seconds) == long


def test_an_error_status_is_answered_but_not_expected():
    _, summary = summed([record(0.1), record(0.001, status=503), record(0.2, status=302)])
    assert summary.http_req_duration["all"].answered == 3
    assert summary.http_req_duration["expected_response:true"].min == pytest.approx(0.1)
    assert summary.http_req_failed == 1
    assert summary.statuses == {"200": 1, "302": 1, "503": 1}


def test_durations_are_kept_by_name():
    _, summary = summed([record(0.1, "submit"), record(0.2, "status"), record(0.4, "status")])
    assert summary.http_req_duration["submit"].avg == pytest.approx(0.1)
    assert summary.http_req_duration["status"].avg == pytest.approx(0.3)


def test_rates_divide_by_the_whole_run():
    _, summary = summed([record()] * 30, [(1.0, True)] * 5)
    assert (summary.http_req_rate, summary.iteration_rate) == (3.0, 0.5)


def test_failed_iterations_do_not_flatter_their_duration():
    _, summary = summed(iterations=[(3.0, True), (0.001, False)])
    assert (summary.iteration_duration.min, summary.iteration_duration.p95) == (3.0, None)
    assert summary.iterations == 2


def test_interrupted_requests_are_not_the_servers():
    _, summary = summed([record(), record(math.inf, status=None, error=INTERRUPTED)])
    assert (summary.http_reqs, summary.http_req_failed) == (1, 0)


def test_names_are_bounded():
    _, summary = summed([record(name=f"GET /{n}") for n in range(1000)])
    assert len(summary.http_req_duration) == MAX_NAMES + 3  # all, expected_response:true, other
    assert summary.http_req_duration["other"].answered == 1000 - MAX_NAMES


def test_checks_and_the_first_failure():
    samples = Samples()
    samples.check("job accepted", ok=True, why="")
    samples.check("job accepted", ok=False, why="the server answered 503")
    samples.check("job done", ok=False, why="later")
    summary = summarise(samples, vus=1, elapsed_s=1, cpu_s=0, peak_rss=1)
    assert (summary.checks["job accepted"].passes, summary.checks["job accepted"].fails) == (1, 1)
    assert summary.check_rate == pytest.approx(1 / 3)
    assert summary.first_failure == "job accepted: the server answered 503"
    assert summary.first_reason == "the server answered 503"
    assert summary.first_failed_answer is None
    assert not summary.ok


def test_no_check_at_all_is_not_ok():
    assert not summed()[1].ok


def test_littles_law_within_ten_percent_has_no_note():
    law = littles_law(5, np.full(14, 3.38), 10.0, 0)
    assert law.ratio == pytest.approx(14 * 3.38 / 50)
    assert law.note is None


@pytest.mark.parametrize("count", [0, 12])
def test_littles_law_says_when_it_is_off(count):
    law = littles_law(5, np.full(count, 3.38), 10.0, 3)
    assert law.note is not None
    assert "Little's law" in law.note


def test_a_busy_generator_says_so():
    assert summed(cpu_s=7.9)[1].generator.note is None
    note = summed(cpu_s=8.1)[1].generator.note
    assert note is not None
    assert "81 %" in note


def test_sizes():
    found = sizes([10, 20, 30])
    assert (found.count, found.mean, found.sd, found.min, found.max) == (3, 20.0, 10.0, 10, 30)
    assert sizes([5]).sd is None
    assert sizes([]).mean is None


@pytest.mark.parametrize("records", [(), (refused(),), (record(), refused())])
def test_json_has_neither_infinity_nor_nan_and_comes_back_the_same(records):
    _, summary = summed(records, [(1.0, True)])
    text = json.dumps(summary.to_dict(), allow_nan=False)
    assert Summary.from_dict(json.loads(text)) == summary
    assert summary.table()
    assert "http_reqs" in summary._repr_html_()
