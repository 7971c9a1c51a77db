"""The claims as IPython displays them: which fail, what each was held against, in words and not in colour alone."""

from labserver.stats.interval import Interval
from labserver.suite.bound import above, at_most, says
from labserver.suite.findings import Findings


def claims_of(folder, *holding):
    findings = Findings(folder, "02_toy")
    findings.measured("plain", 1)
    findings.claim("good", 1, at_most(2, "1 < 2"), unit="s")
    for name in holding:
        findings.claim(name, 1, at_most(2))
    return findings


def test_each_claim_says_whether_it_holds_and_what_it_was_held_against_those_that_fail_first(tmp_path):
    findings = claims_of(tmp_path)
    findings.claim("wide", Interval(1.0, -0.5, 2.5, 0.99), above(0))
    findings.record("path", "<a|b>", holds=False, bound=says("*a*"))
    table = findings.claims()
    assert repr(table).splitlines() == [
        "2 of 3 claims do not hold: wide and path.",
        "✗ wide = 1 (−0.5 to 2.5), claimed: above 0, which is undecided: the interval lies on both sides of the bound",
        "✗ path = <a|b>, claimed: *a*",
        "✓ good = 1 s, claimed: at most 2: 1 < 2",
    ]
    sentence, _, *rows = table._repr_markdown_().splitlines()
    assert sentence == "**2 of 3 claims do not hold: wide and path.**"
    assert rows[0] == "|  | claim | value | interval | unit | bound |"
    assert rows[2:] == [
        "| ✗ undecided | wide | 1 | −0.5 to 2.5 |  | above 0 |",
        "| ✗ fails | path | \\<a\\|b\\> |  |  | \\*a\\* |",
        "| ✓ holds | good | 1 |  | s | at most 2: 1 \\< 2 |",
    ]
    html = table._repr_html_()
    assert html.startswith("<p><strong>2 of 3 claims do not hold: wide and path.</strong></p><table>")
    assert "&lt;a|b&gt;" in html
    assert "<a|b>" not in html
    assert html.count("<tr>") == 4
    assert "color" not in html


def test_a_sentence_names_the_claims_that_fail_few_enough_to_read(tmp_path):
    findings = claims_of(tmp_path, "better")
    assert findings.claims().sentence() == "All 2 claims hold."
    for number in range(6):
        findings.record(f"bad_{number}", number, holds=False)
    said = "6 of 8 claims do not hold: bad_0, bad_1, bad_2, bad_3 and 2 more."
    assert findings.claims().sentence() == said
    assert claims_of(tmp_path).claims().sentence() == "The one claim holds."


def test_figures_alone_are_no_claims(tmp_path):
    findings = Findings(tmp_path, "02_toy")
    findings.measured("plain", 1)
    assert findings.claims().claims == []
    findings.check()
