import contextlib
import gc
import os
import runpy
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from labserver.cli.load import load
from labserver.errors import CannotRun, UsageError
from labserver.load import virtual_users

STAND_IN = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "load" / "stand_in.py"))


@pytest.fixture
def stand_in():
    with STAND_IN["serving"]() as serving:
        yield serving


@pytest.fixture
def refused_url():
    with STAND_IN["nobody"]() as url:
        yield url


def until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def gone(pid):
    """Whether the process has ended, reaped by whoever adopted it or not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def submits(stand_in):
    return sum(method == "POST" for method, _ in stand_in.seen)


class Together(list):
    """The requests seen, of which none is answered before so many connections were opened: all users take part."""

    def __init__(self, stand_in, connections):
        super().__init__()
        self.stand_in, self.connections = stand_in, connections

    def append(self, seen):
        super().append(seen)
        until(lambda: self.stand_in.connections >= self.connections, 20)


def test_shared_iterations_are_exact_and_each_run_has_one_connection_a_user(stand_in):
    stand_in.seen = together = Together(stand_in, 5)
    with virtual_users(stand_in.url, 5, poll_interval_s=0.01, timeout_s=60) as users:
        first = users.run(iterations=23)
        assert stand_in.connections == 5
        together.connections = 10
        second = users.run(iterations=7)
    assert (first.iterations, second.iterations) == (23, 7)
    assert submits(stand_in) == 30
    assert first.ok
    assert first.checks["PNG decodes"].passes == 23
    assert first.http_reqs == 23 * 4
    assert first.vus == 5
    assert stand_in.connections == 10  # between runs a server is left without open connections
    assert first.http_req_connecting.med == 0


def test_a_duration_finishes_what_is_under_way_and_littles_law_holds(stand_in):
    stand_in.statuses = ("DONE",)
    stand_in.latency_s = 0.05
    with virtual_users(stand_in.url, 5, poll_interval_s=0.05) as users:
        summary = users.run(duration_s=3.0)
    # At least 0.1 s an iteration: 150 of them at most, one a user at least, and the last ones end after the deadline.
    assert 5 <= summary.iterations <= 150
    assert summary.elapsed_s >= 3.0
    assert summary.interrupted_iterations == 0
    assert submits(stand_in) == summary.iterations
    assert 0.5 < summary.littles_law.ratio <= 1  # what is missing is a user's wait, at the end, for the slowest one
    assert summary.generator.cpu_seconds > 0
    assert summary.generator.peak_rss > 10_000_000


def test_iterations_beyond_the_graceful_stop_are_interrupted(stand_in):
    stand_in.statuses = ("RUNNING",)
    with virtual_users(stand_in.url, 3, poll_interval_s=20) as users:
        summary = users.run(duration_s=1.0, graceful_stop_s=1.0)
        stand_in.statuses = ("DONE",)
        assert (summary.iterations, summary.interrupted_iterations) == (0, 3)
        assert 2.0 <= summary.elapsed_s < 15  # a poll interval is 20 s
        assert summary.checks["job accepted"].passes == 3
        assert summary.http_req_failed == 0


def test_a_request_under_way_is_cut_off_too(stand_in):
    stand_in.latency_s = 20
    with virtual_users(stand_in.url, 2) as users:
        summary = users.run(duration_s=1.0, graceful_stop_s=0)
    assert (summary.interrupted_iterations, summary.http_reqs) == (2, 0)
    assert summary.elapsed_s < 15


def test_a_server_that_dribbles_is_timed_out(stand_in):
    stand_in.dribble_s = 0.3
    with virtual_users(stand_in.url, 1, timeout_s=0.5) as users:
        summary = users.run(iterations=1)
    assert summary.errors == {"timed out": 1}


def test_a_server_that_refuses_makes_failed_requests_without_a_busy_loop(refused_url):
    with virtual_users(refused_url, 2) as users:
        summary = users.run(duration_s=1.2)
    assert not summary.ok
    assert summary.http_req_failed_rate == 1.0
    assert set(summary.errors) == {"refused"}
    assert 2 <= summary.http_reqs <= 8
    assert summary.http_req_duration["all"].med is None


def test_progress_is_reported(stand_in):
    seen = []
    with virtual_users(stand_in.url, 3, poll_interval_s=0.05, on_progress=seen.append) as users:
        summary = users.run(duration_s=1.2)
    assert len(seen) >= 3
    assert seen[0].running == 3
    assert 0 <= seen[0].iterations < seen[-1].iterations <= summary.iterations
    assert seen[0].elapsed_s == pytest.approx(0.5, rel=2)
    assert seen[0].rate == pytest.approx(seen[0].iterations / seen[0].elapsed_s)


def test_leaving_the_block_leaves_nothing_behind(refused_url):
    myself = psutil.Process()
    with virtual_users(refused_url, 2):
        pass  # what the first use imports and opens for good is not what this test is about
    gc.collect()
    files, threads = myself.num_fds(), threading.active_count()
    with virtual_users(refused_url, 2) as users:
        users.run(iterations=2)
        pid = users.pid
        assert not gone(pid)
    assert not psutil.pid_exists(pid)
    # Fewer: what other tests have left may end meanwhile.
    assert myself.num_fds() <= files
    assert threading.active_count() <= threads


def test_an_exception_in_the_block_ends_the_worker_too(stand_in):
    stand_in.statuses = ("RUNNING",)
    seen = []

    def interrupt(progress):
        seen.append(progress)
        raise KeyboardInterrupt

    began = time.monotonic()
    with (
        pytest.raises(KeyboardInterrupt),
        virtual_users(stand_in.url, 2, poll_interval_s=20, on_progress=interrupt) as users,
    ):
        users.run(duration_s=60)
    assert seen
    assert time.monotonic() - began < 30
    assert not psutil.pid_exists(users.pid)


def test_an_interrupted_run_still_has_a_summary(stand_in):
    def interrupt(progress):
        if progress.iterations:
            raise KeyboardInterrupt

    with virtual_users(stand_in.url, 2, poll_interval_s=0.05, on_progress=interrupt) as users:
        with pytest.raises(KeyboardInterrupt):
            users.run(duration_s=60)
        summary = users.interrupt()
        assert users.interrupt() is None
    assert summary.iterations > 0
    assert summary.elapsed_s < 30


def test_a_killed_worker_is_one_sentence(stand_in):
    with virtual_users(stand_in.url, 2, poll_interval_s=0.05) as users:
        killer = threading.Timer(0.3, os.kill, (users.pid, signal.SIGKILL))
        killer.start()
        with pytest.raises(CannotRun, match="died \\(exit status -9\\)"):
            users.run(duration_s=30)
        killer.join()
        with pytest.raises(CannotRun, match="died"):
            users.run(iterations=1)


def test_a_dead_worker_gives_its_last_output(stand_in, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("fatal.py").write_text(
        "import os, sys\ndef go(session, url):\n    print('tank empty', flush=True)\n    os._exit(5)\n"
    )
    with (
        virtual_users(stand_in.url, 1, journey="fatal:go") as users,
        pytest.raises(CannotRun, match="exit status 5\\); its last output: tank empty"),
    ):
        users.run(iterations=1)


def test_somebody_elses_journey_is_driven(stand_in, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("shopping.py").write_text(
        "def buy(session, url):\n    print('noise')\n    session.get(f'{url}/result/17').raise_for_status()\n"
    )
    with virtual_users(stand_in.url, 2, journey="shopping:buy") as users:
        summary = users.run(iterations=6)
    assert summary.checks["journey completed"].passes == 6
    assert summary.http_req_duration["GET /result/{id}"].answered == 6


@pytest.mark.parametrize("parent_forks", [False, True])
def test_a_killed_parent_leaves_no_worker(stand_in, parent_forks):
    stand_in.statuses = ("RUNNING",)
    # The fork holds the worker's input open, as a snapshot of a heap taken in a forked child does.
    script = f"""
        import os, time
        from labserver.load import virtual_users
        with virtual_users({stand_in.url!r}, 2, poll_interval_s=20) as users:
            fork = os.fork() if {parent_forks} else 0
            if {parent_forks} and not fork:
                time.sleep(120)
                os._exit(0)
            print(users.pid, fork, flush=True)
            users.run(duration_s=60)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        worker, fork = map(int, parent.stdout.readline().split())
        assert until(lambda: submits(stand_in) == 2)
        parent.kill()
        try:
            assert until(lambda: gone(worker))
        finally:
            for pid in filter(None, (fork, worker)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def test_the_end_of_its_input_ends_the_worker():
    command = [sys.executable, "-m", "labserver.load.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        try:
            worker.stdin.close()
            assert worker.wait(60) == 1
        finally:
            worker.kill()


def test_the_worker_does_not_get_the_terminals_interrupts(refused_url):
    with virtual_users(refused_url, 1) as users:
        assert os.getsid(users.pid) == users.pid


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host/", "http://", "", "http://host:port"])
def test_an_address_that_is_none(url):
    with pytest.raises(UsageError, match="no address of a server"), virtual_users(url):
        pass


@pytest.mark.parametrize(
    "arguments",
    [{"users": 0}, {"max_polls": 0}, {"poll_interval_s": -1}, {"timeout_s": 0}, {"poll_interval_s": float("nan")}],
)
def test_figures_that_make_no_sense(arguments):
    with pytest.raises(UsageError, match=next(iter(arguments))), virtual_users("http://127.0.0.1:9", **arguments):
        pass


def test_a_journey_that_exits_fails_its_jobs_and_takes_no_user_along(stand_in, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("closed.py").write_text("import sys\ndef go(session, url):\n    sys.exit(3)\n")
    with virtual_users(stand_in.url, 2, journey="closed:go") as users:
        summary = users.run(iterations=4)
    assert summary.checks["journey completed"].fails == 4
    assert summary.first_failure == "journey completed: SystemExit: 3"


def test_a_journey_that_exits_while_it_is_imported_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("closed_early.py").write_text("import sys\nsys.exit('not today')\n")
    with (
        pytest.raises(UsageError, match=r"cannot be imported: it calls sys\.exit\('not today'\)\.$"),
        virtual_users("http://127.0.0.1:9", journey="closed_early:go"),
    ):
        pass


@pytest.mark.parametrize("journey", ["nowhere:go", "json:nothing", "json:__name__", ":", "json"])
def test_a_journey_that_cannot_be_imported(journey):
    with pytest.raises(UsageError, match="module:callable"), virtual_users("http://127.0.0.1:9", journey=journey):
        pass


def test_a_run_has_one_end(refused_url):
    with virtual_users(refused_url, 1) as users:
        for arguments in ({}, {"iterations": 1, "duration_s": 1}, {"iterations": 0}, {"duration_s": 0}):
            with pytest.raises(UsageError):
                users.run(**arguments)


def test_a_folder_without_pictures_is_known_before_the_load(tmp_path):
    with (
        pytest.raises(UsageError, match="no readable picture"),
        virtual_users("http://127.0.0.1:9", photos=tmp_path),
    ):
        pass


def test_the_command(stand_in, tmp_path):
    written = tmp_path / "summary.json"
    arguments = [stand_in.url, "--iterations", "3", "--poll-interval", "0.01", "--json", str(written)]
    done = CliRunner().invoke(load, arguments)
    assert done.exit_code == 0
    assert "http_req_duration" in done.stdout
    assert '"iterations": 3' in written.read_text()


def test_the_command_exits_1_on_a_failed_check(stand_in):
    stand_in.image = b"no picture"
    done = CliRunner().invoke(load, [stand_in.url, "--iterations", "1", "--poll-interval", "0.01"])
    assert done.exit_code == 1
    assert "✗ PNG decodes" in done.stdout


def test_the_command_takes_one_end():
    done = CliRunner().invoke(load, ["http://127.0.0.1:9", "--iterations", "1", "--duration", "1"])
    assert isinstance(done.exception, UsageError)


def test_ctrl_c_prints_what_ran_and_exits_130(stand_in):
    script = "from labserver.cli.load import load; load()"
    command = [sys.executable, "-c", script, stand_in.url, "--duration", "60", "--poll-interval", "0.05"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert until(lambda: submits(stand_in) > 10)
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "iterations......" in output
    assert "Traceback" not in errors


def test_a_run_is_stopped_from_another_thread_and_has_its_summary(stand_in):
    stand_in.statuses = ("RUNNING",)
    with virtual_users(stand_in.url, 2, poll_interval_s=0.01, max_polls=10**9) as users:
        stopping = threading.Thread(target=lambda: until(lambda: submits(stand_in) == 2) and users.stop())
        stopping.start()
        summary = users.run(iterations=2)
        stopping.join()
        assert (summary.iterations, summary.interrupted_iterations) == (0, 2)
        assert users.run(duration_s=1.0, graceful_stop_s=0).interrupted_iterations == 2
