from datetime import UTC, datetime
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labserver.suite.bound import at_least, at_most, says
from labserver.suite.finding import Finding
from labserver.suite.result import NotebookResult, RunResult, Status
from labserver.suite.session import CellProgress, cell_label, code_cells


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["passed", "passed"], 0),
        (["passed", "claim-failed"], 1),
        (["claim-failed", "error"], 3),
        (["timeout", "claim-failed"], 3),
        (["dead-kernel"], 3),
        (["error", "interrupted", "not-run"], 130),
        (["passed", "not-run"], 130),
    ],
)
def test_the_worst_status_is_the_exit_code(statuses, code):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    notebooks = tuple(NotebookResult("02_toy", Path("02_toy.ipynb"), Status(status)) for status in statuses)
    assert RunResult(Path(), None, now, now, notebooks).exit_code == code


def test_a_cell_is_named_by_the_heading_before_it_or_its_first_line():
    notebook = new_notebook(
        cells=[
            new_code_cell("\n# Parameters\nx = 1"),
            new_markdown_cell("# Title\ntext\n## Load the server ##\nmore"),
            new_markdown_cell("only prose"),
            new_code_cell(" "),
            new_code_cell("y" * 100),
        ]
    )
    assert code_cells(notebook) == [0, 4]
    assert cell_label(notebook, 4) == "Load the server"
    assert cell_label(notebook, 0) == "Parameters"
    del notebook.cells[1]
    assert cell_label(notebook, 3) == "y" * 59 + "…"


def test_a_progress_line_says_where_it_is():
    line = CellProgress("02_toy", 5, 14, "Load the server", 12.4).line()
    assert line == "02_toy  cell 5/14  Load the server  12 s"


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ([(at_most(1), True), (None, True), (at_least(1), True)], "2 claims hold"),
        ([(at_most(1), True), (None, True)], "1 claim holds"),
        ([(at_most(1), True), (at_most(1), False), (None, True)], "1 of 2 claims hold"),
        ([(at_most(1), True), (None, False)], "1 of 2 claims hold"),
    ],
)
def test_the_closing_line_counts_what_has_a_bound_or_fails(findings, words):
    rows = tuple(Finding("x", "02_toy", 1, "", None, None, bound, holds, [], "") for bound, holds in findings)
    line = NotebookResult("02_toy", Path("02_toy.ipynb"), Status.PASSED, findings=rows).closing_lines()[0]
    assert line == f"02_toy  passed  0 s  {words}"


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (Status.CLAIM_FAILED, "2 of 3 claims do not hold: …", "1 of 3 claims hold"),
        (Status.ERROR, "KeyError in cell 4: 'x'", "KeyError in cell 4: 'x'"),
    ],
)
def test_the_closing_lines_name_each_failed_claim(status, message, words):
    rows = (
        Finding("fine", "02_toy", 1, "", None, None, at_most(1), True, [], ""),
        Finding("growth", "02_toy", 188_697.4, "B/job", 185_216.0, 192_178.0, at_most(256), False, [], "Why."),
        Finding("verdict", "02_toy", "leak", "", None, None, says("no-leak"), False, [], ""),
    )
    result = NotebookResult("02_toy", Path("02_toy.ipynb"), status, message=message, findings=rows)
    assert result.closing_lines() == [
        f"02_toy  {status}  0 s  {words}",
        "  ✗ growth = 188,697 (185,216 to 192,178) B/job, claimed: at most 256",
        "  ✗ verdict = leak, claimed: no-leak",
    ]


def test_a_claim_that_fails_without_a_finding_says_why():
    result = NotebookResult("02_toy", Path("02_toy.ipynb"), Status.CLAIM_FAILED, message="02_toy recorded no claim.")
    assert result.closing_lines() == ["02_toy  claim-failed  0 s  02_toy recorded no claim."]


def test_failures_are_what_makes_a_run_fail():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    notebooks = tuple(NotebookResult("02_toy", Path("02_toy.ipynb"), status) for status in Status)
    failed = [notebook.status.value for notebook in RunResult(Path(), None, now, now, notebooks).failures]
    assert failed == ["claim-failed", "error", "timeout", "dead-kernel"]
