import json
from dataclasses import replace
from datetime import date

import pytest

from labserver.diagnosis.accepted import accept_all, judge, read_baseline, text_of
from labserver.diagnosis.fact import State, said
from labserver.diagnosis.result import CheckResult, Finding, NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.errors import UsageError
from labserver.stats.interval import Interval

TODAY = date(2026, 1, 10)
ENTRY = {"fingerprint": "aa", "reason": "ticket 7", "expires": "2026-01-31"}


def holder(fingerprint, size):
    name = f"module shop → {fingerprint}"
    return NamedHolder(name, name, "dict", "bytes", 100, size, size, size / 100_000, (), (), fingerprint)


def leak(*holders, findings=()):
    return CheckResult(
        "shop:app",
        Verdict.LEAK,
        Interval(1000.0, 990.0, 1010.0, 0.99),
        256,
        "both",
        100,
        1.0,
        0,
        floors=((0, 0), (100, 100_000)),
        holders=holders,
        findings=findings,
    )


@pytest.fixture
def known(tmp_path):
    def read(*entries):
        (tmp_path / "b.json").write_text(json.dumps({"schema": "labserver.baseline/1", "accepted": list(entries)}))
        return read_baseline(tmp_path / "b.json")

    return read


def state(result):
    return result.holders[0].status.state


def test_what_is_accepted_makes_the_leak_an_accepted_one(known):
    judged = judge(leak(holder("aa", 99_000)), known(ENTRY), TODAY)
    assert state(judged) is State.ACCEPTED
    assert judged.holders[0].status.text == "accepted until 2026-01-31: ticket 7"
    assert judged.accepted
    assert judged.verdict is Verdict.LEAK


@pytest.mark.parametrize(("day", "accepted"), [(date(2026, 1, 31), True), (date(2026, 2, 1), False)])
def test_it_is_accepted_up_to_its_last_day(known, day, accepted):
    judged = judge(leak(holder("aa", 99_000)), known(ENTRY), day)
    assert judged.accepted is accepted
    if not accepted:
        assert judged.holders[0].status.text == "expired: was accepted until 2026-01-31 (ticket 7)"


@pytest.mark.parametrize(("most", "accepted"), [(990, True), (989.5, False)])
def test_it_is_accepted_up_to_its_bound(known, most, accepted):
    judged = judge(leak(holder("aa", 99_000)), known(ENTRY | {"at_most_bytes_per_job": most}), TODAY)
    assert judged.accepted is accepted
    assert state(judged) is (State.ACCEPTED if accepted else State.GROWN)


@pytest.mark.parametrize(("size", "accepted"), [(900, True), (1_500, False)])
def test_a_new_holder_is_not_accepted_unless_it_is_no_part_of_the_growth(known, size, accepted):
    judged = judge(leak(holder("aa", 98_000), holder("bb", size)), known(ENTRY), TODAY)
    assert judged.holders[1].status.state is State.NEW
    assert judged.accepted is accepted


@pytest.mark.parametrize(("held", "accepted"), [(75_000, True), (74_000, False)])
def test_growth_without_a_name_is_not_accepted_beyond_the_tolerance(known, held, accepted):
    assert judge(leak(holder("aa", held)), known(ENTRY), TODAY).accepted is accepted


def test_findings_are_accepted_like_holders(known):
    finding = Finding("unexplained", 990.0, ("a.py:1 in f",), *said("990 B/job"))
    judged = judge(leak(findings=(finding,)), known(ENTRY | {"fingerprint": finding.fingerprint}), TODAY)
    assert judged.accepted
    assert not judge(leak(findings=(finding,)), known(ENTRY), TODAY).accepted


def test_nothing_else_is_ever_accepted(known):
    whole = leak(holder("aa", 99_000))
    assert not judge(replace(whole, verdict=Verdict.INCONCLUSIVE), known(ENTRY), TODAY).accepted
    assert not judge(replace(whole, verdict=Verdict.NO_LEAK), known(ENTRY), TODAY).accepted
    assert not judge(leak(), known(ENTRY), TODAY).accepted
    assert not judge(replace(whole, floors=()), known(ENTRY), TODAY).accepted


def test_a_written_baseline_accepts_what_it_was_written_from(tmp_path):
    result = leak(holder("aa", 60_000), holder("bb", 39_000))
    (tmp_path / "b.json").write_text(text_of(accept_all(result, {}, TODAY)))
    known = read_baseline(tmp_path / "b.json")
    assert (known["aa"].reason, known["aa"].expires) == ("TODO", date(2026, 4, 10))
    assert known["aa"].at_most_bytes_per_job == 900
    assert judge(result, known, TODAY).accepted
    assert not judge(result, known, date(2026, 4, 11)).accepted


def test_a_baseline_that_is_written_again_keeps_what_stands(known):
    before = known(ENTRY | {"fingerprint": "bb", "expires": "2026-01-09"}, ENTRY)
    judged = judge(leak(holder("aa", 60_000), holder("bb", 39_000)), before, TODAY)
    after = {one.fingerprint: one for one in accept_all(judged, before, TODAY)}
    assert (after["aa"].reason, after["aa"].expires) == ("ticket 7", date(2026, 1, 31))
    assert (after["bb"].reason, after["bb"].expires) == ("TODO", date(2026, 4, 10))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is no JSON"),
        ("[]", 'has no "schema": "labserver.baseline/1"'),
        ('{"schema": "labserver.baseline/2"}', 'has no "schema"'),
        ('{"schema": "labserver.baseline/1"}', 'has no list "accepted"'),
        ("x", "Entry 1 of the baseline b.json is no object."),
        ({"reason": ""}, 'needs "reason" as a text'),
        ({"expires": 7}, 'needs "expires" as a text'),
        ({"expires": "soon"}, "\"expires\" is 'soon', not a day such as 2030-01-31"),
        ({"expiry": "2026-01-31"}, 'has an unknown key "expiry": known are fingerprint, reason, expires'),
        ({"at_most_bytes_per_job": "9"}, "\"at_most_bytes_per_job\" is '9'"),
    ],
)
def test_a_malformed_file_is_one_sentence(tmp_path, monkeypatch, text, sentence):
    monkeypatch.chdir(tmp_path)
    entry = ENTRY | text if isinstance(text, dict) else text
    whole = json.dumps({"schema": "labserver.baseline/1", "accepted": [entry]})
    file = tmp_path / "b.json"
    file.write_text(text if isinstance(text, str) and text != "x" else whole)
    with pytest.raises(UsageError) as raised:
        read_baseline(file.relative_to(tmp_path))
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be read \(No such file or directory\)"):
        read_baseline(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b"\xe9")
    with pytest.raises(UsageError, match="is no JSON"):
        read_baseline(tmp_path / "latin.json")
