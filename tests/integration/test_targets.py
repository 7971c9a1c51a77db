"""Applications and services as strangers write them: put under load, or refused in one sentence, with nothing left."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
import requests

from labserver.diagnosis.instruments import COMMANDS
from labserver.errors import CannotRun
from labserver.load import virtual_users
from labserver.processes.leftovers import TARGET
from labserver.targets.instrumented import Regrouped
from labserver.targets.target import open_target
from labserver.targets.visited import NotInstrumented

ROOT = Path(__file__).parents[2]
APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b'{"ok": true}']
"""
ASGI = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
"""
LIVING = """
from pathlib import Path
here = Path.cwd()
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        assert await receive() == {"type": "lifespan.startup"}
        scope["state"].update(name=b"shop", kept=[])
        await send({"type": "lifespan.startup.complete"})
        assert await receive() == {"type": "lifespan.shutdown"}
        (here / "ended").touch()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        scope["state"]["kept"].append(bytes(5000))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["state"]["name"]})
"""
UNBORN = """
async def failed(scope, receive, send):
    await receive()
    message = "Traceback:\\n  File x\\nOSError: no database.\\n"
    await send({"type": "lifespan.startup.failed", "message": message})
async def silent(scope, receive, send):
    await send({"type": "lifespan.startup.failed"})
async def served(scope, receive, send):
    if scope["type"] == "lifespan":
        raise OSError("no\\nlifespan.")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
async def exits(scope, receive, send):
    raise SystemExit(3)
