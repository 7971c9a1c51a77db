"""A notebook's own object, in a real kernel as somebody uses it who runs the cells by hand."""

import json
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

import labserver
from labserver.errors import UsageError
from labserver.suite.parameters import check_parameters, read_parameters

PARAMETERS = """\
users: int = 5  # virtual users [1, 200]
store: str = "leaky"  # retention policy
    # {leaky, ttl}
fast: bool = False  # fewer jobs
run_dir: str = "run"  # filled by the runner"""
OPEN = """\
from labserver.incident.experiments.notebook import Notebook
notebook = Notebook("02_toy", run_dir)"""
SHOW = """\
from matplotlib.figure import Figure
notebook.curve("leaky").write_text("t_s")
figure = Figure(figsize=(2, 2))
figure.add_subplot().plot([1, 2])
notebook.show(figure, "shape")"""
CONCLUDE = """\
from labserver.suite.bound import at_most
from labserver.suite.declared import declares

@declares
def sizes(findings, most):
    shown = ["curves/02_leaky.csv", "figures/02_shape.svg"]
    findings.claim("small", 1, at_most(most), evidence=shown)
    findings.claim("large_enough_to_fail_as_it_must", 3, at_most(most), unit="MiB")

notebook.conclude(sizes(most))"""
LONG = """\
@declares
def long(findings):
    for number in range(5):
        findings.record(f"a_claim_with_a_rather_long_name_{number}", 1, holds=False)

notebook.conclude(long())"""
WRONG = [("users", "300"), ("users", "'many'"), ("users", "2.5"), ("store", "'weak'"), ("fast", "2")]
OTHERWISE = PARAMETERS.replace("= False", "= 'false'").replace("= 5", "= '7'")
SOURCES = {
    "not run": f"run_dir = 'run'\n{OPEN}",
    "a copy": OPEN.replace("02_toy", "02_copy"),
    **{f"{name} = {given}": f"{PARAMETERS}\n{name} = {given}\n{OPEN}" for name, given in WRONG},
    "texts": f"{OTHERWISE}\n{OPEN}\nprint(fast, users)",
    "as typed": f"{PARAMETERS}\n{OPEN}\nprint(users)",
    "one fails": f"most = 2\n{SHOW}\n{CONCLUDE}",
    "long names": f"notebook = Notebook('02_toy', run_dir)\n{LONG}",
    "all hold": f"most = 3\n{OPEN}\n{SHOW}\n{CONCLUDE}",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The notebook's folder, with the file as it was saved: its default is wrong, and not what is typed below."""
    folder = tmp_path_factory.mktemp("notebooks")
    saved = nbformat.v4.new_code_cell(PARAMETERS.replace("= 5", "= 500"), metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[saved]), folder / "02_toy.ipynb")
    return folder


@pytest.fixture(scope="module")
def outputs(folder):
    """Every cell's outputs, by the cell's name."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in SOURCES.values()])
    # Not over TCP: its ports are picked before the kernel takes them.
    over_files = {"KernelManager": {"transport": "ipc", "ip": str(folder / "kernel")}}
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=240, allow_errors=True, resources=resources, config=Config(over_files))
    client.execute(env=os.environ | {"PYTHONPATH": str(Path(labserver.__file__).parents[1])})
    return dict(zip(SOURCES, [cell.outputs for cell in notebook.cells], strict=True))


@pytest.mark.parametrize(("name", "given"), WRONG)
def test_what_is_typed_is_checked_in_the_words_of_the_runner(outputs, tmp_path, name, given):
    cell = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "02_toy.ipynb")
    with pytest.raises(UsageError) as told:
        check_parameters(read_parameters(tmp_path / "02_toy.ipynb"), {name: given.strip("'")})
    (error,) = outputs[f"{name} = {given}"]
    assert (error.ename, error.evalue) == ("UsageError", str(told.value))
    # No traceback: the sentence is all that is shown.
    assert " ".join(error.traceback) == error.evalue


def test_parameters_that_were_not_run_are_missing(outputs):
    (error,) = outputs["not run"]
    assert error.traceback == ["Parameter 'users' is missing: run the cell that is tagged 'parameters'."]


def test_what_was_typed_counts_and_not_what_was_saved(outputs):
    assert outputs["as typed"][0].text == "5\n"


def test_a_text_has_the_type_that_the_runner_gives_it(outputs):
    assert outputs["texts"][0].text == "False 7\n"


def test_a_copy_under_another_name_is_not_checked(outputs):
    assert outputs["a copy"] == []


def test_the_claims_are_shown_as_a_table_and_those_that_fail_in_one_sentence(outputs):
    _, shown, error = outputs["one fails"]
    assert "<table>" in shown.data["text/html"]
    assert "✗ fails" in shown.data["text/html"]
    assert shown.data["text/plain"].splitlines()[1].startswith("✗ large_enough_to_fail_as_it_must = 3 MiB, claimed")
    assert error.ename == "ClaimFailed"
    assert error.traceback == ["1 of 2 claims does not hold: large_enough_to_fail_as_it_must."]


def test_evidence_is_what_the_notebook_has_shown(outputs, folder):
    assert outputs["all hold"][-1].data["text/plain"].startswith("All 2 claims hold.")
    found = {entry["name"]: entry for entry in json.loads((folder / "run" / "findings.json").read_text())["findings"]}
    assert found["small"]["evidence"] == ["curves/02_leaky.csv", "figures/02_shape.svg"]


def test_a_long_sentence_breaks_between_words(outputs):
    *_, error = outputs["long names"]
    assert len(error.traceback) > 1
    assert max(map(len, error.traceback)) <= 100
    assert " ".join(error.traceback) == error.evalue.partition("\n")[0]
