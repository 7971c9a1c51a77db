import importlib.util
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from labserver.cli import main
from labserver.incident.postmortem import fonts, pdf
from labserver.suite.findings import Findings


@pytest.fixture
def runs(tmp_path):
    for name in ("20260101T000000Z-aaaaaa", "20260102T000000Z-bbbbbb"):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        Findings(folder, "10_write_the_postmortem").record("missing_figures", 0, holds=True)
    return tmp_path / "runs"


def test_the_newest_run_is_reported(runs, capsys):
    assert main(["report", "--output", str(runs)]) == 0
    written = capsys.readouterr().out.split()
    assert [path.rpartition("/")[2] for path in written] == ["postmortem.html", "postmortem.md"]
    assert all("bbbbbb" in path for path in written)


def test_a_report_elsewhere_takes_the_findings_along(runs, tmp_path):
    run = next(runs.iterdir())
    assert main(["report", str(run), "--format", "md", "--to", str(tmp_path / "there")]) == 0
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["findings.json", "postmortem.md"]


@pytest.mark.parametrize(
    "arguments", [["nowhere"], ["--output", "nowhere"], ["--format", "docx"], ["--lang", "fr"], ["--notebooks"]]
)
def test_a_mistake_is_one_sentence_and_exit_code_2(runs, monkeypatch, capsys, arguments):
    monkeypatch.chdir(runs.parent)
    given = arguments if "--output" in arguments else [*arguments, "--output", str(runs)]
    assert main(["report", *given]) == 2
    error = capsys.readouterr().err
    assert error.startswith("labserver: ")
    assert error.count("\n") == 1


def test_a_report_to_the_run_itself_is_one_to_no_other_place(runs, capsys):
    run = max(runs.iterdir())
    assert main(["report", str(run), "--format", "md", "--to", f"{run}/../{run.name}"]) == 0
    assert capsys.readouterr().err == ""


def test_findings_and_where_they_come_from_go_along(runs, tmp_path):
    run = next(runs.iterdir())
    (run / "provenance.json").write_text("{}")
    assert main(["report", str(run), "--format", "md", "--to", str(tmp_path / "there")]) == 0
    assert (tmp_path / "there" / "provenance.json").read_text() == "{}"


def test_executed_notebooks_go_along_where_asked(runs, tmp_path, capsys):
    run = next(runs.iterdir())
    notebook = new_notebook(cells=[new_code_cell("measure()", metadata={"papermill": {"duration": 3.0}})])
    nbformat.write(notebook, run / "02_measure_it.ipynb")
    there = tmp_path / "there"
    assert main(["report", str(run), "--format", "md", "--notebooks", "--to", str(there)]) == 0
    assert str(there / "notebooks" / "02_measure_it.ipynb") in capsys.readouterr().out
    assert "papermill" not in (there / "notebooks" / "02_measure_it.ipynb").read_text()


@pytest.mark.parametrize("to", ["file", "file/there"])
def test_a_folder_that_cannot_be_written_to_is_one_sentence(runs, tmp_path, capsys, to):
    (tmp_path / "file").write_text("in the way")
    assert main(["report", "--output", str(runs), "--to", str(tmp_path / to)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"labserver: Cannot write to {tmp_path / to}: ")
    assert error.count("\n") == 1


def test_findings_that_cannot_be_read_are_one_sentence(runs, capsys):
    (next(runs.iterdir()) / "findings.json").write_text("{")
    assert main(["report", str(next(runs.iterdir()))]) == 2
    assert capsys.readouterr().err == "labserver: findings.json is not a file of findings.\n"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_pdf_is_printed(runs, capsys, language):
    if pdf.why_not(language):
        pytest.skip(pdf.why_not(language))
    assert main(["report", "--output", str(runs), "--format", "pdf", "--lang", language]) == 0
    (path,) = capsys.readouterr().out.split()
    assert path.endswith("postmortem.pdf" if language == "en" else "postmortem.ko.pdf")
    assert Path(path).read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize(("language", "name"), [("en", "card.png"), ("ko", "card.ko.png")])
def test_a_card_is_drawn(runs, capsys, language, name):
    if language == "ko" and fonts.korean() is None:
        pytest.skip("Korean fonts are missing")
    assert main(["report", "--output", str(runs), "--format", "card", "--lang", language]) == 0
    (path,) = map(Path, capsys.readouterr().out.split())
    assert path.name == name
    assert path.read_bytes().startswith(b"\x89PNG")


def without_weasyprint(patch):
    find_spec = importlib.util.find_spec
    patch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "weasyprint" else find_spec(name, *rest)
    )


def without_pango(patch):
    def load():
        raise OSError("cannot load library 'libpango-1.0-0'")

    patch.setattr(pdf, "_weasyprint", load)


def without_fonts(patch):
    patch.setattr(pdf, "_weasyprint", lambda: None)
    patch.setattr(fonts, "korean", lambda: None)


@pytest.mark.parametrize(
    ("lacking", "install"),
    [
        (without_weasyprint, "pip install 'labserver[pdf]'"),
        (without_pango, "apt install libpangoft2-1.0-0"),
        (without_fonts, "koreanize-matplotlib"),
    ],
)
def test_what_a_pdf_lacks_is_one_sentence_that_names_the_package(runs, monkeypatch, capsys, lacking, install):
    lacking(monkeypatch)
    assert main(["report", "--output", str(runs), "--format", "pdf", "--lang", "ko"]) == 3
    error = capsys.readouterr().err
    assert error.startswith("labserver: A PDF ")
    assert install in error
    assert error.count("\n") == 1
    assert not list(runs.rglob("*.pdf"))
