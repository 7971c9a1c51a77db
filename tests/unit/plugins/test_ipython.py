"""The magics in a real kernel: its own memories are no leak, and the notebook's variables are where a leak lives."""

import base64
import json
import re

import pytest

SERVICE = """
from flask import Flask

app = Flask(__name__)

@app.get("/work")
def work():
    return {"ok": True}
"""
INTERRUPTED = """%%leakcheck --into known
CALLS = globals().get("CALLS", 0) + 1
if CALLS == 400:
    __import__("signal").raise_signal(__import__("signal").SIGINT)
"""
BASELINE = """import json
found = json.load(open("answer.json"))["holders"][0]["fingerprint"]
path, entry = "accepted.json", {"fingerprint": found, "reason": "known", "expires": "2999-01-01"}
with open(path, "w") as file:
    json.dump({"schema": "labserver.baseline/1", "accepted": [entry]}, file)"""
# So much that messages of the kernel's own, which wait for a busy reader, are a small part of it.
ACCEPTED = """%%leakcheck --fast --tolerance 4000 --json - --baseline accepted.json
CACHE[len(CACHE)] = bytes(30_000)"""
CELLS = {
    "load": "%load_ext labserver\nCACHE = {}",
    "shown": "CACHE",  # from here on it is `_` and `Out[2]` too
    "leak": "%%leakcheck --into found --tolerance 300 checkout\nCACHE[len(CACHE)] = bytes(3000)\nprint('sold')\n3",
    "found": "print(found.verdict, found.holders[0].path, found.holders[0].allocated_at[0], sep='\\n')",
    "clean": "%%leakcheck\nbuffers = [bytes(3000) for _ in range(20)]\nprint('x' * 1000)\nbuffers",
    "service": "%leakcheck quiet:app --request 'GET /work' --users 2 --tolerance 512",
    "stopped": INTERRUPTED,
    "known": "print(known.jobs, known.floors[0][0], known.verdict, known.notes[-1], sep='\\n')",
    "help": "%leakcheck --help",
    "help of the cell": "%%leakcheck --tolerance 300 -h\npass",
    "files": "%%leakcheck --html page.html --json answer.json --fast checkout\nCACHE[len(CACHE)] = bytes(3000)",
    "baseline file": BASELINE,
    "accepted": ACCEPTED,
    "folder": "%%leakcheck --html nowhere/page.html\nraise RuntimeError('it was started')",
    "baseline": "%%leakcheck --baseline nowhere.json\nraise RuntimeError('it was started')",
    "raises": "%%leakcheck\nfirst = 1\nfirst / 0",
    "syntax": "%%leakcheck\nprint(",
    "indent": "%%leakcheck\nif True:\n    pass\n  pass",
    "return": "%%leakcheck\nreturn 3",
    "empty": "%%leakcheck\n# nothing",
    "option": "%%leakcheck --max-jobs many\npass",
    "figure": "%%leakcheck --max-jobs 0\npass",
    "variable": "%%leakcheck --into 3x\npass",
    "target": "%leakcheck nowhere:app --request 'GET /'",
    "quote": "%leakcheck quiet:app --request 'GET /",
}
MISTAKES = {
    "folder": "nowhere/page.html cannot be written: there is no directory nowhere.",
    "baseline": "The baseline nowhere.json cannot be read (No such file or directory).",
    "raises": "The cell fails: ZeroDivisionError: division by zero (line 2).",
    "syntax": "The cell is not Python: '(' was never closed (line 1).",
    "indent": "The cell is not Python: unindent does not match any outer indentation level (line 3).",
    "return": "The cell cannot be repeated: 'return' outside function (line 1).",
    "empty": "The cell is empty: what it does is the job that is checked.",
    "option": "argument --max-jobs: invalid int value: 'many'",
    "figure": "max_jobs is 0: it must be more than 0.",
    "variable": "--into 3x: this is no name of a variable.",
    "target": "nowhere cannot be imported: ModuleNotFoundError: No module named 'nowhere'.",
    "quote": "The line cannot be read: No closing quotation.",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the notebook runs."""
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def outputs(folder):
    """Every cell's outputs, by the cell's name."""
    # Only here: what a test imports at its head is in the heap that other tests walk.
    import nbformat
    from nbclient import NotebookClient
    from traitlets.config import Config

    (folder / "quiet.py").write_text(SERVICE)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS.values()])
    # Not over TCP: its ports are picked before the kernel takes them.
    over_files = {"KernelManager": {"transport": "ipc", "ip": str(folder / "kernel")}}
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook,
        timeout=240,
        allow_errors=True,
        coalesce_streams=True,  # what is printed at once may come in two messages
        resources=resources,
        config=Config(over_files),
    )
    client.execute()
    return dict(zip(CELLS, [cell.outputs for cell in notebook.cells], strict=True))


def answer(outputs):
    """The one display that a check leaves."""
    (shown,) = outputs
    assert shown.output_type == "display_data"
    return shown.data


def test_the_cells_leak_is_found_in_the_notebooks_own_variable(outputs):
    verdict, path, line = outputs["found"][0].text.splitlines()
    assert verdict == "leak"
    assert path == "module __main__ → CACHE → ['…']"
    assert line == "notebook cell [3], line 1: CACHE[len(CACHE)] = bytes(3000)"


def test_one_display_is_left_with_the_page_and_its_text(outputs):
    data = answer(outputs["leak"])
    assert data["text/plain"].startswith("LEAK  checkout keeps ")
    assert "CACHE" in data["text/html"]
    (curve,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', data["text/html"])
    assert ">tolerance</text>" in base64.b64decode(curve).decode()
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", data["text/html"])


def test_a_cell_that_keeps_nothing_is_quiet_in_a_notebook_that_shows_progress(outputs):
    assert answer(outputs["clean"])["text/plain"].startswith("NO LEAK  the cell keeps less than ")


def test_ctrl_c_leaves_what_was_known_and_stops_the_cells_that_wait(outputs):
    shown, error = outputs["stopped"]
    assert "Interrupted after " in shown.data["text/plain"]
    assert "UsageError: Interrupted: the answer is what was known so far." in error.text
    jobs, first_floor, verdict, note = outputs["known"][0].text.splitlines()
    assert int(jobs) > int(first_floor) >= 0
    assert (verdict, note) == ("inconclusive", f"Interrupted after {jobs} jobs: what was known so far.")


def test_an_application_is_checked_by_the_line_magic(outputs):
    assert answer(outputs["service"])["text/plain"].startswith("NO LEAK  quiet:app keeps less than ")


@pytest.mark.parametrize("name", ["help", "help of the cell"])
def test_help_is_text_with_every_option(outputs, name):
    (said,) = outputs[name]
    assert said.output_type == "stream"
    assert said.text.startswith("usage: %%leakcheck" if "cell" in name else "usage: %leakcheck")
    for option in (
        "--tolerance BYTES",
        "--max-jobs",
        "--into VARIABLE",
        "--html FILE",
        "--json FILE",
        "--baseline FILE",
    ):
        assert option in said.text
    assert ("--request" in said.text) == (name == "help")


def test_the_files_are_those_of_the_command(outputs, folder):
    data = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    assert (data["schema"], data["target"], data["verdict"]) == ("labserver.check/1", "checkout", "leak")
    assert data["provenance"]["command"].startswith("%%leakcheck --html page.html ")
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "CACHE" in page
    assert answer(outputs["files"])["text/plain"].startswith("LEAK  checkout keeps ")


def test_what_a_baseline_accepts_is_said_and_a_dash_prints_the_data(outputs):
    shown, printed = outputs["accepted"]
    assert shown.data["text/plain"].startswith("LEAK, ACCEPTED"), shown.data["text/plain"]
    assert json.loads(printed.text)["accepted"] is True


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence_without_a_traceback(outputs, name):
    said = [output.text for output in outputs[name] if output.output_type == "stream"]
    assert said == [f"UsageError: {MISTAKES[name]}\n"]
    assert not [output for output in outputs[name] if output.output_type == "error"]
