import getpass
import json
import platform
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from labserver.suite.plan import plan_steps
from labserver.suite.provenance import notebook_digest, package_digest, write_provenance


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "02_toy.ipynb"
    cell = new_code_cell("users: int = 5", metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[cell]), path)
    return path


def test_outputs_and_counts_do_not_change_a_digest_but_a_source_does(notebook):
    before = notebook_digest(notebook)
    document = nbformat.read(notebook, as_version=4)
    document.cells[0].outputs = [new_output("stream", text="hello")]
    document.cells[0].execution_count = 3
    document.cells[0].id = "another"
    document.metadata["papermill"] = {"version": "2"}
    nbformat.write(document, notebook)
    assert notebook_digest(notebook) == before
    document.cells[0].source += "0"
    nbformat.write(document, notebook)
    assert notebook_digest(notebook) != before


def test_the_package_digest_sees_names_and_contents_but_no_compiled_files(tmp_path):
    (tmp_path / "a.py").write_text("1")
    first = package_digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert package_digest(tmp_path) == first
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    second = package_digest(tmp_path)
    (tmp_path / "b.py").write_text("2")
    assert len({first, second, package_digest(tmp_path)}) == 3


def test_says_what_ran_where_and_names_nobody(notebook, tmp_path):
    start = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    steps = plan_steps([notebook], {"users": "7"}, None)
    path = write_provenance(tmp_path, steps, "seed", start, ended=None)
    text = path.read_text()
    document = json.loads(text)
    assert document["schema"] == "labserver.provenance/1"
    assert document["started"] == "2026-01-02T03:04:05+00:00"
    assert document["ended"] is None
    assert document["profile"] == "seed"
    assert document["parameters"] == {"02_toy": {"users": 7}}
    assert document["sha256"]["notebooks"] == {"02_toy": notebook_digest(notebook)}
    assert document["sha256"]["requirements"] is None
    assert document["git"] is None
    assert {"python", "implementation", "flask", "papermill"} <= set(document["versions"])
    assert set(document["machine"]) == {"system", "release", "architecture", "cpu_count", "memory_bytes"}
    assert str(Path.home()) not in text
    for name in (platform.node(), str(tmp_path)):
        assert name not in text
    assert f'"{getpass.getuser()}"' not in text


def test_requirements_of_the_project_are_part_of_it(notebook, tmp_path):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "requirements.txt").write_text("click==8.1\n")
    path = write_provenance(tmp_path, plan_steps([notebook], {}, None), None, datetime.now(UTC), ended=None)
    assert len(json.loads(path.read_text())["sha256"]["requirements"]) == 64
