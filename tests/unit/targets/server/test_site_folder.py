"""What a Python process is like that finds the folder first on its path."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from labserver.targets.server.gathering import Gathering
from labserver.targets.server.site_folder import SiteFolder

pytestmark = pytest.mark.linux("only there does an agent come by itself")
LOOK = """
import sys, threading, warnings
print(sorted(set(sys.path) & {folder!r}), "sitecustomize" in sys.modules, threading.active_count(), len(sys.meta_path))
print([name for name in sys.modules if name.startswith(("labserver", "numpy", "psutil"))], sys.argv[1:])
"""


@pytest.fixture
def folder():
    folder = SiteFolder()
    yield folder
    folder.close()
    assert not folder.meeting.parent.exists()


@pytest.fixture
def gathering(folder):
    gathering = Gathering(folder.meeting)
    yield gathering
    gathering.close()


def run(folder, code, *arguments, path=None, options=()):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *options, "-c", code, *arguments],
        env=environment | folder.environment(path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout, done.stderr


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def plain(code, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_a_process_is_as_without_it_and_imports_nothing_of_ours(folder, gathering):
    look = LOOK.replace("{folder!r}", repr({str(folder.meeting.parent)}))
    assert run(folder, look, "a") == (plain(look, "a"), "")
    assert gathering.present == set()  # it has ended


def test_without_anybody_to_meet_a_process_runs_all_the_same(folder):
    assert run(folder, "print('ran')") == ("ran\n", "")


@pytest.mark.usefixtures("gathering")
def test_a_sitecustomize_of_the_application_runs_as_ever(folder, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.customized = __file__\n")
    code = "import sys, sitecustomize; print(sys.customized, sitecustomize.__file__)"
    own = str(tmp_path / "sitecustomize.py")
    assert run(folder, code, path=str(tmp_path)) == (f"{own} {own}\n", "")


@pytest.mark.usefixtures("gathering")
@pytest.mark.parametrize("code", ["1 / 0", "import no_such_module"])
def test_a_sitecustomize_that_fails_is_told_of_as_ever(folder, tmp_path, code):
    (tmp_path / "sitecustomize.py").write_text(code)
    printed, errors = run(folder, "print('ran')", path=str(tmp_path))
    assert printed == "ran\n"
    assert errors.startswith("Error in sitecustomize; set PYTHONVERBOSE for traceback:\n")


def test_an_interpreter_that_lacks_what_the_agent_needs_is_left_alone(folder, gathering):
    file = folder.meeting.parent / "sitecustomize.py"
    file.write_text(f"import sys\nsys.modules['_socket'] = None\n{file.read_text()}")
    assert run(folder, "print('ran')") == ("ran\n", "")
    assert not gathering.has_met_any


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_an_isolated_interpreter_does_not_come(folder, gathering, option):
    assert run(folder, "print('ran')", options=[option]) == ("ran\n", "")
    assert not gathering.has_met_any


FORKING = """
import os, sys
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print("forked", flush=True)
sys.stdin.read()
os.wait()
"""


CLOSING = """
import os, sys, time
if os.fork() == 0:
    time.sleep({before_s})
    os.closerange(3, 200)
    kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]
    print("closed", flush=True)
    sys.stdin.read()
    print([os.fstat(one).st_rdev for one in kept] == [os.stat("/dev/null").st_rdev] * 20, flush=True)
    os._exit(0)
sys.stdin.read()
os.wait()
"""
INTERRUPTED = """
import signal
try:
    print("on", flush=True)
    signal.pause()
except KeyboardInterrupt:
    print("off")
"""


def start(folder, code):
    environment = os.environ | folder.environment(os.environ.get("PYTHONPATH"))
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_forked_process_comes_by_itself_and_each_answers(folder, gathering):
    with start(folder, FORKING) as process:
        assert process.stdout.readline() == "forked\n"
        (child,) = psutil.Process(process.pid).children()
        wait_for(lambda: gathering.present == {process.pid, child.pid})
        for pid in (process.pid, child.pid):
            agent = gathering.agent_of(pid)
            agent.lines.send({"command": "reading"})
            assert agent.lines.receive(60)["result"]["resident_bytes"] > 1_000_000
            agent.close()
        process.stdin.close()
        assert process.wait(30) == 0
    assert gathering.present == set()
    assert gathering.agent_of(process.pid) is None


@pytest.mark.parametrize("before_s", [0, 1])
def test_a_forked_process_that_closes_what_it_has_not_opened_comes_again_and_keeps_its_own(folder, gathering, before_s):
    with start(folder, CLOSING.format(before_s=before_s)) as process:
        assert process.stdout.readline() == "closed\n"
        (child,) = psutil.Process(process.pid).children()
        agent = gathering.agent_of(child.pid)
        agent.lines.send({"command": "reading"})
        assert agent.lines.receive(60)["result"]["resident_bytes"] > 1_000_000
        agent.close()
        process.stdin.close()
        assert process.stdout.readline() == "True\n"
        assert process.wait(30) == 0


@pytest.mark.usefixtures("gathering")
@pytest.mark.parametrize("warnings", ["default", "error"])
def test_a_fork_beside_the_thread_is_as_quiet_as_without(folder, warnings):
    code = "import os\nif os.fork() == 0:\n    os._exit(0)\nos.wait()\nprint('forked')"
    assert run(folder, code, options=["-W", warnings]) == ("forked\n", "")


def test_a_program_started_by_the_process_comes_too(folder, gathering):
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import sys; sys.stdin.read()'])"
    with start(folder, code) as process:
        wait_for(lambda: len(gathering.present) == 2)
        assert process.pid in gathering.present
        process.stdin.close()
        assert process.wait(30) == 0


def test_an_interrupt_reaches_the_process_and_not_the_agent(folder, gathering):
    with start(folder, INTERRUPTED) as process:
        assert process.stdout.readline() == "on\n"
        wait_for(lambda: gathering.present == {process.pid})
        psutil.Process(process.pid).send_signal(2)
        assert process.stdout.readline() == "off\n"
        assert process.wait(30) == 0
