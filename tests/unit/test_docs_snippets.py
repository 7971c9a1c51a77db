"""What the pages show as code, as a command and as its answer is so."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from labserver.diagnosis import CheckOptions, CheckResult
from labserver.plugins.ipython import LeakMagics

ROOT = Path(__file__).parents[2]


def blocks(page, language):
    return re.findall(
        rf"^```{language}\n(.+?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def check(page, folder):
    """Run the first check of a page on the application that stands there: its exit code, its answer, and the data."""
    (source,) = blocks(page, "python")
    name = re.match(r"# (\w+\.py)\n", source)[1]
    (folder / name).write_text(source, encoding="utf-8")
    line = next(line for line in "".join(blocks(page, "console")).splitlines() if line.startswith("$ labserver check"))
    command = [sys.executable, "-m", *shlex.split(line.removeprefix("$ ")), "--quiet", "--json", "answer.json"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    return ended.returncode, ended.stdout, json.loads((folder / "answer.json").read_text(encoding="utf-8"))


def masked(text):
    """The words of an answer: its figures differ from run to run."""
    return re.sub(r"−?\d[\d,.]*", "#", text)


@pytest.fixture(scope="module")
def leak(tmp_path_factory):
    return check("README.md", tmp_path_factory.mktemp("leak"))


def test_the_readmes_shop_has_eight_lines():
    (source,) = blocks("README.md", "python")
    assert len([line for line in source.splitlines() if line]) == 8


def test_the_readmes_answer_is_what_its_command_says(leak):
    code, answer, _ = leak
    (shown,) = blocks("README.md", "text")
    shown = "".join(f"{line[3:]}\n" for line in shown.splitlines())  # without the marks of the explanation
    assert code == 1
    until = "jobs:"  # what is left of the growth is noise, and is worded by its sign
    assert masked(answer).partition(until)[0] == masked(shown).partition(until)[0]


def test_the_quickstarts_answer_is_what_its_command_says(tmp_path):
    code, answer, _ = check("docs/quickstart.md", tmp_path)
    (shown,) = blocks("docs/quickstart.md", "text")
    assert code == 0
    assert masked(answer) == masked(shown)


def test_the_answer_as_data_has_the_keys_that_are_shown(leak):
    _, _, data = leak
    (shown,) = [json.loads(block) for block in blocks("docs/reading.md", "json")]
    assert shown.keys() == data.keys()
    for key in ("bytes_per_job", "native_bytes_per_job", "growth"):
        assert shown[key].keys() == data[key].keys()
    for key in ("holders", "floors"):
        assert shown[key][0].keys() == data[key][0].keys()
    assert shown["holders"][0]["fingerprint"] == data["holders"][0]["fingerprint"]
    assert shown["holders"][0]["chain"] == data["holders"][0]["chain"]


def test_the_magics_are_written_as_they_are_read():
    lines = "".join(blocks("docs/jupyter.md", "text")).splitlines()
    assert next(line for line in lines if "[" in line) in " ".join(LeakMagics.check_cell.__doc__.split())


@pytest.mark.parametrize("page", ["docs/pytest.md", "docs/check.md"])
def test_every_option_in_python_exists(page):
    known = {one.name for one in fields(CheckOptions)}
    calls = [node for block in blocks(page, "py") for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    given = [call for call in calls if ast.unparse(call.func).endswith(("leak_check", "CheckOptions", "run_check"))]
    assert given
    assert {keyword.arg for call in given for keyword in call.keywords} <= known


@pytest.mark.parametrize("page", ["docs/check.md", "docs/running.md", "docs/service.md", "docs/watch.md"])
def test_what_a_page_imports_exists(page):
    code = "".join([*blocks(page, "py"), *blocks(page, "python")])
    imports = [node for node in ast.parse(code).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports
    exec(compile(ast.Module(imports, []), page, "exec"), {})


def test_the_answer_in_a_script_has_what_is_said_of_it():
    for attribute in ("verdict", "interval", "holders", "to_dict"):
        assert hasattr(CheckResult, attribute)


def test_a_watched_curve_is_plotted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    watch = [sys.executable, "-m", "labserver", "watch", str(os.getpid()), "--csv", "heap.csv"]
    subprocess.run([*watch, "--interval", "0.1", "--duration", "0.3", "--quiet"], check=True, timeout=60)
    (snippet,) = blocks("docs/watch.md", "py")
    exec(compile(snippet, "watch.md", "exec"), {})


def test_the_services_python_runs():
    (snippet,) = blocks("docs/service.md", "python")
    namespace = {}
    exec(compile(snippet, "service.md", "exec"), namespace)
    assert namespace["summary"].iterations == 10
    assert namespace["summary"].check_rate == 1
