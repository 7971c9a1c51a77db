import math

import pytest

from labserver.errors import UsageError
from labserver.load.export import k6_summary
from labserver.load.http import RequestRecord
from labserver.load.samples import Samples
from labserver.load.summarise import summarise
from labserver.load.threshold_check import judge
from labserver.load.thresholds import Judged, parse_threshold


def request(name, ms, status=200, error=None):
    seconds = math.inf if error else ms / 1e3
    return RequestRecord(name, 0.0, 0.0, 0.001, ms / 1e3, 0.0, seconds, status, error, 100, 50)


@pytest.fixture
def samples():
    """100 status requests of 1 to 100 ms, a slow submit, one that failed and one without an answer."""
    samples = Samples()
    for ms in range(1, 101):
        samples.request(request("status", ms))
    samples.request(request("submit", 900, 202))
    samples.request(request("submit", 50, 500))
    samples.request(request("submit", 5, None, "refused"))
    for passed in (True, True, True, False):
        samples.check("job done", passed, "no")
    samples.check("PNG decodes", ok=True, why="")
    samples.iteration(2.0, ok=True)
    samples.iteration(4.0, ok=True)
    return samples


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("http_req_duration{name:status}:p(95)<95.1", 95.05),
        ("http_req_duration{name:status}:p(99.9)<100", 99.901),
        ("http_req_duration{name:status}:med<51", 50.5),
        ("http_req_duration{name:status}:avg<=50.5", 50.5),
        ("http_req_duration:max<901", 900),
        ("http_req_duration : min >= 1", 1),
        ("http_req_duration{expected_response:true}:max<901", 900),
        ("http_req_waiting:max<=900", 900),
        ("http_req_failed:rate<0.02", 2 / 103),
        ("http_req_failed{name:status}:rate==0", 0),
        ("http_reqs:count===103", 103),
        ("http_reqs{name:submit}:count==3", 3),
        ("http_reqs:rate>10", 10.3),
        ("iterations:count>=2", 2),
        ("iterations:rate>.19", 0.2),
        ("iteration_duration:avg<3.1e3", 3000),
        ("checks:rate>=0.8", 0.8),
        ("checks{check:job done}:rate<0.76", 0.75),
        ("data_sent:count<2e4", 10_300),
        ("data_received:rate!=1", 515),
    ],
)
def test_a_threshold_that_holds_and_its_opposite(samples, text, value):
    threshold = parse_threshold(text)
    (judged,) = judge([threshold], samples, elapsed_s=10.0)
    assert judged.value == pytest.approx(value)
    assert judged.ok
    opposite = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "===": "!=", "!=": "=="}[threshold.operator]
    (judged,) = judge([threshold._replace(operator=opposite)], samples, elapsed_s=10.0)
    assert not judged.ok


@pytest.mark.parametrize(
    "text",
    [
        "http_req_duration:p(100)<1e9",  # the slowest got no answer
        "http_req_duration{name:nothing}:max<1e9",
        "http_req_duration{name:nothing}:max>0",
        "checks{check:nothing}:rate<2",
    ],
)
def test_what_cannot_be_said_does_not_hold(samples, text):
    (judged,) = judge([parse_threshold(text)], samples, elapsed_s=10.0)
    assert judged.value is None
    assert not judged.ok


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("http_req_durations:p(95)<500", "http_req_duration"),
        ("heap_byte:max<1", "heap_bytes"),
        ("http_req_duration:p95<500", r"p\(N\)"),
        ("http_req_duration:mean<500", "med"),
        ("http_req_failed:count<1", "rate"),
        ("checks:rates>0.9", "rate"),
        ("http_req_duration:avg=<500", "'<='"),
        ("http_req_duration:avg=500", "'=='"),
        ("http_req_duration:avg~500", "no operator"),
        ("http_req_duration{nam:status}:avg<5", "'name'"),
        ("http_req_duration{name:statsu}:avg<5", "'status'"),
    ],
)
def test_a_misspelt_word_is_told_the_nearest_right_one(text, nearest):
    with pytest.raises(UsageError, match=nearest):
        parse_threshold(text, {"name": ("submit", "status", "result")})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot be read"),
        ("http_req_duration", "cannot be read"),
        ("p(95)<500", "no metric"),
        ("http_req_duration:p(95)<fast", "cannot be read"),
        ("http_req_duration:p(95)<500 && avg<2", "cannot be read"),
        ("http_req_duration<500", "say what"),
        ("http_req_duration:p(N)<500", "say what"),
        ("http_req_duration:p(101)<500", "from 0 to 100"),
        ("iterations{name:status}:count>1", "cannot be narrowed"),
    ],
)
def test_what_is_no_threshold_is_said_in_a_sentence(text, why):
    with pytest.raises(UsageError, match=why):
        parse_threshold(text)


def test_memory_is_asked_for_in_the_same_words():
    assert parse_threshold("heap_bytes:max<200e6").bound == 200e6
    assert parse_threshold("bytes_per_job<512").expression == "value<512"
    assert parse_threshold("bytes_per_job<512").judged(511.0).ok
    assert not parse_threshold("bytes_per_job<512").judged(None).ok


def test_the_table_shows_each_beside_its_metric(samples):
    summary = summarise(samples, vus=1, elapsed_s=10.0, cpu_s=0.1, peak_rss=1)
    texts = ("http_req_duration:p(95)<500", "checks:rate>0.9", "http_req_duration:avg<9", "iterations:rate>0.1")
    summary.thresholds.extend(judge([parse_threshold(text) for text in texts], samples, 10.0))
    lines = [line.strip() for line in summary.table().splitlines()]
    assert lines[:6] == [
        "thresholds",
        "http_req_duration",
        "✓ 'p(95)<500' p(95)=96.90ms",
        "✗ 'avg<9' avg=58.82ms",
        "checks",
        "✗ 'rate>0.9' rate=80.00%",
    ]
    assert type(summary).from_dict(summary.to_dict()) == summary


def test_the_export_has_k6s_shape(samples):
    summary = summarise(samples, vus=1, elapsed_s=10.0, cpu_s=0.1, peak_rss=1)
    summary.thresholds.append(Judged("http_req_duration", "p(99)<5", "p(99)", 100.0, ok=False))
    exported, group = k6_summary(summary)["metrics"], k6_summary(summary)["root_group"]
    assert group["id"] == "d41d8cd98f00b204e9800998ecf8427e"  # MD5 of its empty path
    assert all(check["path"] == f"::{name}" and len(check["id"]) == 32 for name, check in group["checks"].items())
    assert exported["vus_max"] == exported["vus"]
    assert exported["http_req_duration"]["max"] == 900
    assert exported["http_req_duration"]["p(99)"] == 100
    assert exported["http_req_duration"]["thresholds"] == {"p(99)<5": True}
    assert exported["http_req_duration{name:status}"]["med"] == 50.5
    assert exported["http_reqs"] == {"count": 103, "rate": 10.3}
    assert exported["checks"] == {"passes": 4, "fails": 1, "value": 0.8}
