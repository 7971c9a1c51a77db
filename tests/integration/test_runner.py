"""Notebooks that fail in every way there is: what is left says so, and nothing else is left."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.execute import ERROR_MARKER_TAG

from labserver.suite.runner import run_suite

PARAMETERS = 'run_dir: str = ""\nusers: int = 5  # virtual users [1, 100]'
OPEN = """\
from labserver.suite.findings import Findings, run_directory
run = run_directory(run_dir)
findings = Findings(run, notebook={name!r})"""
# A child that left its parent's session, as a daemon does.
CHILD = """\
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)"""
WAIT = "import time\nwhile True:\n    time.sleep(0.1)"
LABSERVER = [sys.executable, "-c", "import sys; from labserver.cli import main; sys.exit(main())"]


def write(folder, name, *sources):
    folder.mkdir(exist_ok=True)
    cells = [new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), new_markdown_cell("# Load the server")]
    cells += [new_code_cell(source.replace("{name!r}", repr(name))) for source in (OPEN, *sources)]
    path = folder / f"{name}.ipynb"
    # No kernel is named, as in a notebook stripped of its metadata.
    nbformat.write(new_notebook(cells=cells), path)
    return path


def statuses(notebook):
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell.metadata.papermill.status for cell in codes]


def assert_marked(path, ename, message):
    """The failing cell, those after it, the notebook, the banner and the anchor all say it, each once."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    states = statuses(notebook)
    failed = states.index("failed")
    assert states == ["completed"] * failed + ["failed"] + ["pending"] * (len(states) - failed - 1)
    assert "pending" in states
    cell = [cell for cell in notebook.cells if cell.cell_type == "code"][failed]
    assert [output.ename for output in cell.outputs if output.output_type == "error"] == [ename]
    assert notebook.metadata.papermill.exception is True
    marks = [i for i, c in enumerate(notebook.cells) if ERROR_MARKER_TAG in c.metadata.get("tags", [])]
    assert marks == [0, notebook.cells.index(cell) - 1]
    banner = notebook.cells[0].source
    assert message in banner
    assert "(#papermill-error-cell)" in banner
    return banner, cell


