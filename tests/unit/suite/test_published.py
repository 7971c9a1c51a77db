import base64
import json
import re
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labserver.suite.published import publish_notebooks, published

REFERENCE = Path(__file__).parents[3] / "outputs" / "reference" / "notebooks"
MOST_BYTES = 3_000_000
PNG = base64.b64encode(b"\x89PNG picture").decode()
FIRST = ("20260102T030405Z-0a1b2c", "2026-01-02T03:04:05.678901+00:00", "2026-01-02 03:04", 41001, 0x7F00AA001234)
SECOND = ("20261130T032329Z-928b75", "2026-11-30T03:23:29.000001+00:00", "2026-11-30 03:23", 50123, 0x7F11BB005678)


def executed(run, *, kept="3,014"):
    """A notebook as papermill leaves it, by what differs from one run to the next."""
    run, time, minute, number, address = run
    record = {"start_time": time, "end_time": time, "duration": number / 1000, "status": "completed"}
    times = {"iopub.status.busy": time, "shell.execute_reply": time}
    parameters = new_code_cell('users: int = 5\nrun_dir: str = ""', metadata={"tags": ["parameters"]}, id="given")
    injected = new_code_cell(
        f'# Parameters\nusers = 20\nrun_dir = "../outputs/runs/{run}"\n', metadata={"tags": ["injected-parameters"]}
    )
    said = (
        f"{minute} the run {run} in {Path.cwd() / 'outputs' / 'runs' / run} and {tempfile.gettempdir()}/x{number}\n"
        f"<Thing at {address:#x}> at /tmp/ipykernel_{number}/{number}.py:4 of http://127.0.0.1:{number}/work\n"
        f"keeps {kept} B of every job, GET /api/images/analyze, 2026-10 and {Path.home()}/shop.py\n"
    )
    shown = {"text/plain": f"A leak (figures/{run}.svg)", "image/svg+xml": f"<svg>{number}</svg>", "image/png": PNG}
    outputs = [
        new_output("stream", text=said),
        new_output("display_data", data=shown, metadata={"image/png": {"width": 768}}),
        new_output("display_data", data={"text/html": f"<p>{time}</p>", "application/json": {"kept": kept}}),
        new_output("error", ename="ClaimFailed", evalue=f"failed in {run}", traceback=[f"at {time}"]),
    ]
    cell = new_code_cell("measure()", outputs=outputs, execution_count=3, id="measures")
    notebook = new_notebook(cells=[new_markdown_cell("# Measure", id="title"), parameters, injected, cell])
    for one in notebook.cells:
        one.metadata |= {"papermill": record, "execution": times}
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python", "version": f"3.11.{number % 10}"},
            "papermill": record | {"output_path": f"/home/somebody/{run}.ipynb"},
        }
    )
    return notebook


@pytest.fixture
def publish(tmp_path):
    """Publish a notebook as that of a run, and read the file."""

    def publish(notebook, run, to="published"):
        folder = tmp_path / "runs" / run
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / "02_measure_it.ipynb")
        (path,) = publish_notebooks(folder, tmp_path / to)
        return path.read_text(encoding="utf-8")

    return publish


def test_two_runs_that_found_the_same_are_the_same_file(publish):
    first, second = (publish(executed(run), run[0], to=run[0]) for run in (FIRST, SECOND))
    assert first == second


def test_two_runs_differ_in_their_figures_only(publish):
    kept = ("3,014", "3,020")
    first, second = (publish(executed(run, kept=kept), run[0]) for run, kept in zip((FIRST, SECOND), kept, strict=True))
    differing = [pair for pair in zip(first.splitlines(), second.splitlines(), strict=True) if len({*pair}) > 1]
    assert len(differing) == 2  # the text, and the data beside the table
    assert all(one.replace(*kept) == other for one, other in differing)


def test_nothing_says_where_and_when_it_ran(publish):
    text = publish(executed(FIRST), FIRST[0])
    places = {str(Path.cwd()), str(Path.home()), tempfile.gettempdir(), FIRST[0], "41001", "papermill", "iopub"}
    assert [place for place in places if re.search(rf"{re.escape(place)}(?!\w)", text)] == []
    assert not re.search(r"\d\d:\d\d|0x[0-9a-f]|ipykernel_\d", text)


def test_what_it_says_and_shows_stays(publish):
    notebook = nbformat.reads(publish(executed(FIRST), FIRST[0]), as_version=4)
    nbformat.validate(notebook)
    said, figure, table, error = notebook.cells[-1].outputs
    assert "keeps 3,014 B of every job, GET /api/images/analyze, 2026-10 and ~/shop.py" in said.text
    assert "of http://127.0.0.1:PORT/work" in said.text
    assert figure.data == {"text/plain": "A leak (figures/reference.svg)", "image/png": PNG}
    assert figure.metadata == {"image/png": {"width": 768}}
    assert table.data["application/json"] == {"kept": "3,014"}
    assert error.ename == "ClaimFailed"
    assert notebook.cells[-1].execution_count == 3
    assert notebook.cells[1].metadata.tags == ["parameters"]
    assert notebook.metadata.kernelspec.name == "python3"


def test_parameters_that_were_given_stay_without_the_runs_directory(publish):
    notebook = nbformat.reads(publish(executed(FIRST), FIRST[0]), as_version=4)
    assert notebook.cells[2].source == "# Parameters\nusers = 20"


def test_a_cell_that_gave_the_runs_directory_alone_goes():
    notebook = executed(FIRST)
    notebook.cells[2].source = '# Parameters\nrun_dir = "../outputs/runs/x"\n'
    assert [cell.source for cell in published(notebook).cells] == [
        "# Measure", 'users: int = 5\nrun_dir: str = ""', "measure()",
    ]  # fmt: skip


def test_what_failed_is_said_by_its_cell_alone():
    notebook = executed(FIRST)
    banner = new_markdown_cell('<a href="#papermill-error-cell">', metadata={"tags": ["papermill-error-cell-tag"]})
    notebook.cells.insert(0, banner)
    shown = published(notebook)
    assert shown == published(executed(FIRST))
    assert shown.cells[-1].outputs[-1].ename == "ClaimFailed"


def test_a_picture_in_one_format_stays():
    notebook = executed(FIRST)
    figure = notebook.cells[-1].outputs[1]
    del figure.data["image/png"]
    (kept,) = [one for one in published(notebook).cells[-1].outputs if "image/svg+xml" in one.get("data", {})]
    assert kept.data["image/svg+xml"] == "<svg>41001</svg>"


def test_the_notebook_itself_is_left_as_it_is():
    notebook = executed(FIRST)
    before = json.dumps(notebook)
    published(notebook)
    assert json.dumps(notebook) == before


def test_one_that_is_no_longer_there_goes(publish, tmp_path):
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "03_of_old.ipynb").touch()
    (tmp_path / "published" / "README.md").touch()
    publish(executed(FIRST), FIRST[0])
    assert sorted(path.name for path in (tmp_path / "published").iterdir()) == ["02_measure_it.ipynb", "README.md"]


def test_those_of_the_reference_run_are_small_and_clean():
    paths = sorted(REFERENCE.glob("*.ipynb"))
    assert sum(path.stat().st_size for path in paths) <= MOST_BYTES
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        assert published(notebook) == notebook, path
