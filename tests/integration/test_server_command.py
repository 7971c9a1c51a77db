"""Servers that fork as those of strangers do, started by their own command lines: all workers answer, and all end."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
import requests

from labserver.errors import CannotRun, UsageError
from labserver.targets.instrumented import Regrouped
from labserver.targets.server.server import Readiness, server

ROOT = Path(__file__).parents[2]
READY = Readiness(60.0)
pytestmark = [
    pytest.mark.usefixtures("shop"),
    pytest.mark.linux("only there does an agent come by itself"),
    pytest.mark.timeout(900),
]
# A master that forks its workers and starts another one in the place of one that has ended, as gunicorn does. The first
# worker ends after some requests, where these are not 0.
PREFORK = """
import os, signal, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
import work

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        number = Handler.number
        body = work.work(self.path, number).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        Handler.left -= 1
        if Handler.left == 0:
            os._exit(0)
    def log_message(self, *_):
        pass

def start(number):
    if os.fork() == 0:
        Handler.number, Handler.left = number, most if number == 0 else 0
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        server.serve_forever(0.02)

port, workers, most = map(int, sys.argv[1:4])
if "stubborn" in sys.argv:
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
server = HTTPServer(("127.0.0.1", port), Handler)
for number in range(workers):
    start(number)
started = workers
while True:
    os.wait()
    start(started)
    started += 1
"""
WORK = """
import os
KEPT, FIRST, CACHE = [], [], {}

def work(path, number):
    if path == "/leak":
        KEPT.append(b"x" * 20_000)
    if path == "/first" and number == 0:
        FIRST.append(bytes(20_000))
    if path == "/cache":
        CACHE[os.urandom(8)] = bytes(2_000)
        if len(CACHE) > 20:
            CACHE.pop(next(iter(CACHE)))
    return str(os.getpid())
