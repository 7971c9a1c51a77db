import contextlib
import gc
import signal
import socket
import threading
import time
from pathlib import Path

import psutil
import pytest
import requests
from waitress import wasyncore

import labserver
from labserver.errors import CannotRun, UsageError
from labserver.incident.hosting import embedded as module
from labserver.incident.hosting.embedded import embedded
from labserver.incident.service import Settings
from labserver.incident.service.jobs import JobResult, JobState
from labserver.targets import host_waitress

PHOTO = (Path(labserver.__file__).parent / "load" / "photos" / "astronaut.jpg").read_bytes()


def resources():
    return set(threading.enumerate()), psutil.Process().num_fds()


def nothing_new_since(before):
    """Threads and descriptors that other tests have left may go meanwhile; none may come."""
    (threads, descriptors), (threads_before, descriptors_before) = resources(), before
    return threads <= threads_before and descriptors <= descriptors_before


@pytest.fixture(autouse=True)
def nothing_left():
    with embedded():
        pass  # whatever Python opens once and keeps is open now
    gc.collect()
    before = resources()
    yield
    assert nothing_new_since(before)


def submit(session, url):
    return session.post(f"{url}/api/images/analyze", files={"parentA": PHOTO, "parentB": PHOTO}, timeout=60)


def test_answers_as_soon_as_the_block_begins():
    with embedded() as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert requests.get(f"{server.url}/health", timeout=60).json() == {"status": "UP"}


def test_twenty_times_in_a_row_nothing_is_left_however_busy_it_was():
    with contextlib.ExitStack() as clients:
        for _ in range(20):
            before = resources()
            session = requests.Session()
            with embedded(store="ttl", service_time_s=3600, workers=1) as server:
                for _ in range(3):
                    assert submit(session, server.url).status_code == 202
                half = clients.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                half.sendall(b"POST /api/images/analyze HTTP/1.1\r\nHost: x\r\nContent-Length: 700000\r\n\r\nabc")
                assert server.service.live_jobs() == 3
            session.close()
            half.close()
            assert nothing_new_since(before)
            assert server.service.live_jobs() == 0
            assert server.service.idle()


def test_stopping_is_prompt_though_jobs_would_take_an_hour():
    with requests.Session() as session:
        with embedded(service_time_s=3600) as server:
            submit(session, server.url)
            began = time.monotonic()
        assert time.monotonic() - began < 30


def test_stopping_is_prompt_though_a_client_does_not_read_its_answers():
    with contextlib.ExitStack() as stack:
        with embedded(http_threads=1) as server:
            service = server.service
            job_id = service.ids.issue()
            service.store.put(job_id, JobResult(JobState.DONE, bytes(4_000_000), None, 0.0))
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.sendall(f"GET /api/images/result/{job_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 30)
            time.sleep(1)  # now there is no more room in the connection's buffer
            began = time.monotonic()
        assert time.monotonic() - began < 30


def test_all_its_threads_are_daemons():
    before = set(threading.enumerate())
    with embedded(store="ttl", workers=3, http_threads=2):
        started = set(threading.enumerate()) - before
        assert len(started) == 3 + 2 + 1 + 1  # workers, requests, sweeper, loop
        assert all(thread.daemon for thread in started)
        assert all(thread.name.startswith("labserver-") for thread in started)


def test_several_run_side_by_side():
    with embedded() as one, embedded() as other:
        assert one.port != other.port
        with requests.Session() as session:
            submit(session, one.url)
        assert (one.service.live_jobs(), other.service.live_jobs()) == (1, 0)


def serve_until(error, seen):
    with embedded(service_time_s=3600) as server, requests.Session() as session:
        submit(session, server.url)
        seen.append((server.service, server.service.live_jobs()))
        raise error


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_cleans_up_whatever_ends_the_block(error):
    seen = []
    with pytest.raises(error):
        serve_until(error, seen)
    [(service, live)] = seen
    assert (live, service.live_jobs()) == (1, 0)


def test_a_second_interrupt_during_the_clean_up_does_not_cut_it_short(monkeypatch):
    close = module.Service.close

    def interrupted_close(service):
        for _ in range(2):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # wakes it, as Ctrl-C does
            time.sleep(0.1)
        close(service)

    monkeypatch.setattr(module.Service, "close", interrupted_close)
    seen = []
    with pytest.raises(KeyboardInterrupt):
        serve_until(KeyboardInterrupt, seen)
    assert seen[0][0].live_jobs() == 0


def test_an_interrupt_during_the_start_leaves_nothing(monkeypatch):
    def interrupt(_port):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_await_health", interrupt)
    with pytest.raises(KeyboardInterrupt), embedded():
        pass


def test_settings_may_be_changed_by_name():
    with embedded(Settings(workers=3), queue_size=7) as server:
        assert (server.service.settings.workers, server.service.settings.queue_size) == (3, 7)


def test_a_misspelt_setting_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match=r"'worker' is not a setting of the service; did you mean 'workers'\?"):
        embedded(worker=3).__enter__()


def test_a_clock_may_be_brought_along():
    with embedded(clock=lambda: 12.0) as server:
        assert server.service.clock() == 12.0


def test_a_port_may_be_asked_for():
    with embedded() as server:
        port = server.port
    with embedded(port=port) as server:
        assert server.port == port


def test_a_port_in_use_is_said_in_one_sentence():
    with (
        embedded() as server,
        pytest.raises(CannotRun, match=rf"^Port {server.port} is already in use: choose another one, or 0 .*\.$"),
    ):
        embedded(port=server.port).__enter__()


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(UsageError, match="from 0 to 65535"):
        embedded(port=port).__enter__()


@pytest.mark.parametrize("broken", [(host_waitress, "create_server"), (module, "_limits")])
def test_a_server_that_dies_at_its_start_says_why_and_leaves_nothing(monkeypatch, broken):
    def fail(*_args, **_options):
        raise RuntimeError("no luck")

    monkeypatch.setattr(*broken, fail)
    with pytest.raises(CannotRun, match=r"stopped while it started: RuntimeError\('no luck'\)"):
        embedded().__enter__()


@pytest.mark.parametrize(
    ("store", "name"),
    [
        ("leaky", "labserver-worker-2"),
        ("ttl", "labserver-sweeper"),
        ("scheduler", "labserver-scheduler"),
        ("leaky", "labserver-http-1"),
    ],
)
def test_a_thread_that_the_system_does_not_grant_is_why_nothing_starts(monkeypatch, store, name):
    start = threading.Thread.start

    def granted(thread):
        if thread.name == name:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", granted)
    with pytest.raises(CannotRun, match="can't start new thread"):
        embedded(store=store).__enter__()


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "_READY_WITHIN_S", 0.2)
    monkeypatch.setattr(module, "_health_status", lambda _port: 500)
    with pytest.raises(CannotRun, match="its last answer was 500"):
        embedded().__enter__()


def test_a_server_that_dies_later_is_logged_and_closed(monkeypatch, caplog):
    loop = wasyncore.loop
    dying = threading.Event()

    def failing_loop(**options):
        if dying.is_set():
            raise RuntimeError("no luck")
        loop(**options)

    monkeypatch.setattr(wasyncore, "loop", failing_loop)
    with embedded() as server:
        dying.set()
        with contextlib.suppress(requests.ConnectionError):
            requests.get(f"{server.url}/health", timeout=60)
        deadline = time.monotonic() + 60
        while "no luck" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "no luck" in caplog.text
