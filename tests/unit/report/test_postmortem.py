import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labserver.errors import UsageError
from labserver.report.postmortem import NOTEBOOK, Writeup, write_postmortem
from labserver.suite.findings import Findings


@pytest.fixture
def run_dir(tmp_path):
    """A run whose reproduction found a leak of 200 kB a job; nothing else was run."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "02_heap_over_time.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    findings = Findings(tmp_path, "02_reproduce_the_leak")
    findings.record("leak_bytes_per_job", 200_123.4, low=199_900.0, high=200_340.0, unit="B/job", holds=True, bound="x")
    findings.record("checks_rate", 0.5, holds=False, bound="every check passes")
    return tmp_path


def executed(run_dir, *markdown):
    cells = [new_markdown_cell("# The title"), new_code_cell('run_dir = "/secret"', metadata={"tags": ["parameters"]})]
    for text in markdown:
        output = new_output("display_data", {"text/markdown": text, "text/plain": "<Markdown>"})
        cells.append(new_code_cell("writeup.show()", outputs=[output]))
    nbformat.write(new_notebook(cells=cells), run_dir / f"{NOTEBOOK}.ipynb")


def test_a_section_quotes_findings_with_their_interval(run_dir):
    text = Writeup(run_dir).section("summary")
    assert "**Yes**: 200.1 kB per finished job (199.9 to 200.3)" in text


def test_what_was_not_measured_is_said_and_remembered(run_dir):
    writeup = Writeup(run_dir)
    assert "not measured in this run" in writeup.section("verification")
    assert "04 ttl_bytes_per_job" in writeup.missing()
    assert "figures/04_both_modes.svg" in writeup.missing()


def test_a_claim_that_failed_stands_at_the_top(run_dir):
    text = Writeup(run_dir).section("summary")
    assert text.startswith("> **1 claim of this run did not hold**")
    assert "checks_rate = 0.5, claimed: every check passes" in text


def test_every_claim_is_listed_with_whether_it_holds(run_dir):
    rows = [line for line in Writeup(run_dir).section("tools").splitlines() if line.startswith("| 02 |")]
    assert [row.split("|")[2].strip() for row in rows] == ["checks_rate", "leak_bytes_per_job"]
    assert [row.split("|")[-2].strip() for row in rows] == ["**no**", "yes"]


def test_html_embeds_its_pictures_and_folds_code(run_dir):
    executed(run_dir, "![The heap](figures/02_heap_over_time.svg)", "More.")
    (page,) = write_postmortem(run_dir, ["html"])
    text = page.read_text(encoding="utf-8")
    assert "<title>The title</title>" in text
    assert "data:image/svg+xml" in text
    assert text.count('<details class="code">') == 2
    assert "/secret" not in text


def test_markdown_takes_its_pictures_along(run_dir, tmp_path):
    executed(run_dir, "![The heap](figures/02_heap_over_time.svg)")
    written = write_postmortem(run_dir, ["md"], to=tmp_path / "elsewhere")
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "elsewhere/postmortem.md",
        "elsewhere/figures/02_heap_over_time.svg",
    ]
    assert "writeup" not in written[0].read_text(encoding="utf-8")


def test_an_unknown_format_and_a_run_without_write_up_are_said(run_dir):
    with pytest.raises(UsageError, match="no format 'docx': choose from html, md"):
        write_postmortem(run_dir, ["docx"])
    with pytest.raises(UsageError, match="labserver run"):
        write_postmortem(run_dir)
