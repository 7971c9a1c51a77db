"""An executed notebook as JupyterLab shows it to somebody who did not run it: an untrusted one."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from labserver.load.http import RequestRecord
from labserver.load.samples import Samples
from labserver.load.summarise import summarise

_WITHIN_S = 60  # for hangs only
_FIGURE = """\
from labserver.heap.chain import Chain, Link
from labserver.heap.edge import VALUE, attribute
from labserver.incident.experiments.leak.figures import chain_picture
from labserver.incident.experiments.notebook import Notebook
notebook = Notebook("02_shown", run_dir)
links = (Link(None, "module", "shop"), Link(attribute("STORE"), "dict", "dict"), Link(VALUE, "bytes", "bytes"))
notebook.show(chain_picture(Chain(links), title="Who holds the bytes"), "heap_over_time")"""
_PAGE = """\
from labserver.incident.postmortem.writeup import Writeup
Writeup(notebook.run_dir).show("discovery")"""
_ANSWER = """\
from labserver.diagnosis.result import CheckResult
from labserver.diagnosis.verdict import Verdict
from labserver.stats.interval import Interval
floors = tuple((jobs, 2000 * jobs) for jobs in (0, 100, 200))
name = "shop.applications.of_a_name_that_makes_lines_longer:create_app"
display(CheckResult(name, Verdict.LEAK, Interval(2e3, 1990, 2010, 0.99), 256, "traced", 200, 3.0, 0, floors))"""
_CLAIMS = """\
from labserver.suite.bound import at_most
from labserver.suite.declared import declares

@declares
def sizes(findings):
    findings.claim("small", 1, at_most(2))
    for number in range(6):
        findings.claim(f"a_claim_of_a_rather_long_name_{number}", 3, at_most(2, "as " + "so many words " * 9), unit="B")

