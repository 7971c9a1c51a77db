import json
import re

import numpy as np
import pytest

from labserver.errors import ClaimFailed, UsageError
from labserver.stats.interval import Interval
from labserver.suite.bound import Phrase, above, at_most, between, exactly, says
from labserver.suite.findings import Findings, load_findings, run_directory


@pytest.fixture
def findings(tmp_path):
    return Findings(tmp_path, notebook="02_toy")


def test_a_finding_is_on_disk_at_once_with_all_it_says(findings, tmp_path):
    (tmp_path / "curves").mkdir()
    (tmp_path / "curves" / "02.csv").write_text("a\n1\n")
    findings.claim(
        "leak_bytes_per_job",
        Interval(281234.5, 281000, 282000.0, 0.99),
        between(280000, 283000, "within {share:.0%} of the mean PNG", share=0.02),
        unit="B/job",
        evidence=["curves/02.csv"],
        text="It leaks.",
    )
    document = json.loads((tmp_path / "findings.json").read_text())
    assert document["schema"] == "labserver.findings/1"
    assert document["findings"] == [
        {
            "name": "leak_bytes_per_job",
            "notebook": "02_toy",
            "value": 281234.5,
            "unit": "B/job",
            "low": 281000,
            "high": 282000.0,
            "bound": "from 280,000 to 283,000: within 2 % of the mean PNG",
            "limits": {
                "kind": "between",
                "low": 280000,
                "high": 283000,
                "percent": False,
                "covers": None,
                "form": "within {share:.0%} of the mean PNG",
                "arguments": {"share": 0.02},
            },
            "holds": True,
            "evidence": ["curves/02.csv"],
            "text": "It leaks.",
            "undecided": False,
            "phrases": {},
        }
    ]
    (found,) = load_findings(tmp_path)
    assert (found.value, str(found.bound), found.bound.holds(281_000)) == (
        281234.5,
        document["findings"][0]["bound"],
        True,
    )


def test_the_bytes_do_not_depend_on_the_order(tmp_path):
    texts = []
    for order in (("a", "b"), ("b", "a")):
        run_dir = tmp_path / order[0]
        run_dir.mkdir()
        findings = Findings(run_dir, notebook="02_toy")
        for name in order:
            findings.record(name, 1, holds=True)
        texts.append((run_dir / "findings.json").read_bytes())
    assert texts[0] == texts[1]
    assert texts[0].endswith(b"}\n")


def test_a_second_run_replaces_its_own_findings_only(findings, tmp_path):
    findings.record("old", 1, holds=True)
    Findings(tmp_path, notebook="03_other").record("kept", 2, holds=True)
    Findings(tmp_path, notebook="02_toy").record("new", 3, holds=True)
    assert [(f.notebook, f.name) for f in load_findings(tmp_path)] == [("02_toy", "new"), ("03_other", "kept")]


def test_numpy_values_become_plain_ones(findings, tmp_path):
    findings.record("a", np.float64(1.5), holds=np.bool_(True))
    interval = Interval(np.float64(1.5), np.int64(1), np.float32(2), 0.99)
    findings.claim("b", interval, above(np.float64(0)))
    first, second = load_findings(tmp_path)
    assert (first.value, first.holds) == (1.5, True)
    assert (second.value, second.low, second.high, second.holds, second.undecided) == (1.5, 1, 2.0, True, False)


@pytest.mark.parametrize(
    ("low", "high", "holds", "undecided"),
    [
        (-4.0, 4.0, True, False),
        (-6.0, 4.0, False, True),
        (-4.0, 6.0, False, True),
        (-60.0, 60.0, False, True),  # an interval as wide as that says nothing
        (-5.0, 5.0, False, True),
        (5.0, 9.0, False, False),
        (-9.0, -5.0, False, False),
        (1.0, 4.0, False, False),  # within the bound, but 0 is not among what it may be
    ],
)
def test_an_estimate_is_judged_by_its_interval(findings, low, high, holds, undecided):
    findings.claim("a", Interval((low + high) / 2, low, high, 0.99), between(-5, 5, covers=0))
    (finding,) = load_findings(findings.run_dir)
    assert (finding.holds, finding.undecided) == (holds, undecided)


def test_an_estimate_on_the_right_side_does_not_hold_where_its_interval_reaches_to_the_other(findings):
    findings.claim("cost", Interval(1.0, -0.5, 2.5, 0.99), above(0), unit="ms")
    said = "cost = 1 (−0.5 to 2.5) ms, claimed: above 0, which is undecided: the interval lies on both sides of the"
    with pytest.raises(ClaimFailed, match=re.escape(said)):
        findings.check()


def test_findings_of_an_earlier_version_are_none_that_are_undecided_and_have_bounds_in_words(findings, tmp_path):
    findings.measured("a", Interval(1.0, 0.5, 1.5, 0.99))
    findings.claim("b", 1, at_most(1))
    document = json.loads((tmp_path / "findings.json").read_text())
    for entry in document["findings"]:
        del entry["undecided"], entry["limits"], entry["phrases"]
    document["findings"][1]["bound"] = "at most {1}"
    (tmp_path / "findings.json").write_text(json.dumps(document))
    figure, claim = load_findings(tmp_path)
    assert (figure.interval(), figure.is_claim, figure.undecided) == ("0.5 to 1.5", False, False)
    assert (str(claim.bound), claim.is_claim) == ("at most {1}", True)


