"""A service under its own traffic, observed: what leaks is named, what is let go of is not, and it lives on."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from labserver.targets.one_process import open_to_look

ROOT = Path(__file__).parents[2]
SERVICE = """
import collections, itertools, sys, threading, time, urllib.request
from waitress.server import create_server
import labserver

labserver.listen()
EACH = int(sys.argv[1])
NUMBERS = itertools.count(1)
KEPT = {}
RECENT = collections.OrderedDict()
RESULTS = {}

def sweep(now):
    for key in [key for key, (until, _) in list(RESULTS.items()) if until < now]:
        RESULTS.pop(key, None)

def app(environ, start_response):
    number, now = next(NUMBERS), time.monotonic()
    if EACH and number % EACH == 0:
        KEPT[number] = bytes(3000)
    RECENT[number] = bytes(2000)
    if len(RECENT) > 60:
        RECENT.popitem(last=False)
    RESULTS[number] = (now + 2.0, bytes(800))
    sweep(now)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]

server = create_server(labserver.wsgi(app), host="127.0.0.1", port=0, threads=4)

def traffic():
    url = f"http://127.0.0.1:{server.effective_port}/"
    while True:
        with urllib.request.urlopen(url) as answer:
            answer.read()
        time.sleep(0.004)

threading.Thread(target=traffic, daemon=True).start()
print(server.effective_port, flush=True)
server.run()
"""
UVICORN = """
import sys, threading, time, uvicorn
import labserver

labserver.listen()

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))

def tell():
    while not server.started:
        time.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)

threading.Thread(target=tell, daemon=True).start()
server.run()
"""


@contextmanager
def serving(code, *arguments):
    """A service with the given code, which prints its port; the port, and the process."""
    with tempfile.TemporaryDirectory(prefix="lt-", dir="/tmp") as folder:
        file = Path(folder, "shop.py")
        file.write_text(code)
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": folder}
        with subprocess.Popen(
            [sys.executable, str(file), *arguments], env=environment, cwd=folder, stdout=subprocess.PIPE
        ) as process:
            try:
                yield int(process.stdout.readline()), psutil.Process(process.pid)
            finally:
                process.kill()


def eventually(condition):
    until = time.monotonic() + 60
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


LOOKS, JOBS = 24, 250  # of which an answer is expected


def observed(target):
    """The exit code, the page and the data of an observation that has seen enough, however slow the machine is."""
    for seconds in (18, 60, 240):
        options = ("--observe", f"{seconds}s", "--every", "0.5s", "--stall-ms", "100000", "--attach-timeout", "2m")
        done = subprocess.run(
            [sys.executable, "-m", "labserver", "check", target, "--quiet", "--json", "-", *options],
            env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        data = json.loads(done.stdout)
        seen = data["observed"]
        if seen is not None and seen["looks"]["count"] >= LOOKS and seen["jobs"] >= JOBS:
            break
    return done.returncode, done.stderr, data


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "spelling",
    [
        "http://127.0.0.1:{port}",
        pytest.param("pid:{pid}", marks=pytest.mark.linux("only there is an agent put into a process")),
    ],
    ids=["one that listens", "one that is attached to"],
)
def test_a_leak_is_named_and_what_is_let_go_of_is_not_and_the_service_lives_on(spelling):
    service = SERVICE if spelling.startswith("http") else SERVICE.replace("labserver.listen()\n", "")
    with serving(service, "3") as (port, process):
        threads = process.num_threads()
        code, page, data = observed(spelling.format(port=port, pid=process.pid))
        assert code == 1, page
        assert data["verdict"] == "leak"
        assert [holder["path"].partition("KEPT")[0] for holder in data["holders"]] == ["module __main__ → "]
        each = (3000 + 33 + 28) / 3  # with their headers and keys; a table that doubles comes beside them
        assert data["bytes_per_job"]["low"] < 1.15 * each
        assert data["bytes_per_job"]["high"] > each
        told = data["observed"]
        assert told["counted_by"] == "the service itself"
        assert told["jobs"] == data["jobs"] >= JOBS
        (pace,) = told["holders"]
        assert 300 < pace["items_per_1000_jobs"] < 370
        assert pace["standing"] == "leaks"
        assert told["forecast"]["hours"] > 0
        assert "gains what stays" in page
        assert eventually(lambda: process.num_threads() <= threads)
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/").read() == b"ok"


@pytest.mark.timeout(900)
def test_a_service_that_lets_go_of_all_is_no_leak():
    with serving(SERVICE, "0") as (_, process):
        code, page, data = observed(f"pid:{process.pid}")
        assert data["verdict"] != "leak", page
        assert code in {0, 125}
        assert all(pace["standing"] != "leaks" for pace in data["observed"]["holders"])
        assert process.is_running()


@pytest.mark.linux("forked copies")
def test_the_requests_that_a_server_counts_itself_are_seen_in_each_look():
    with serving(UVICORN) as (port, served), open_to_look(f"pid:{served.pid}") as process:
        taken = process.baseline(stall_ms=1000)
        for _ in range(7):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/").read()
        growth = process.growth()
        assert taken.jobs.counted_by == growth.jobs.counted_by == "uvicorn"
        assert growth.jobs.count - taken.jobs.count == 7
        assert growth.cost.cpu_s > 0
        assert growth.cost.stall_ms > 0
        limit = process.limit()
        assert limit.limit_bytes > limit.used_bytes > 0
