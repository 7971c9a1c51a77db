import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from labserver.errors import CannotRun
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import StoreFull, StoreUnavailable, create_store
from labserver.incident.service.stores.redis_server import redis_server

needs_server = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is missing")


def done(clock, size):
    return JobResult(JobState.DONE, bytes(size), None, clock())


def server_pid(store):
    return store._client.info("server")["process_id"]


@needs_server
def test_the_server_itself_lets_finished_jobs_go(open_store, clock, wait_until):
    store = open_store("redis", ttl_s=0.05)
    store.put("running", JobResult(JobState.RUNNING, None, None, clock()))
    store.put("a", done(clock, 1000))
    wait_until(lambda: store.kept_bytes() == 0)
    assert (store.get("a"), len(store)) == (None, 1)


@needs_server
def test_under_pressure_the_oldest_are_evicted_and_unfinished_ones_never(open_store, clock):
    store = open_store("redis", budget_bytes=2**21, ttl_s=600)
    store.put("running", JobResult(JobState.RUNNING, None, None, clock()))
    for number in range(40):
        store.put(str(number), done(clock, 200_000))
        time.sleep(0.002)  # the server orders by milliseconds
    assert store.kept_bytes() <= 2**21
    left = [number for number in range(40) if store.get(str(number)) is not None]
    assert 3 <= len(left) < 30
    assert min(left) >= 40 - len(left) - 2  # the server looks at a sample, so it may miss one
    assert store.get("running") is not None


@needs_server
def test_where_nothing_can_be_evicted_a_job_is_refused_and_not_half_kept(open_store, clock):
    store = open_store("redis", budget_bytes=2**20)

    def fill():
        for number in range(10_000):
            store.put(str(number), JobResult(JobState.PENDING, None, "x" * 10_000, clock()))

    with pytest.raises(StoreFull, match="no room"):
        fill()
    kept = len(store)
    with pytest.raises(StoreFull):
        store.put("0", done(clock, 300_000))
    assert (store.get("0"), len(store), store.kept_bytes()) == (None, kept - 1, 0)


@needs_server
def test_a_server_that_dies_makes_the_store_unavailable_and_close_still_ends(open_store, clock):
    store = open_store("redis", retry_after_s=9)
    store.put("a", done(clock, 10))
    process = psutil.Process(server_pid(store))
    process.kill()
    for use in (lambda: store.put("b", done(clock, 10)), lambda: store.get("a"), store.kept_bytes, store.sweep):
        with pytest.raises(StoreUnavailable, match="cannot be reached") as error:
            use()
        assert not isinstance(error.value, StoreFull)
        assert error.value.retry_after_s == 9
    store.close()


@needs_server
def test_the_server_is_private_and_leaves_nothing(wait_until):
    with redis_server() as socket:
        folder = socket.parent
        assert folder.stat().st_mode & 0o077 == 0
        servers = [p for p in psutil.Process().children(recursive=True) if "redis" in p.name()]
        assert len(servers) == 1
        assert not [c for c in servers[0].net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert not folder.exists()
    wait_until(lambda: not servers[0].is_running())


@needs_server
def test_the_server_ends_with_a_process_that_is_killed(wait_until):
    code = (
        "import time; from labserver.incident.service.stores.redis_server import redis_server\n"
        "with redis_server() as socket: print(socket, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as host:
        socket = host.stdout.readline()
        assert socket  # its folder is removed below
        folder = Path(socket).parent
        (server,) = [p for p in psutil.Process(host.pid).children(recursive=True) if "redis" in p.name()]
        os.kill(host.pid, signal.SIGKILL)
    wait_until(lambda: has_ended(server))
    shutil.rmtree(folder)


def has_ended(process):
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # between the two questions
        return True


def test_without_the_program_one_sentence_names_the_package(clock, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(CannotRun, match=r"needs the program redis-server: install .* redis-server\.$"):
        create_store(Settings(store="redis"), clock)


def test_without_the_client_one_sentence_names_the_extra(clock, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(CannotRun, match=r"'redis' needs .*labserver\[redis\]'\.$"):
        create_store(Settings(store="redis"), clock)


@needs_server
def test_the_servers_memory_is_measured_by_the_server(open_store, clock):
    store = open_store("redis")
    assert store.server_bytes() == 0
    store.put("a", done(clock, 100_000))
    assert 100_000 < store.server_bytes() < 140_000
