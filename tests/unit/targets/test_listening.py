import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import psutil
import pytest

import labserver
from labserver.diagnosis.instruments import COMMANDS
from labserver.errors import CannotRun
from labserver.heap.protocol import Closed, Lines
from labserver.job_counters import RUNNING
from labserver.system.facts import Peer
from labserver.targets import listening

ROOT = Path(labserver.__file__).parents[1]


@pytest.fixture
def folder(monkeypatch):
    """A short temporary directory: a socket's name goes in it."""
    with tempfile.TemporaryDirectory(prefix="lt-", dir="/tmp") as path:
        monkeypatch.setattr(tempfile, "tempdir", path)
        yield Path(path)


@pytest.fixture
def listener(folder):
    found = listening._Listener("labserver.diagnosis.instruments:commands")
    yield found
    found._remove()
    assert list((folder / f"labserver-{os.getuid()}").iterdir()) == []


def connected(listener):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(listener._path))
    return Lines(connection)


def ask(lines, command, **arguments):
    lines.send({"command": command, **arguments})
    return lines.receive(120)["result"]


def test_the_socket_is_private_and_named_by_user_and_process(listener):
    assert listener._path.parts[-2:] == (f"labserver-{os.getuid()}", f"{os.getpid()}.sock")
    assert stat.S_IMODE(listener._path.parent.stat().st_mode) == 0o700


def test_all_instruments_answer_one_visitor_after_another(listener):
    for _ in range(2):
        lines = connected(listener)
        assert ask(lines, "floor")["heap_bytes"] > 1_000_000
        assert ask(lines, "baseline")
        assert ask(lines, "collect")["objects"] >= 0
        lines.close()


class Shop:
    def live_jobs(self):
        return 2

    def finished_jobs(self):
        return 5


def test_a_reading_has_the_jobs_of_any_service_that_counts_them_until_it_is_closed(listener):
    lines, shop = connected(listener), Shop()
    before = ask(lines, "reading")
    RUNNING.add(shop)
    during = ask(lines, "reading")
    RUNNING.discard(shop)
    after = ask(lines, "reading")
    lines.close()
    jobs = [(told["live_jobs"], told["finished_jobs"]) for told in (before, during, after)]
    assert jobs == [(None, None), (2, 5), (None, None)]


def test_tracing_ends_with_the_visit(listener):
    lines = connected(listener)
    assert ask(lines, "trace", frames=1)
    lines.close()
    lines = connected(listener)
    lines.send({"command": "none"})
    lines.receive(120)  # the visit before is over
    assert not tracemalloc.is_tracing()
    lines.close()


def test_who_does_not_speak_its_language_is_not_answered_and_the_next_one_is(listener):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(listener._path))
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(100) == b""
    lines = connected(listener)
    assert ask(lines, "floor")
    lines.close()


def test_another_user_is_not_answered(listener, monkeypatch):
    monkeypatch.setattr(listening, "peer_of", lambda _: Peer(1, 12345))
    lines = connected(listener)
    with pytest.raises(Closed):
        ask(lines, "floor")
    lines.close()


def test_where_nobody_tells_the_user_the_directory_alone_protects(listener, monkeypatch):
    monkeypatch.setattr(listening, "peer_of", lambda _: None)
    lines = connected(listener)
    assert ask(lines, "floor")
    lines.close()


def test_a_directory_that_others_can_enter_or_that_is_a_link_is_refused(folder):
    place = folder / f"labserver-{os.getuid()}"
    place.mkdir(mode=0o755)
    with pytest.raises(CannotRun, match="only this user can enter"):
        listening._Listener("a:b")
    place.chmod(0o700)
    place.rename(folder / "elsewhere")
    place.symlink_to(folder / "elsewhere")
    with pytest.raises(CannotRun, match="only this user can enter"):
        listening._Listener("a:b")
    assert list((folder / "elsewhere").iterdir()) == []


def test_what_killed_processes_left_is_removed(folder):
    place = folder / f"labserver-{os.getuid()}"
    place.mkdir(mode=0o700)
    stale = place / "2147483646.sock"
    stale.touch()
    listening._Listener("a:b")._remove()
    assert not stale.exists()


CODE = """
import json, os, sys, threading
import labserver
before = set(sys.modules)
labserver.listen(); labserver.listen()
print(json.dumps({
    "numpy": "numpy" in sys.modules,
    "threads": sum(thread.name == "labserver-agent" for thread in threading.enumerate()),
    "sockets": sorted(os.listdir(sys.argv[1])),
    "tcp": len([c for c in __import__("psutil").net_connections("tcp") if c.pid == os.getpid()]),
}), flush=True)
if os.fork() == 0:
    first = os.listdir(sys.argv[1])
    labserver.listen()
    print(json.dumps({"pid": os.getpid(), "first": first, "sockets": sorted(os.listdir(sys.argv[1]))}), flush=True)
    sys.exit()
os.wait()
print(json.dumps({"sockets": sorted(os.listdir(sys.argv[1]))}), flush=True)
"""


def test_a_service_listens_once_costs_nothing_and_its_workers_listen_for_themselves(folder):
    place = folder / f"labserver-{os.getuid()}"
    environment = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", CODE, str(place)], env=environment, stdout=subprocess.PIPE) as service:
        said = [json.loads(line) for line in service.stdout.read().splitlines()]
    own = f"{service.pid}.sock"
    assert said[0] == {"numpy": False, "threads": 1, "sockets": [own], "tcp": 0}
    assert said[1]["first"] == [own]
    assert said[1]["sockets"] == sorted([own, f"{said[1]['pid']}.sock"])
    assert said[2]["sockets"] == [own]  # the worker has taken its own away, and only that
    assert service.returncode == 0
    assert list(place.iterdir()) == []
    assert not psutil.pid_exists(service.pid)


def test_the_instruments_that_it_names_are_those_of_a_check():
    assert COMMANDS in Path(labserver.__file__).read_text(encoding="utf-8")


def test_where_no_socket_can_be_made_one_sentence_says_so(folder, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "none"))
    monkeypatch.setattr(listening, "_listener", None)
    with pytest.raises(CannotRun, match=r"cannot make its socket \(.*No such file or directory"):
        listening.listen(COMMANDS)
    assert listening._listener is None