def processes_with(marker):
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("TOY_MARKER") == marker:
                found.append(process)
    return found


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A temporary folder of its own, so that whatever a kernel leaves in it is seen."""
    folder = tmp_path_factory.mktemp("scratch")
    previous, tempfile.tempdir = tempfile.tempdir, str(folder)
    yield folder
    tempfile.tempdir = previous


@pytest.fixture(scope="module")
def everything(tmp_path_factory, scratch):  # noqa: ARG001 - the kernels' files go there
    """One run of a notebook of each kind, the good one last; with the lines that it echoed."""
    root = tmp_path_factory.mktemp("lab")
    folder = root / "notebooks"
    notebooks = [
        write(
            folder,
            "01_claim",
            "from labserver.suite.bound import at_most\n"
            "findings.claim('leak_bytes', 3.5, at_most(1), unit='B/job')\nfindings.check()",
            "1",
        ),
        write(folder, "02_error", "1 / 0", "1"),
        write(
            folder,
            "03_dead",
            CHILD,
            "import os\n(run / 'pid').write_text(str(child.pid))\n"
            "_ = (run / 'curves' / '03_toy.csv').write_text('jobs,bytes\\n1,10\\n2,20\\n3')\n"
            "_ = os.system('echo last words')",
            "os.kill(os.getpid(), 9)",
            "1",
        ),
        write(folder, "04_endless", CHILD + "\n(run / 'pid4').write_text(str(child.pid))", WAIT, "1"),
        write(folder, "05_leaves", "import sys\nsys.exit()", "1"),
        write(folder, "06_unchecked", "findings.record('forgotten', 1, holds=False)"),
        write(
            folder,
            "07_good",
            "import os, sys\n"
            "seen = [sys.executable, os.getcwd(), os.environ['LABSERVER_RUN_DIR'], str(users)]\n"
            "_ = (run / 'seen.txt').write_text('|'.join(seen))",
            "from labserver.suite.bound import at_most\nfindings.record('plain', 1, holds=True)\n"
            "findings.claim('fine', 1, at_most(1), evidence=['seen.txt'])\nfindings.check()",
        ),
    ]
    lines = []
    result = run_suite(
        notebooks,
        parameters={"users": "7"},
        profile=None,
        output_root=root / "runs",
        deadline_s=20,  # a kernel takes its time to start on a busy machine
        echo=lines.append,
    )
    return result, lines


def named(everything, name):
    return next(notebook for notebook in everything[0].notebooks if notebook.name == name)


def test_later_notebooks_run_and_what_could_not_run_wins(everything):
    result, _ = everything
    assert [notebook.status.value for notebook in result.notebooks] == [
        "claim-failed",
        "error",
        "dead-kernel",
        "timeout",
        "error",
        "claim-failed",
        "passed",
    ]
    assert result.exit_code == 3


def test_a_good_notebook_ran_in_this_python_in_its_folder_and_is_unmarked(everything):
    result, lines = everything
    seen = (result.run_dir / "seen.txt").read_text().split("|")
    assert seen == [sys.executable, str(named(everything, "07_good").source.parent), str(result.run_dir), "7"]
    notebook = nbformat.read(result.run_dir / "07_good.ipynb", as_version=4)
    assert set(statuses(notebook)) == {"completed"}
    assert not notebook.metadata.papermill.exception
    assert not any(ERROR_MARKER_TAG in cell.metadata.get("tags", []) for cell in notebook.cells)
    assert str(result.run_dir) not in (result.run_dir / "07_good.ipynb").read_text()
    assert any(line.startswith("07_good  cell 5/5  Load the server  ") for line in lines)
    assert lines[-1].startswith("07_good  passed  ")
    assert lines[-1].endswith("  1 claim holds")


def test_a_claim_that_does_not_hold(everything):
    message = "leak_bytes = 3.5 B/job, claimed: at most 1"
    assert_marked(named(everything, "01_claim").output, "ClaimFailed", message)
    assert named(everything, "01_claim").cell == 4
    assert [f.value for f in named(everything, "01_claim").findings] == [3.5]


def test_an_ordinary_error(everything):
    assert_marked(named(everything, "02_error").output, "ZeroDivisionError", "ZeroDivisionError in cell 4")


def test_a_dead_kernel_is_marked_where_it_died_with_log_and_readings(everything):
    result = named(everything, "03_dead")
    banner, cell = assert_marked(result.output, "DeadKernel", "The kernel died in cell 6 (SIGKILL)")
    assert cell.source == "os.kill(os.getpid(), 9)"
    assert cell.execution_count == 6
    assert "    last words" in banner
    assert "    jobs,bytes\n    2,20" in banner


def test_a_deadline_ends_an_endless_cell(everything):
    result = named(everything, "04_endless")
    assert_marked(result.output, "DeadlinePassed", "The deadline of 20 s passed in cell 5")
    assert result.seconds >= 20


def test_a_notebook_that_ends_itself_is_no_success(everything):
    path = named(everything, "05_leaves").output
    notebook = nbformat.read(path, as_version=4)
    assert "ended itself in cell 4" in notebook.cells[0].source
    assert statuses(notebook)[-2:] == ["failed", "pending"]


def test_a_claim_that_was_not_checked_is_no_success(everything):
    notebook = nbformat.read(named(everything, "06_unchecked").output, as_version=4)
    assert "forgotten = 1" in notebook.cells[0].source
    assert notebook.metadata.papermill.exception is True


def test_no_kernel_no_child_and_no_file_of_theirs_is_left(everything, scratch):
    run_dir = everything[0].run_dir
    for name in ("pid", "pid4"):
        with contextlib.suppress(psutil.NoSuchProcess):  # or ended, and not yet reaped by whoever adopted it
            assert psutil.Process(int((run_dir / name).read_text())).status() == psutil.STATUS_ZOMBIE
    assert not psutil.Process().children(recursive=True)
    assert list(scratch.iterdir()) == []


def test_the_whole_run_is_recorded(everything):
    result, _ = everything
    provenance = json.loads((result.run_dir / "provenance.json").read_text())
    assert provenance["ended"] is not None
    assert provenance["parameters"]["07_good"] == {"users": 7}
    assert [f["name"] for f in json.loads((result.run_dir / "findings.json").read_text())["findings"]] == [
        "leak_bytes",
        "forgotten",
        "fine",
        "plain",
    ]


@pytest.fixture
def labserver(tmp_path):
    """Start `labserver run` in an empty project; afterwards end all that carries its marker."""
    marker = tmp_path.name
    (tmp_path / "tmp").mkdir()

    def start(*arguments):
        environment = os.environ | {"TOY_MARKER": marker, "TMPDIR": str(tmp_path / "tmp"), "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(
            [*LABSERVER, "run", *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    yield start
    for process in processes_with(marker):
        process.kill()


@pytest.mark.parametrize("arguments", [("-p", "user", "5"), ("-p", "users", "many"), ("-p", "users", "101"), ("3",)])
def test_a_wrong_argument_starts_nothing(labserver, tmp_path, arguments):
    path = write(tmp_path / "notebooks", "02_toy", f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    assert path.exists()
    process = labserver(*arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.startswith("labserver: ")
    assert errors.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notebooks", "tmp"]


def test_a_failed_claim_is_exit_code_1_with_reports(labserver, tmp_path):
    imports = "from labserver.stats.interval import Interval\nfrom labserver.suite.bound import at_most"
    claim = f"{imports}\nfindings.claim('a', Interval(2, 1.5, 2.5, 0.99), at_most(1), unit='s')\nfindings.check()"
    write(tmp_path / "notebooks", "02_toy", claim)
    write(tmp_path / "notebooks", "03_toy", "findings.record('b', 1, holds=True)\nfindings.check()")
    process = labserver()
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (1, "")
    (run_dir,) = (tmp_path / "outputs" / "runs").iterdir()
    assert f"Run directory: {run_dir}" in output
    # Once when its notebook ends, and again at the end of the run: much may come between.
    lines = output.splitlines()
    closing = [number for number, line in enumerate(lines) if line.startswith("02_toy  claim-failed  ")]
    assert [lines[number + 1] for number in closing] == ["  ✗ a = 2 (1.5 to 2.5) s, claimed: at most 1"] * 2
    assert closing[-1] == len(lines) - 2
    for name in ("02_toy.ipynb", "03_toy.ipynb", "findings.json", "junit.xml", "provenance.json", "logs/02_toy.log"):
        assert f"  {name}\n" in output


def running(labserver, folder, *sources):
    """A run whose second-last cell is being executed, with a child of the kernel."""
    write(folder / "notebooks", "02_toy", CHILD, *sources, "1")
    write(folder / "notebooks", "03_toy", "1")
    process = labserver()
    wait_for(lambda: list(folder.rglob("started")))
    assert len(processes_with(folder.name)) == 3
    return process


START = "(run / 'started').touch()\n"
TIDY = f"{START}try:\n    import time\n    time.sleep(600)\nfinally:\n    (run / 'tidied').touch()"
DEAF = f"{START}import time\nwhile True:\n    try:\n        time.sleep(600)\n    except BaseException:\n        pass"


@pytest.mark.parametrize(
    ("send", "name"),
    [
        (lambda process: os.kill(process.pid, signal.SIGINT), "SIGINT"),
        (lambda process: os.killpg(process.pid, signal.SIGINT), "SIGINT"),
        (lambda process: os.kill(process.pid, signal.SIGTERM), "SIGTERM"),
    ],
    ids=["alone", "group", "term"],
)
def test_an_interrupt_ends_all_and_marks_the_cell(labserver, tmp_path, send, name):
    process = running(labserver, tmp_path, TIDY)
    send(process)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert "02_toy  interrupted  " in output
    assert "03_toy  not-run  " in output
    (run_dir,) = (tmp_path / "outputs" / "runs").iterdir()
    assert (run_dir / "tidied").exists()
    assert_marked(run_dir / "02_toy.ipynb", "KeyboardInterrupt", f"{name} interrupted the run in cell 5")
    assert (run_dir / "junit.xml").exists()
    assert processes_with(tmp_path.name) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_deaf_cell_is_killed_at_the_second_interrupt(labserver, tmp_path):
    process = running(labserver, tmp_path, DEAF)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    (run_dir,) = (tmp_path / "outputs" / "runs").iterdir()
    assert_marked(run_dir / "02_toy.ipynb", "Interrupted", "SIGINT interrupted the run in cell 5")
    assert processes_with(tmp_path.name) == []


def test_the_kernel_follows_a_killed_runner(labserver, tmp_path):
    process = running(labserver, tmp_path, TIDY)
    kernels = [p for p in psutil.Process(process.pid).children() if "ipykernel_launcher" in p.cmdline()]
    assert len(kernels) == 1
    process.kill()
    process.communicate(timeout=60)
    wait_for(lambda: not kernels[0].is_running() or kernels[0].status() == psutil.STATUS_ZOMBIE)


def test_a_foreign_kernel_specification_and_startup_files_stay_out(labserver, tmp_path, monkeypatch):
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps({"argv": ["false"], "display_name": "x", "language": "python"}))
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("disturbed = True")
    (tmp_path / "rc.py").write_text("disturbed = True")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "rc.py"))
    check = "findings.record('a', 1, holds='disturbed' not in globals())\nfindings.check()"
    write(tmp_path / "notebooks", "02_toy", check)
    process = labserver("2")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert not (tmp_path / "ipython" / "profile_default" / "history.sqlite").exists()


def test_the_run_directory_name_sorts_by_time(everything):
    stamp, suffix = everything[0].run_dir.name.split("-")
    assert stamp == f"{everything[0].started:%Y%m%dT%H%M%SZ}"
    assert len(suffix) == 6
    assert Path(everything[0].run_dir).parent.name == "runs"
