import pytest

from labserver.errors import ClaimFailed
from labserver.stats.interval import Interval
from labserver.suite.bound import above, at_most, says
from labserver.suite.findings import Findings


@pytest.fixture
def shown(monkeypatch):
    """What was displayed, each as its MIME bundle."""
    bundles = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **how: bundles.append(bundle | how))
    return bundles


def test_a_notebook_ends_with_all_its_claims_also_where_one_fails(tmp_path, shown):
    findings = Findings(tmp_path, "02_toy")
    findings.measured("plain", 1)
    findings.claim("good", 1, at_most(2, "1 < 2"), unit="s")
    findings.claim("wide", Interval(1.0, -0.5, 2.5, 0.99), above(0))
    findings.record("path", "<a|b>", holds=False, bound=says("*a*"))
    with pytest.raises(ClaimFailed, match="2 of 3 claims do not hold"):
        findings.table()
    (bundle,) = shown
    assert bundle["text/plain"].splitlines() == [
        "✓ good = 1 s, claimed: at most 2: 1 < 2",
        "✗ wide = 1 (−0.5 to 2.5), claimed: above 0, which is undecided: the interval lies on both sides of the bound",
        "✗ path = <a|b>, claimed: *a*",
    ]
    rows = bundle["text/markdown"].splitlines()
    assert rows[0] == "|  | claim | value | interval | unit | bound |"
    assert rows[2:] == [
        "| ✓ | good | 1 |  | s | at most 2: 1 \\< 2 |",
        "| ✗ | wide | 1 | −0.5 to 2.5 |  | above 0 (undecided) |",
        "| ✗ | path | \\<a\\|b\\> |  |  | \\*a\\* |",
    ]
    assert "&lt;a|b&gt;" in bundle["text/html"]
    assert "<a|b>" not in bundle["text/html"]
    assert bundle["text/html"].count("<tr>") == 4


def test_a_table_without_claims_shows_nothing_and_asserts_as_ever(tmp_path, shown):
    findings = Findings(tmp_path, "02_toy")
    with pytest.raises(ClaimFailed, match="recorded no claim"):
        findings.table()
    findings.measured("plain", 1)
    findings.table()
    assert shown == []
