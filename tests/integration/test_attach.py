"""A process that is attached to is never harmed: the soak's circumstances, with few rounds each, and failures."""

import contextlib
import importlib.util
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from labserver.heap.file import HeapFile
from labserver.targets.attach.attached import attach
from labserver.targets.attach.refusal import CannotAttach, NotAttachable
from labserver.targets.target import open_target

pytestmark = [pytest.mark.linux("only there is an agent put into a process"), pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
SOAK = ROOT / "tests" / "soak" / "attach.py"
spec = importlib.util.spec_from_file_location("attach_soak", SOAK)
soak = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = soak  # where a dataclass looks for its module
spec.loader.exec_module(soak)


@pytest.fixture(autouse=True)
def own_labserver(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def own_folder(monkeypatch):
    """A folder for short-lived things, in which nobody else meets."""
    with tempfile.TemporaryDirectory(prefix="lt-", dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def eventually(condition, within_s=60.0):
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("circumstance", soak.CIRCUMSTANCES)
def test_attaching_harms_nothing_and_the_agent_is_gone_afterwards(circumstance):
    outcome = soak.attach_to(sys.executable, circumstance, rounds=3, looks_every=3)
    assert (outcome.wrong, outcome.rounds) == ([], 3)


RIGHT = dict.fromkeys(soak.SAME, 1) | {"threads": 1}
AFTER = RIGHT | {"rounds": 5, "wrong": 0, "seen": None, "signals": 3, "workers": 0}


@pytest.mark.parametrize("name", [*soak.SAME, "threads", "wrong", "signals"])
def test_whatever_is_wrong_is_told(name):
    assert list(soak.faults(RIGHT, AFTER, 0, "", 3)) == []
    assert len(list(soak.faults(RIGHT, AFTER | {name: 2}, 0, "", 3))) == 1
    assert len(list(soak.faults(RIGHT, AFTER, -11, "", 3))) == 1
    assert len(list(soak.faults(RIGHT, AFTER, 0, "Traceback", 3))) == 1


def waits_in_c(process):
    """Whether its main thread stands in the call of the kernel that pause(3) makes; see proc_pid_syscall(5)."""
    return Path(f"/proc/{process.pid}/syscall").read_text().split()[0] in {"34", "73"}  # x86-64, aarch64


def test_a_main_thread_that_waits_for_ever_is_one_sentence_and_what_comes_late_does_nothing(own_folder):
    with soak.running(sys.executable, "blocked") as (process, before):
        assert eventually(lambda: waits_in_c(process))
        for _ in range(2):
            with pytest.raises(CannotAttach, match=rf"process {process.pid} ran no Python code within 0.5 s") as caught:
                attach(process.pid, 0.5)
            assert "--attach-timeout" in str(caught.value)
        after, code, said = soak.ended(process)  # which lets the main thread run what is pending
    assert list(soak.faults(before, after | {"rounds": 1}, code, said, 0)) == []
    assert list(own_folder.iterdir()) == []


def test_a_wait_that_is_longer_than_the_patience_is_not_cut_short_and_the_next_attempt_succeeds():
    with soak.running(sys.executable, "spans") as (process, before):
        assert any(is_refused(process, 0.2) for _ in range(40))  # now and then the wait has just ended
        assert soak.visit(process.pid, looks=1) is None or sys.version_info < (3, 14)
        after, code, said = soak.ended(process)
    assert list(soak.faults(before, after, code, said, 0)) == []


def is_refused(process, within_s):
    """Whether no agent gets into it so soon."""
    try:
        attach(process.pid, within_s).close()
    except CannotAttach as error:
        return "ran no Python code within" in str(error)
    return False


def test_two_checks_at_once_are_one_too_many():
    with soak.running(sys.executable, "idle") as (process, _):
        first = attach(process.pid, 60)
        with pytest.raises(CannotAttach, match="another check is in this process"):
            attach(process.pid, 60)
        first.close()
        assert soak.visit(process.pid, looks=0) is None or sys.version_info < (3, 14)


def test_threads_that_numpy_starts_when_it_is_loaded_are_ended_also_without_a_look():
    with soak.running(sys.executable, "idle") as (process, before):
        attached = attach(process.pid, 60)
        soak.ask(attached.lines, "collect")  # which has the instruments imported
        attached.close()
        assert eventually(lambda: psutil.Process(process.pid).num_threads() == before["threads"])
        after, code, said = soak.ended(process)
    assert list(soak.faults(before, after, code, said, 0)) == []


@contextlib.contextmanager
def started(*command):
    """A process for the length of the block, also where that fails."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_checker_that_is_killed_leaves_no_agent():
    code = """
import sys, time
from labserver.targets.attach.attached import attach
attached = attach(int(sys.argv[1]), 60)
print("there", flush=True)
time.sleep(60)
"""
    with soak.running(sys.executable, "idle") as (process, before):
        with started(sys.executable, "-c", code, str(process.pid)) as checker:
            assert checker.stdout.readline() == "there\n"
            assert psutil.Process(process.pid).num_threads() > before["threads"]
        assert eventually(lambda: psutil.Process(process.pid).num_threads() == before["threads"])
        after, exit_code, said = soak.ended(process)
    assert list(soak.faults(before, after, exit_code, said, 0)) == []


def test_a_fork_that_came_between_does_not_let_the_agent_into_the_child():
    code = """
import ctypes, os, sys, time
print("ready", flush=True)
ctypes.CDLL(None).usleep(700_000)  # what is pending waits for it
pid = ctypes.PyDLL(None).fork()
if pid == 0:
    time.sleep(0.5)
    os._exit(len(os.listdir("/proc/self/task")))
time.sleep(0.1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
while True:
    time.sleep(0.01)
"""
    with started(sys.executable, "-c", code) as process:
        assert process.stdout.readline() == "ready\n"
        attached = attach(process.pid, 60)
        assert process.stdout.readline() == "1\n"
        attached.close()


def test_a_stopped_process_and_one_that_is_no_python_are_refused_untouched():
    with soak.running(sys.executable, "idle") as (process, before):
        process.send_signal(signal.SIGSTOP)
        assert eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        with pytest.raises(NotAttachable, match="is stopped: continue it first"):
            attach(process.pid, 5)
        process.send_signal(signal.SIGCONT)
        after, code, said = soak.ended(process)
        assert list(soak.faults(before, after, code, said, 0)) == []
    with started("sleep", "60") as process, pytest.raises(NotAttachable, match="runs no CPython"):
        attach(process.pid, 5)
    with pytest.raises(NotAttachable, match="has ended"):
        attach(process.pid, 5)


SERVICE = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    kept = []
    def do_GET(self):
        self.kept.append(bytes(20_000))
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def service():
    with started(sys.executable, "-c", SERVICE) as process:
        yield process, int(process.stdout.readline())


@pytest.mark.parametrize("spelling", ["http://127.0.0.1:{port}", "pid:{pid}"])
def test_a_target_gets_every_instrument_and_is_as_before_afterwards(service, spelling):
    process, port = service
    with open_target(spelling.format(port=port, pid=process.pid), attach_s=60) as target:
        assert (target.instrumented, target.notes) == (True, [])
        assert target.floor().heap_bytes
        assert target.baseline().objects > 1000
    assert eventually(lambda: psutil.Process(process.pid).num_threads() == 1)
    with open_target(f"pid:{process.pid}") as target:
        assert not target.instrumented


def labserver(*arguments):
    return subprocess.run([sys.executable, "-m", "labserver", *arguments], capture_output=True, text=True, check=False)


def test_a_check_names_the_holder_in_a_service_that_knows_nothing_of_it(service):
    process, _ = service
    done = labserver(
        "check", f"pid:{process.pid}", "--request", "GET /work", "--quiet", "--fast", "--attach-timeout", "2m"
    )
    assert done.returncode == 1, done.stderr
    assert "Handler.kept" in done.stdout
    assert process.poll() is None


def test_without_it_a_check_is_from_outside(service):
    process, _ = service
    done = labserver(
        "check", f"pid:{process.pid}", "--request", "GET /work", "--quiet", "--fast", "--no-attach", "--max-jobs", "50"
    )
    assert "was read from outside" in " ".join(done.stdout.split()), done.stderr
    assert "Handler.kept" not in done.stdout


def test_a_blocked_main_thread_ends_a_check_with_125_and_a_watch_goes_on_from_outside():
    code = SERVICE.replace(
        "server.serve_forever()",
        "import ctypes, threading\nthreading.Thread(target=server.serve_forever).start()\nctypes.CDLL(None).pause()",
    )
    with started(sys.executable, "-c", code) as process:
        process.stdout.readline()
        assert eventually(lambda: waits_in_c(process))
        done = labserver("check", f"pid:{process.pid}", "--request", "GET /", "--quiet", "--attach-timeout", "0.5")
        assert done.returncode == 125
        assert "ran no Python code within 0.5 s" in done.stderr
        assert done.stderr.endswith("; --no-attach measures it from outside.\n")
        assert done.stderr.count("\n") == 1
        watched = labserver(
            "watch", str(process.pid), "--duration", "0.2", "--interval", "0.1", "--attach-timeout", "0.5"
        )
        assert watched.returncode == 0
        assert "from outside. The main thread" in watched.stdout


def test_a_heap_is_saved_of_a_process_that_knows_nothing_of_it(tmp_path):
    file = tmp_path / "idle.heap"
    with soak.running(sys.executable, "idle") as (process, before):
        done = labserver("heap", "save", f"pid:{process.pid}", "-o", str(file), "--attach-timeout", "2m")
        assert done.returncode == 0, done.stderr
        assert eventually(lambda: psutil.Process(process.pid).num_threads() == before["threads"])
        after, code, said = soak.ended(process)
    assert list(soak.faults(before, after, code, said, 0)) == []
    heap = HeapFile(file)
    assert heap.about.pid == process.pid
    assert "module __main__ → ending → Event" in {row["path"] for row in heap.paths("Event")}


def test_no_heap_is_saved_where_the_main_thread_is_blocked(tmp_path):
    file = tmp_path / "blocked.heap"
    with soak.running(sys.executable, "blocked") as (process, _):
        assert eventually(lambda: waits_in_c(process))
        done = labserver("heap", "save", f"pid:{process.pid}", "-o", str(file), "--attach-timeout", "500ms")
    assert done.returncode == 3
    assert "ran no Python code within 0.5 s" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_watch_reads_the_heap_of_a_process_that_knows_nothing_of_it():
    with soak.running(sys.executable, "idle") as (process, before):
        for arguments, inside in ((("--attach-timeout", "2m"), True), (("--no-attach",), False)):
            done = labserver("watch", f"pid:{process.pid}", "--duration", "0.2", "--interval", "0.1", *arguments)
            assert done.returncode == 0
            assert ("instruments put into it" in done.stdout) == inside
            assert ("heap" in done.stdout) == inside
        after, code, said = soak.ended(process)
    assert list(soak.faults(before, after, code, said, 0)) == []