notebook.conclude(sizes())"""
_TABLE = """\
import json
from pathlib import Path
from labserver.load import Summary, table
print("=" * table.LINE)
summary = Summary.from_dict(json.loads(Path("summary.json").read_text()))
print(summary.table())
display(summary)"""
# How high what stands in an element is, in lines, and how many lines were written.
_LINES = """pre => {
  const all = document.createRange();
  all.selectNodeContents(pre);
  const written = pre.textContent.replace(/\\n$/, "").split("\\n").length;
  return [Math.round(all.getBoundingClientRect().height / parseFloat(getComputedStyle(pre).lineHeight)), written];
}"""


def summary():
    """One whose every time is as long as a time gets, with some that never came."""
    samples = Samples()
    for name in ("submit", "status", "result"):
        for seconds in (0.0123, 0.0234, 0.456):
            samples.request(RequestRecord(name, 0.0, 0.0, 0.0, seconds, 0.0, seconds, 200, None, 100, 50))
    for seconds in (12.34, 23.45, 34.56):
        samples.iteration(seconds, ok=True)
    samples.iteration(1.0, ok=False)
    return summarise(samples, vus=5, elapsed_s=60.0, cpu_s=1.0, peak_rss=60_000_000)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A folder that holds nothing but a notebook that was run elsewhere: no figures beside it."""
    folder = tmp_path_factory.mktemp("project")
    parameters = new_code_cell('run_dir: str = ""', metadata={"tags": ["parameters"]})
    path = folder / "02_shown.ipynb"
    nbformat.write(
        new_notebook(cells=[parameters, *map(new_code_cell, (_FIGURE, _PAGE, _ANSWER, _TABLE, _CLAIMS))]), path
    )
    (folder / "summary.json").write_text(json.dumps(summary().to_dict()), encoding="utf-8")
    # Not in this process: the browser's event loop runs here.
    command = [sys.executable, "-m", "labserver", "run", str(path), "--output", str(folder / "runs")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "✗ a_claim_of_a_rather_long_name_0 = 3 B" in done.stdout
    (output,) = folder.glob("runs/*/02_shown.ipynb")
    return Path(shutil.copy(output, tmp_path_factory.mktemp("alone")))


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory, executed):
    """The address of a JupyterLab that has no settings, and no record of whom to trust."""
    home = tmp_path_factory.mktemp("home")
    folders = {name: str(home) for name in ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    folders |= {f"JUPYTERLAB_{name}_DIR": str(home / name) for name in ("SETTINGS", "WORKSPACES")}
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": "0",
        "ServerApp.allow_root": "True",
        "ServerApp.open_browser": "False",
        "ServerApp.root_dir": executed.parent,
        "IdentityProvider.token": "",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.news_url": "None",
        "KernelSpecManager.allowed_kernelspecs": "none",  # who looks at a notebook needs no kernel
    }
    command = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]
    environment = os.environ | folders | {"JUPYTER_RUNTIME_DIR": str(home / "runtime")}
    with (
        (home / "log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server,
    ):
        try:
            yield _address(server, home)
        finally:
            # Without kernels it has no children; asked to end, it may wait for a thread of its own for ever.
            server.kill()


def _address(server, home):
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        for told in (home / "runtime").glob("jpserver-*.json"):
            return json.loads(told.read_text(encoding="utf-8"))["url"]
        time.sleep(0.05)
    pytest.fail((home / "log").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def outputs(browser, jupyterlab, executed):
    """The notebook's page, in a window of the usual width that is high enough for all of it."""
    with browser.new_context(viewport={"width": 1280, "height": 4000}) as context:
        page = context.new_page()
        page.set_default_timeout(1000 * _WITHIN_S)
        page.goto(f"{jupyterlab}lab/tree/{executed.name}")
        page.locator(".jp-OutputArea-output pre", has_text="iteration_duration").last.wait_for()
        yield page


def test_each_figure_is_a_picture_also_in_the_pages_of_the_write_up(outputs, wait_until):
    found = ".jp-OutputArea-output img"
    here = f"[...document.querySelectorAll('{found}')]"
    outputs.wait_for_function(f"() => {here}.length == 3 && {here}.every(image => image.complete)")
    images = outputs.eval_on_selector_all(
        found, "all => all.map(image => [image.src.slice(0, 14), image.naturalWidth, image.clientWidth])"
    )
    # Twice as many pixels as it is wide, for dense screens.
    assert images == [["data:image/png", 1536, 768]] * 2 + [["data:image/svg", 760, 760]]
    # JupyterLab draws what is out of sight when it has the time.
    wait_until(lambda: "The leaky server's traced heap in time" in outputs.inner_text(".jp-Notebook"))
    assert "object>" not in outputs.inner_text(".jp-Notebook")


def test_the_summary_of_a_load_is_not_wrapped(outputs):
    found = outputs.locator(".jp-OutputArea-output pre", has_text="iteration_duration")
    assert found.count() == 2  # printed, and as a cell's value
    for table in found.all():
        shown, written = table.evaluate(_LINES)
        assert shown == written
        assert written > 15


def test_the_answer_of_a_check_is_not_wrapped(outputs):
    shown, written = outputs.locator(".labserver-check pre").evaluate(_LINES)
    assert shown == written
    assert written > 2


def test_a_claim_that_fails_is_a_row_of_a_table_and_one_sentence_whose_words_are_whole(outputs, wait_until):
    table = outputs.locator(".jp-OutputArea-output table").last
    rows = table.locator("tr")
    table.scroll_into_view_if_needed()
    wait_until(lambda: rows.nth(1).inner_text())
    assert rows.nth(1).inner_text().split("\t")[:3] == ["✗ fails", "a_claim_of_a_rather_long_name_0", "3"]
    assert rows.last.inner_text().startswith("✓ holds")
    assert table.evaluate("table => table.scrollWidth <= table.parentElement.clientWidth")
    error = outputs.locator(
        ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr'] pre, .jp-RenderedText pre"
    )
    said = error.filter(has_text="claims do not hold").last
    assert said.inner_text().replace("\n", " ").strip().endswith("a_claim_of_a_rather_long_name_3 and 2 more.")
    shown, written = said.evaluate(_LINES)
    assert shown == written
