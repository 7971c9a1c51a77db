"""What the pages say of an observed service."""

from dataclasses import replace

import pytest

from labserver.diagnosis.decide.forecast import Forecast
from labserver.diagnosis.decide.observation import Unit
from labserver.diagnosis.decide.observed_holder import Standing
from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.diagnosis.traffic import HolderPace, LooksTaken, Traffic
from labserver.diagnosis.verdict import Verdict
from labserver.heap.chain import Link
from labserver.heap.edge import ITEM, attribute
from labserver.heap.wire import LimitKind
from labserver.report.github import summary_of
from labserver.report.headline import headline
from labserver.report.html import html_of
from labserver.report.junit import junit_of
from labserver.report.pace import hourly_sentence, pace_sentence
from labserver.report.terminal import render
from labserver.stats.interval import Interval

PACE = HolderPace("aa", Standing.LEAKS, 2400.0, 40.0, Interval(3.6e6, 3.4e6, 3.8e6, 0.99), 580.0, 0.0)
LOOKS = LooksTaken(120, 5.0, 0.021, 4.2, 9.9, 20.0)
TRAFFIC = Traffic(
    seconds=600.0,
    jobs=10_000,
    counted_by="gunicorn",
    unit=Unit.JOB,
    bytes_per_hour=Interval(3.6e6, 3.4e6, 3.8e6, 0.99),
    looks=LOOKS,
    holders=(PACE,),
    forecast=Forecast(LimitKind.GROUP, 10**9, 5 * 10**8, 139.0, 131.0, 147.0),
)
HOLDER = NamedHolder(
    path="module shop → KEPT",
    holder="module shop → KEPT",
    holder_type="list",
    buffer_type="bytes",
    buffers=400,
    growth_bytes=600_000,
    retained_bytes=600_000,
    share_of_growth=0.98,
    chain=(
        Link(None, "module", "module shop"),
        Link(attribute("KEPT"), "list", "list"),
        Link(ITEM, "bytes", "bytes"),
    ),
    allocated_at=(),
    fingerprint="aa",
)
RESULT = CheckResult(
    "pid:7", Verdict.LEAK, Interval(60.0, 57.0, 63.0, 0.99), 256, "traced", 10_000, 601.0, 0,
    holders=(HOLDER,), traffic=TRAFFIC,
)  # fmt: skip
HOURLY = replace(
    RESULT,
    interval=Interval(3.6e6, 3.4e6, 3.8e6, 0.99),
    tolerance=2.0**20,
    traffic=replace(
        TRAFFIC, jobs=None, counted_by="", unit=Unit.HOUR, holders=(replace(PACE, items_per_1000_jobs=None),)
    ),
)


def test_a_leak_comes_to_so_much_an_hour_and_a_day():
    assert hourly_sentence(RESULT) == (
        "At the pace of its traffic that is 3.4 MiB an hour (3.2 MiB to 3.6 MiB, 99 %), 82.4 MiB a day."
    )
    assert hourly_sentence(replace(RESULT, verdict=Verdict.NO_LEAK)) == ""
    assert hourly_sentence(replace(RESULT, traffic=None)) == ""


def test_a_holder_gains_so_many_items_that_are_so_old():
    said = pace_sentence(RESULT, HOLDER)
    assert said.startswith("gains what stays: 40 items per 1,000 jobs, 2,400 items an hour, 3.4 MiB an hour")
    assert said.endswith("the oldest of these have been there for 9 min 40 s, from the first look on")
    late = replace(TRAFFIC, holders=(replace(PACE, since_s=120.0, items_per_1000_jobs=0.42),))
    said = pace_sentence(replace(RESULT, traffic=late), HOLDER)
    assert "0.42 items per 1,000 jobs" in said
    assert said.endswith("since 2 min after the first look")
    assert "per 1,000 jobs" not in pace_sentence(HOURLY, HOLDER)
    assert pace_sentence(RESULT, replace(HOLDER, fingerprint="bb")) == ""


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (RESULT, "LEAK  pid:7 keeps 60 B of every job (57 to 63, 99 %); tolerance 256 B"),
        (HOURLY, "LEAK  pid:7 keeps 3,600,000 B every hour (3,400,000 to 3,800,000, 99 %); tolerance 1,048,576 B"),
        (
            replace(HOURLY, verdict=Verdict.INCONCLUSIVE),
            "INCONCLUSIVE  pid:7 grew by 3,400,000 to 3,800,000 B an hour (99 %); tolerance 1,048,576 B",
        ),
        (
            replace(RESULT, verdict=Verdict.NO_LEAK, holders=()),
            "NO LEAK  pid:7 keeps less than 256 B of every job (57 to 63, 99 %)",
        ),
    ],
)
def test_the_headline_says_what_growth_is_held_against(result, line):
    assert headline(result) == line


@pytest.mark.parametrize("result", [RESULT, HOURLY])
def test_every_report_tells_what_was_observed(result):
    page = " ".join(render(result).split())
    assert "observed for 10 min under its own traffic" in page
    assert "gains what stays:" in page
    html = html_of(result)
    assert "No load was made." in html
    assert "Why there is no answer" not in html
    assert "Users in a process of their own" not in html
    assert "gains what stays" in html.lower()
    assert "an hour" in summary_of(result)
    assert "LEAK" in junit_of(result)


def test_what_was_observed_is_data():
    told = RESULT.to_dict()["observed"]
    assert told["looks"]["core_share"] == 0.021
    assert told["forecast"] == {
        "kind": "control-group",
        "limit_bytes": 10**9,
        "used_bytes": 5 * 10**8,
        "hours": 139.0,
        "low_hours": 131.0,
        "high_hours": 147.0,
    }
    assert told["holders"][0]["standing"] == "leaks"
    assert replace(RESULT, traffic=None).to_dict()["observed"] is None