"""
NO_UVICORN = "import sys\nsys.modules['uvicorn'] = None\n"
APPS = {
    "package/__init__.py": "",
    "package/tools.py": "",
    "package/web/__init__.py": "from .. import tools\n",
    "package/web/wsgi.py": "from ..tools import __name__\n" + APP,
    "namespace/deep/wsgi.py": APP,
    "shadows/numpy.py": "raise RuntimeError('this is not the numpy that the instruments need')",
    "shadows/requests.py": "raise RuntimeError('nor these the requests of the users')",
    "django_like.py": f"{APP}\nclass Handler:\n    def __call__(self, environ, start_response):\n"
    "        return app(environ, start_response)\n\napplication = Handler()\n",
    "changes_directory.py": "import os\nos.chdir('/')\n" + APP,
    "handles_signals.py": "import signal\nfor name in ('SIGTERM', 'SIGINT', 'SIGCHLD', 'SIGHUP'):\n"
    "    signal.signal(getattr(signal, name), signal.SIG_IGN)\n" + APP,
    "starts_threads.py": "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n" + APP,
    "configures_logging.py": "import logging.config\n"
    "logging.config.dictConfig({'version': 1, 'root': {'level': 'DEBUG'}})\n" + APP,
    "parses_arguments.py": "import argparse\nargparse.ArgumentParser().parse_args()\n" + APP,
    "prints.py": "print('x' * 10_000_000)\n" + APP,
    "closes_output.py": "import os\nos.close(1)\nos.close(2)\n" + APP,
    "no_collector.py": "import gc, sys\ngc.disable()\ngc.freeze()\nsys.setswitchinterval(1e-6)\n" + APP,
    "few_descriptors.py": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n" + APP,
    "processes.py": "from multiprocessing import Pool\n\ndef same(x):\n    return x\n\npool = Pool(2)\n"
    + APP.replace("    start", "    assert pool.map(same, [1, 2]) == [1, 2]\n    start"),
    "daemons.py": "import os, subprocess, time\nsubprocess.Popen(['setsid', 'sleep', '600'])\n"
    "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)\nos.wait()\n"
    + APP,
    "asgi.py": ASGI,
    "living.py": LIVING,
    "unborn.py": UNBORN,
    "bridged_living.py": NO_UVICORN + LIVING,
    "bridged_unborn.py": NO_UVICORN + UNBORN,
    "lone_asgi.py": NO_UVICORN + "sys.modules['a2wsgi'] = None\n" + ASGI,
    "is_patched.py": "import sys, types\nsys.modules['gevent.monkey'] = types.ModuleType('gevent.monkey')\n"
    "sys.modules['gevent.monkey'].is_module_patched = lambda name: name == 'threading'\n" + APP,
    "interrupts.py": "raise KeyboardInterrupt",
    "crashes.py": "import ctypes\nprint('the last words', flush=True)\nctypes.string_at(0)",
    "never_returns.py": "import time\n\ndef serve():\n    time.sleep(600)\n\nserve()",
    "own/platform.py": APP,
    "tabnanny.py": APP,  # the standard library has one too
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    for name, code in APPS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(code)
    return folder


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch):
    """Processes carry a temporary directory of the test's own, which is empty afterwards."""
    with tempfile.TemporaryDirectory(prefix="lt-", dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.delenv("PYTHONPATH", raising=False)
        yield
        assert eventually(lambda: not processes_of(folder)), processes_of(folder)
        left = {path.name for path in Path(folder).iterdir()} - {f"labserver-{os.getuid()}"}
        assert left == set()


def processes_of(folder):
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("TMPDIR") == folder:
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


def eventually(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def visit(target):
    return requests.get(target.url + "/work", headers={"Connection": "close"}, timeout=60)


@pytest.mark.parametrize(
    "spec",
    [
        "package.web.wsgi:app",
        "namespace.deep.wsgi:app",
        "django_like:application",
        "changes_directory:app",
        "handles_signals:app",
        "starts_threads:app",
        "configures_logging:app",
        "parses_arguments:app",
        "prints:app",
        "closes_output:app",
        "no_collector:app",
        "few_descriptors:app",
        "processes:app",
        "daemons:app",
        "tabnanny:app",
    ],
)
def test_an_application_is_served_and_measured_whatever_it_does_on_import(shop, monkeypatch, spec):
    monkeypatch.chdir(shop)
    with open_target(spec) as target:
        assert target.instrumented
        assert visit(target).json() == {"ok": True}
        assert target.floor().heap_bytes > 1_000_000
        assert target.alive()


def test_modules_of_the_application_do_not_stand_in_for_those_that_the_instruments_need(shop, monkeypatch):
    monkeypatch.chdir(shop / "shadows")
    (shop / "shadows" / "wsgi.py").write_text(APP)
    (shop / "shadows" / "load.py").write_text("def go(session, url):\n    session.get(url).raise_for_status()\n")
    with (
        open_target("wsgi:app", instruments=COMMANDS) as target,
        virtual_users(target.url, 1, journey="load:go") as users,
    ):
        assert target.baseline().objects > 0
        assert users.run(iterations=1).ok


@pytest.mark.parametrize(
    ("spec", "answer"), [("asgi:app", "ok"), ("living:app", "shop"), ("bridged_living:app", "shop")]
)
def test_an_asgi_application_is_served_with_its_lifespan_where_it_has_one(shop, monkeypatch, spec, answer):
    monkeypatch.chdir(shop)
    (shop / "ended").unlink(missing_ok=True)
    with open_target(spec) as target:
        bridged = [f"{spec} is an ASGI application: a2wsgi served it, for want of uvicorn."]
        assert target.notes == (bridged if spec.startswith("bridged") else [])
        response = visit(target)
        assert response.text == answer
        assert response.headers["Server"] == ("waitress" if spec.startswith("bridged") else "uvicorn")
        assert not (shop / "ended").exists()
    assert (shop / "ended").exists() == (answer == "shop")


@pytest.mark.parametrize("spec", ["unborn:served", "bridged_unborn:served"])
def test_an_asgi_application_that_refuses_a_lifespan_is_served_without_and_the_answer_says_so(shop, monkeypatch, spec):
    monkeypatch.chdir(shop)
    with open_target(spec) as target:
        assert target.notes[-1] == "It refused to have a lifespan, and was served without: OSError: no lifespan."
        assert visit(target).text == "ok"


@pytest.mark.parametrize("spec", ["living:app", "bridged_living:app"])
def test_what_the_lifespan_of_an_asgi_application_keeps_is_named(shop, monkeypatch, spec):
    monkeypatch.chdir(shop)
    with open_target(spec, instruments=COMMANDS) as target:
        visit(target)
        target.baseline()
        for _ in range(20):
            visit(target)
        (holder, *_) = target.growth().holders
        assert holder.buffers == 20
        assert holder.path.startswith(f"module {spec} → state → ")


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            "lone_asgi:app",
            "lone_asgi:app is an ASGI application, which is served only with uvicorn or a2wsgi beside it: pip install",
        ),
        ("bridged_unborn:failed", "bridged_unborn:failed does not start: OSError: no database."),
        ("unborn:failed", "unborn:failed does not start: OSError: no database."),
        ("unborn:silent", "unborn:silent does not start: it does not say why."),
        ("unborn:exits", "unborn:exits does not start: it raises SystemExit."),
        ("is_patched:app", "is_patched:app is patched by gevent"),
        ("interrupts:app", "interrupts cannot be imported: KeyboardInterrupt (interrupts.py:1)."),
        ("crashes:app", "was killed by SIGSEGV; its last output: the last words."),
        ("never_returns:app", "was not ready to serve within 6 s and is still at never_returns.py:4 in serve."),
        ("platform:app", "platform has no attribute 'app' (it is /"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(shop, monkeypatch, spec, sentence):
    monkeypatch.chdir(shop / "own" if spec.startswith("platform") else shop)
    start_s = 6 if spec.startswith("never") else 60
    with pytest.raises(CannotRun) as caught, open_target(spec, start_s=start_s):
        pass
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_the_server_itself_holds_does_not_grow(shop, monkeypatch):
    (shop / "echo.py").write_text(
        "def app(environ, start_response):\n"
        "    body = environ['wsgi.input'].read(int(environ['CONTENT_LENGTH']))\n"
        "    start_response('200 OK', [])\n    return [body, bytes(300_000)]\n"
    )
    monkeypatch.chdir(shop)
    (shop / "body").write_bytes(bytes(200_000))
    with (
        open_target("echo:app") as target,
        virtual_users(target.url, 4, requests=[f"POST /a file=@{shop}/body"]) as users,
    ):
        users.run(iterations=100)
        floors = []
        for _ in range(3):
            assert users.run(iterations=50).ok
            floors.append(target.floor().heap_bytes)
        assert max(floors) - min(floors) < 100_000  # a body kept would be 200,000


SERVICE = """
import sys
from waitress import serve
from waitress.server import create_server
sys.path.insert(0, {root!r})
if "listen" in sys.argv:
    import labserver
    labserver.listen()
KEPT = []

def app(environ, start_response):
    KEPT.append(b"x" * 100_000)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b'{{"ok": true}}']

servers = [create_server(app, host="127.0.0.1", port=0) for _ in range(2 if "two" in sys.argv else 1)]
print(servers[0].effective_port, flush=True)
servers[0].run()
"""
FORKING = """
import os, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
sys.path.insert(0, {root!r})
import labserver

class Handler(BaseHTTPRequestHandler):
    kept = []
    def do_GET(self):
        self.kept.append(b"x" * 100_000)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())
    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Handler)
ready, tell = os.pipe()
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        if "listen" in sys.argv:
            labserver.listen()
        os.write(tell, b".")
        server.serve_forever(0.02)
for _ in range(int(sys.argv[1])):
    os.read(ready, 1)
print(server.server_port, flush=True)
while True:
    time.sleep(1)
"""


@contextlib.contextmanager
def service(code, *arguments):
    process = subprocess.Popen(
        [sys.executable, "-c", code.format(root=str(ROOT)), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("spelling", ["http://localhost:{port}/", "pid:{pid}"])
def test_a_service_that_runs_is_found_read_from_outside_and_runs_on(spelling):
    with service(SERVICE) as (process, port):
        with open_target(spelling.format(port=port, pid=process.pid)) as target:
            assert (target.url.rpartition(":")[2], target.pid) == (str(port), process.pid)
            assert not target.instrumented
            assert "call labserver.listen() in it" in target.notes[0]
            for _ in range(20):  # what each thread needs for its first requests is no growth
                visit(target)
            before = target.floor().private_bytes
            for _ in range(20):
                visit(target)
            floor = target.floor()
            assert floor.private_bytes - before == pytest.approx(2_000_000, rel=0.2)
            assert floor.heap_bytes is None
            with pytest.raises(NotInstrumented, match="there is no 'baseline'"):
                target.baseline()
        assert process.poll() is None


def test_a_service_that_listens_has_every_instrument_and_is_as_before_afterwards():
    with service(SERVICE, "listen") as (process, port):
        for spec in (f"http://127.0.0.1:{port}", f"pid:{process.pid}"):
            with open_target(spec) as target:
                assert (target.instrumented, target.notes, target.pid) == (True, [], process.pid)
                for _ in range(20):  # the same
                    visit(target)
                before = target.floor().heap_bytes
                for _ in range(20):
                    visit(target)
                assert target.floor().heap_bytes - before == pytest.approx(2_000_000, rel=0.02)
                assert target.trace(1)
        with open_target(f"pid:{process.pid}") as target:
            assert target.floor().traced_bytes is None


def test_a_service_that_ends_is_one_sentence():
    with service(SERVICE, "listen") as (process, port), open_target(f"http://127.0.0.1:{port}") as target:
        process.kill()
        process.wait()
        assert not target.alive()
        with pytest.raises(
            CannotRun, match=rf"The service at http://127.0.0.1:{port} has ended \(process {process.pid}\)"
        ):
            target.floor()


def test_one_worker_is_measured_and_not_the_process_that_started_it():
    with service(FORKING, "1", "listen") as (process, port):
        (worker,) = psutil.Process(process.pid).children()
        for spec in (f"http://127.0.0.1:{port}", f"pid:{process.pid}"):
            with open_target(spec) as target:
                assert (target.pid, target.instrumented) == (worker.pid, True)
                assert visit(target).text == str(worker.pid)


@pytest.mark.parametrize("spelling", ["http://127.0.0.1:{port}", "pid:{pid}"])
def test_several_workers_that_listen_are_asked_as_one(spelling):
    with service(FORKING, "3", "listen") as (process, port):
        workers = psutil.Process(process.pid).children()
        with open_target(spelling.format(port=port, pid=process.pid)) as target:
            assert (target.pid, target.instrumented, target.notes) == (process.pid, True, [])
            assert sorted(target.pids) == sorted(worker.pid for worker in workers)
            for _ in range(30):
                visit(target)
            before = target.floor()
            assert before.processes == 3
            target.baseline()
            answered = [int(visit(target).text) for _ in range(30)]
            assert target.floor().heap_bytes - before.heap_bytes == pytest.approx(3_000_000, rel=0.1)
            holder = target.growth().holders[0]
            assert "Handler.kept" in holder.path
            assert {gain.pid: gain.items for gain in holder.workers} == {
                pid: answered.count(pid) for pid in target.pids
            }
        assert all(worker.is_running() for worker in workers)


@pytest.mark.linux("only there is an agent put into a process")
def test_workers_that_do_not_listen_are_given_an_agent_each():
    with service(FORKING, "2") as (_, port), open_target(f"http://127.0.0.1:{port}", attach_s=60.0) as target:
        assert (target.instrumented, target.processes, target.notes) == (True, 2, [])
        visit(target)
        target.floor()
        target.baseline()
        answered = [int(visit(target).text) for _ in range(30)]
        holder = target.growth().holders[0]
        assert {gain.pid: gain.items for gain in holder.workers} == {pid: answered.count(pid) for pid in target.pids}


def test_workers_of_which_one_has_no_instruments_are_read_from_outside():
    with service(FORKING, "3") as (process, port), open_target(f"http://127.0.0.1:{port}") as target:
        assert (target.pid, target.instrumented) == (process.pid, False)
        assert "3 processes share" in target.notes[0]
        for _ in range(40):  # what the workers shared with their parent becomes their own at first
            visit(target)
        before = target.floor()
        assert before.processes == 3
        for _ in range(30):
            visit(target)
        grown = target.floor().private_bytes - before.private_bytes
        assert 1_000_000 < grown < 6_000_000  # 3,000,000, and pages that were shared until then


@pytest.mark.parametrize("listens", [["listen"], []])
def test_a_worker_that_ends_leaves_a_group_of_others(listens):
    with service(FORKING, "3", *listens) as (process, port), open_target(f"http://127.0.0.1:{port}") as target:
        gone, *others = target.pids
        psutil.Process(gone).kill()
        assert target.alive()
        with pytest.raises(Regrouped):
            target.floor()
        assert sorted(target.pids) == sorted(others)
        assert target.instrumented == bool(listens)
        assert target.floor().processes == 2
        process.kill()  # now nobody can take the place of those that end
        for pid in others:
            psutil.Process(pid).kill()
        assert eventually(lambda: not target.alive())
        with pytest.raises(CannotRun, match="has ended"):
            target.floor()


def test_several_ports_ask_for_one():
    with (
        service(SERVICE, "two") as (process, port),
        pytest.raises(CannotRun, match=rf"listens on the ports .*{port}.*: give the one to load as http://127.0.0.1"),
        open_target(f"pid:{process.pid}"),
    ):
        pass


def test_what_an_application_starts_carries_its_mark(shop, monkeypatch):
    monkeypatch.chdir(shop)
    with open_target("daemons:app") as target:
        token = psutil.Process(target.pid).environ()[TARGET]
        marked = [p for p in psutil.process_iter(["environ"]) if (p.info["environ"] or {}).get(TARGET) == token]
        assert len(marked) == 3  # itself, and two daemons
    assert eventually(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in marked))