def test_a_value_and_a_unit_may_be_forms_with_arguments(findings, tmp_path):
    told, unit = Phrase("not done after {polls} polls", {"polls": 40}), Phrase("polls in {ms:.0f} ms", {"ms": 125.2})
    findings.record("told", told, holds=True, bound=says("how often it has asked"))
    findings.claim("peak", 21, at_most(30), unit=unit)
    peak, said = load_findings(tmp_path)
    assert (said.value, said.phrases) == ("not done after 40 polls", {"value": told})
    assert (peak.unit, peak.phrases) == ("polls in 125 ms", {"unit": unit})


@pytest.mark.parametrize(("value", "bound"), [("leak", exactly(1)), (1, says("leak"))])
def test_a_claim_that_its_bound_cannot_decide_is_refused(findings, tmp_path, value, bound):
    with pytest.raises(UsageError):
        findings.claim("a", value, bound)
    assert load_findings(tmp_path) == []


def test_what_is_not_there_keeps_to_no_bound(findings, tmp_path):
    findings.claim("slowest_s", None, at_most(1), unit="s")
    assert [finding.holds for finding in load_findings(tmp_path)] == [False]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan"), [1], b"x"])
def test_refuses_what_is_no_finding(findings, tmp_path, value):
    with pytest.raises(UsageError, match="bad"):
        findings.record("bad", value, holds=True)
    assert load_findings(tmp_path) == []


@pytest.mark.parametrize("name", ["Bad", "two words", "a-b", "", "_a", "1a"])
def test_a_name_is_snake_case(findings, name):
    with pytest.raises(UsageError, match="snake_case"):
        findings.record(name, 1, holds=True)


def test_a_name_is_recorded_once(findings):
    findings.record("a", 1, holds=True)
    with pytest.raises(UsageError, match="recorded already"):
        findings.record("a", 2, holds=True)


def test_holds_is_a_truth_value(findings):
    with pytest.raises(UsageError, match="True or False"):
        findings.record("a", 1, holds="yes")


def test_evidence_exists_below_the_run_directory(findings, tmp_path):
    (tmp_path.parent / "outside.csv").write_text("x")
    for path in ("missing.csv", "../outside.csv", str(tmp_path.parent / "outside.csv")):
        with pytest.raises(UsageError, match="evidence"):
            findings.record("a", 1, holds=True, evidence=[path])


def test_check_names_each_claim_that_does_not_hold(findings):
    findings.record("good", 1, bound=at_most(1), holds=True)
    findings.measured("plain", 1)
    findings.record("bad", 1.25, unit="B/job", bound=says("less than 1"), holds=False)
    findings.claim("worse", Interval(7, 6, 8.5, 0.99), at_most(5), unit="s")
    with pytest.raises(ClaimFailed) as caught:
        findings.check()
    assert str(caught.value).splitlines() == [
        "2 of 3 claims do not hold: bad and worse.",
        "  ✗ bad = 1.25 B/job, claimed: less than 1",
        "  ✗ worse = 7 (6 to 8.5) s, claimed: at most 5",
    ]


def test_check_passes_when_all_hold_and_fails_on_none(findings):
    with pytest.raises(ClaimFailed, match="recorded no claim"):
        findings.check()
    findings.record("good", 1, holds=True)
    findings.check()


def test_no_findings_yet_is_an_empty_list_and_another_schema_an_error(tmp_path):
    assert load_findings(tmp_path) == []
    (tmp_path / "findings.json").write_text('{"schema": "other/1", "findings": []}')
    with pytest.raises(UsageError, match="other/1"):
        load_findings(tmp_path)
    (tmp_path / "findings.json").write_text("{")
    with pytest.raises(UsageError, match="not a file of findings"):
        load_findings(tmp_path)


def test_no_temporary_file_is_left(findings, tmp_path):
    findings.record("a", 1, holds=True)
    assert [path.name for path in tmp_path.iterdir()] == ["findings.json"]


def test_run_directory_makes_its_folders(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert run_directory("../run") == tmp_path / "run"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["curves", "figures", "logs"]


def test_run_directory_by_hand_is_in_the_project(tmp_path, monkeypatch):
    folder = tmp_path / "project" / "notebooks"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    (tmp_path / "project" / "pyproject.toml").touch()
    assert run_directory("") == tmp_path / "project" / "outputs" / "runs" / "lab"


def test_a_bound_in_mere_words_is_refused_with_what_to_do(tmp_path):
    findings = Findings(tmp_path, "02_toy")
    with pytest.raises(UsageError, match="at_most"):
        findings.record("a", 1, holds=True, bound="at most 1")
    with pytest.raises(UsageError, match="at_most"):
        findings.claim("a", 1, "at most 1")
