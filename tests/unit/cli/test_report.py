import pytest

from labserver.cli import main
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


@pytest.mark.parametrize("arguments", [["nowhere"], ["--output", "nowhere"], ["--format", "docx"], ["--lang", "fr"]])
def test_a_mistake_is_one_sentence_and_exit_code_2(runs, monkeypatch, capsys, arguments):
    monkeypatch.chdir(runs.parent)
    given = arguments if "--output" in arguments else [*arguments, "--output", str(runs)]
    assert main(["report", *given]) == 2
    error = capsys.readouterr().err
    assert error.startswith("labserver: ")
    assert error.count("\n") == 1


def test_a_report_to_the_run_itself_is_one_to_no_other_place(runs, capsys):
    run = max(runs.iterdir())
    assert main(["report", str(run), "--format", "md", "--to", str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'postmortem.md'}\n"


def test_a_place_that_cannot_be_written_to_is_one_sentence(runs, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["report", "--output", str(runs), "--to", str(tmp_path / "file" / "folder")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("labserver: The report cannot be written (Not a directory: ")
    assert error.count("\n") == 1