"""


TASKS = """
import signal
KEPT = []
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
while True:
    signal.sigwait([signal.SIGUSR1])
    KEPT.append(bytes(9_000))
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    (tmp_path / "prefork.py").write_text(PREFORK)
    (tmp_path / "work.py").write_text(WORK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch, tmp_path):
    """Processes carry a temporary directory of the test's own, which is empty afterwards."""
    assert tmp_path.exists()  # made before, so that it lies outside
    with tempfile.TemporaryDirectory(prefix="lt-", dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield
        assert eventually(lambda: not processes_of(folder)), processes_of(folder)
        assert list(Path(folder).iterdir()) == []


def processes_of(folder):
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get("TMPDIR") == folder:
                found.append(process.cmdline())
    return found


def eventually(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def prefork(*arguments, python=sys.executable):
    return shlex.join([python, "prefork.py", "{port}", *map(str, arguments)])


def visit(target, path="/", times=1):
    """Visit it, and return how often each process has answered."""
    answers = {}
    for _ in range(times):
        pid = int(requests.get(target.url + path, headers={"Connection": "close"}, timeout=60).text)
        answers[pid] = answers.get(pid, 0) + 1
    return answers


def test_every_worker_is_asked_and_their_answers_are_one():
    with server(prefork(3, 0), ready=READY) as target:
        assert (target.instrumented, target.notes, target.processes) == (True, [], 3)
        assert set(target.pids) == {child.pid for child in psutil.Process(target.pid).children()}
        visit(target, times=30)
        target.floor()
        target.baseline()
        answered = visit(target, "/leak", times=40)
        growth = target.growth()
        holder = next(one for one in growth.holders if one.path == "module work → KEPT → […]")
        assert holder.items == 40
        assert {gain.pid: gain.items for gain in holder.workers if gain.items} == answered
        assert [gain.pid for gain in holder.workers] == list(target.pids)
        floor = target.floor()
        assert floor.processes == 3
        assert floor.heap_bytes > 3_000_000
        assert target.trace(5)
        visit(target, "/leak", times=20)
        assert "work.py:7 in work" in target.sites()[0].allocated_at


def test_workers_that_come_and_go_are_asked_anew():
    with server(prefork(2, 0), ready=READY) as target:
        before = target.pids
        target.baseline()
        psutil.Process(before[0]).kill()
        assert target.alive()
        with pytest.raises(Regrouped):
            target.growth()
        assert before[1] in target.pids
        assert len(set(target.pids) - set(before)) == 1
        target.baseline()
        assert target.growth().objects is not None


def test_one_worker_is_told_from_the_master_also_when_another_takes_its_place():
    with server(prefork(1, 0), ready=READY) as target:
        (worker,) = target.pids
        assert worker != target.pid
        psutil.Process(worker).kill()
        with pytest.raises(Regrouped):
            target.floor()
        assert target.pids not in {(worker,), (target.pid,)}
        assert int(requests.get(target.url, timeout=60).text) == target.pids[0]


def test_a_port_is_found_where_the_line_has_no_place_for_it(shop):
    (shop / "own.py").write_text("import sys; sys.argv[1:] = ['0', '2', '0']; exec(open('prefork.py').read())")
    with server(f"{sys.executable} own.py", ready=READY) as target:
        assert target.processes == 2
        assert set(visit(target, times=5)) <= set(target.pids)


def test_what_a_shell_or_another_program_starts_is_found():
    line = f"sh -c {shlex.quote('true; ' + prefork(2, 0) + '; true')}"
    with server(line, ready=READY) as target:
        assert target.instrumented
        assert target.processes == 2


def test_a_worker_without_a_port_is_ready_when_it_is_calm(shop):
    (shop / "tasks.py").write_text(TASKS)
    with server(f"{sys.executable} tasks.py", ready=Readiness(60.0, needs_port=False)) as target:
        assert target.pids == (target.pid,)
        target.floor()
        target.baseline()
        for _ in range(20):
            os.kill(target.pid, signal.SIGUSR1)
            time.sleep(0.02)
        assert next(one for one in target.growth().holders if one.path.startswith("module __main__ → KEPT")).items > 5


def test_a_path_that_is_asked_for_is_waited_for(shop):
    (shop / "slow.py").write_text(
        PREFORK.replace(
            "self.send_response(200)", "self.send_response(200 if time.time() > begun + 3 else 503)"
        ).replace("import work\n", "import work\nbegun = time.time()\n")
    )
    line = prefork(1, 0).replace("prefork.py", "slow.py")
    with server(line, ready=Readiness(60.0, path="/health")) as target:
        assert requests.get(target.url, timeout=60).status_code == 200


def test_a_process_that_did_not_come_is_measured_from_outside_and_the_answer_says_so():
    helper = shlex.join([sys.executable, "-c", "import time; time.sleep(1)"])
    isolated = f"{shlex.quote(sys.executable)} -E prefork.py $0 2 0"
    line = f"sh -c {shlex.quote(f'{helper}; exec {isolated}')} {{port}}"
    with server(line, ready=READY) as target:
        assert not target.instrumented
        assert "Not all processes that serve could be looked into" in target.notes[0]
        assert target.floor().private_bytes > 1_000_000


@pytest.mark.parametrize(
    ("line", "kind", "sentence"),
    [
        ("{python} -c 'print(1 / 0)'", CannotRun, "ended by itself (exit status 1); its last output: "),
        ("{python} -c 'import sys; print(sys.argv[5])'", CannotRun, "IndexError: list index out of range"),
        ("{python} -c 'import time; time.sleep(600)'", CannotRun, "did not listen on any port within 4 s"),
        ("sleep 600", CannotRun, "did not listen on any port within 4 s"),
        ("{python} prefork.py 0 1 0 {{port}}", CannotRun, "did not listen on {port} within 4 s, but on "),
        ("{python} -I -m http.server {{port}} --bind 127.0.0.1", UsageError, "no Python process that labserver could"),
    ],
)
def test_what_does_not_serve_is_one_sentence(line, kind, sentence):
    with pytest.raises(kind) as caught, server(line.format(python=sys.executable), ready=Readiness(4.0)):
        pass
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_port_that_is_taken_is_said_to_be():
    with server(prefork(1, 0), ready=READY) as target:
        line = f"{sys.executable} prefork.py {target.url.rpartition(':')[2]} 1 0"
        with (
            pytest.raises(UsageError, match=r"wants a port that is taken: write \{port\} in its place"),
            server(line, ready=READY),
        ):
            pass


def test_what_ignores_its_end_ends_all_the_same():
    with server(prefork(2, 0, "stubborn"), ready=READY) as target:
        pids = {target.pid, *target.pids}
    assert eventually(lambda: not any(map(psutil.pid_exists, pids)))


def check(*arguments, line):
    return subprocess.Popen(
        [sys.executable, "-m", "labserver", "check", "--command", line, "--quiet", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def serving(pid):
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "prefork.py" in process.cmdline():
                found.append(process.pid)
    return found


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9), (signal.SIGTERM, -15)])
def test_no_process_is_left_however_the_check_ends(number, status):
    with check("--request", "GET /leak", line=prefork(2, 0, "stubborn")) as process:
        assert eventually(lambda: len(serving(process.pid)) == 3)
        time.sleep(1)
        process.send_signal(number)
        process.communicate(timeout=120)
        assert process.returncode == status
    # What is left is found, and said, by the fixture.


def test_check_says_who_leaks_in_each_worker():
    with check("--request", "GET /leak", "--fast", "--json", "-", line=prefork(2, 0)) as process:
        told = json.loads(process.communicate(timeout=600)[0])
        assert process.returncode == 1
    assert (told["verdict"], told["target"]) == ("leak", prefork(2, 0))
    (holder, *_) = told["holders"]
    assert holder["path"] == "module work → KEPT → […]"
    assert holder["allocated_at"][0] == "work.py:7 in work"
    assert len(holder["workers"]) == 2
    assert sum(gain["items"] for gain in holder["workers"]) == pytest.approx(holder["items"], abs=5)
    assert told["bytes_per_job"]["estimate"] == pytest.approx(20_000, rel=0.1)
    assert any("2 processes serve together" in note for note in told["notes"])


def test_check_says_which_worker_alone_leaks():
    with check("--request", "GET /first", "--fast", "--json", "-", line=prefork(2, 0)) as process:
        told = json.loads(process.communicate(timeout=600)[0])
        assert process.returncode == 1
    (holder, *_) = told["holders"]
    assert holder["path"] == "module work → FIRST → […]"
    assert min(gain["items"] for gain in holder["workers"]) == 0


def test_a_bounded_cache_in_each_worker_is_no_leak():
    with check("--request", "GET /cache", "--fast", line=prefork(2, 0)) as process:
        said, errors = process.communicate(timeout=600)
        assert process.returncode == 0, said + errors
    assert said.startswith("NO LEAK")


def test_a_worker_that_is_replaced_in_the_midst_is_no_leak_and_no_error():
    with check("--request", "GET /cache", "--fast", "--json", "-", line=prefork(2, 200)) as process:
        said, errors = process.communicate(timeout=900)
    told = json.loads(said)
    assert (told["verdict"], told["holders"]) == ("no-leak", []), errors
    assert any("took the place of some that served" in note for note in told["notes"])
