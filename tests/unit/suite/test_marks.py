import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.execute import ERROR_MARKER_TAG

from labserver.suite.marks import finish_notebook
from labserver.suite.result import Status
from labserver.suite.session import Failure


@pytest.fixture
def run_dir(tmp_path):
    (tmp_path / "curves").mkdir()
    (tmp_path / "logs").mkdir()
    marker = {"tags": [ERROR_MARKER_TAG]}
    cells = [
        new_markdown_cell("An Exception was encountered", metadata=marker),
        new_code_cell("1"),
        new_markdown_cell('<span id="papermill-error-cell">', metadata=marker),
        new_code_cell("2"),
    ]
    metadata = {"papermill": {"exception": None, "input_path": "/home/x/02_toy.ipynb"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), tmp_path / "02_toy.ipynb")
    return tmp_path


def finish(run_dir, failure):
    path = run_dir / "02_toy.ipynb"
    finish_notebook(path, failure, run_dir / "logs" / "02_toy.log", run_dir / "curves")
    return nbformat.read(path, as_version=4)


def test_the_banner_tells_what_happened_and_shows_log_and_readings(run_dir):
    (run_dir / "logs" / "02_toy.log").write_text("".join(f"line {n}\n" for n in range(100)) + "~~~ ``` <b>\n")
    (run_dir / "curves" / "02_leaky.csv").write_text("jobs,bytes\n1,10\n2,20\n3,3")
    (run_dir / "curves" / "03_other.csv").write_text("jobs,bytes\n9,90\n")
    notebook = finish(run_dir, Failure(Status.DEAD_KERNEL, 2, "The kernel died in cell 2 <SIGKILL>"))
    banner = notebook.cells[0].source
    assert notebook.metadata.papermill.exception is True
    assert "The kernel died in cell 2 &lt;SIGKILL&gt; (dead-kernel)" in banner
    assert "(#papermill-error-cell)" in banner
    assert "    line 99\n    ~~~ ``` <b>" in banner
    assert "line 60" not in banner
    assert "02_leaky.csv`:\n\n    jobs,bytes\n    2,20" in banner
    assert "3,3" not in banner
    assert "03_other" not in banner
    assert len(notebook.cells) == 4


def test_the_banner_names_each_failed_claim_on_a_line_of_its_own(run_dir):
    message = "2 of 3 claims do not hold:\n  ✗ a = 1, claimed: <1\n  ✗ b = 2"
    banner = finish(run_dir, Failure(Status.CLAIM_FAILED, 2, message)).cells[0].source
    assert "do not hold (claim-failed)</div>" in banner
    assert ">✗ a = 1, claimed: &lt;1</div>" in banner
    assert ">✗ b = 2</div>" in banner


def test_where_a_claim_fails_no_exception_is_said_to_have_stopped_the_notebook(run_dir):
    claim = finish(run_dir, Failure(Status.CLAIM_FAILED, 2, "1 of 3 claims does not hold: a."))
    assert claim.cells[2].source == '<span id="papermill-error-cell"></span>'
    assert "(#papermill-error-cell)" in claim.cells[0].source


def test_what_papermill_says_of_an_error_stays(run_dir):
    assert finish(run_dir, Failure(Status.ERROR, 2, "KeyError")).cells[2].source == '<span id="papermill-error-cell">'


def test_a_notebook_that_passed_carries_no_mark(run_dir):
    notebook = finish(run_dir, None)
    assert [cell.source for cell in notebook.cells] == ["1", "2"]
    assert notebook.metadata.papermill.exception is None
    assert notebook.metadata.papermill.input_path == "02_toy.ipynb"


def test_a_failure_of_no_cell_is_marked_once(run_dir):
    finish(run_dir, None)
    failure = Failure(Status.CLAIM_FAILED, None, "not checked")
    for _ in range(2):
        notebook = finish(run_dir, failure)
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code", "code"]
    assert "not checked (claim-failed)" in notebook.cells[0].source
    assert "papermill-error-cell" not in notebook.cells[0].source
