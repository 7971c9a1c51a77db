"""A real notebook under load is killed: nothing that it started outlives it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from labserver.heap.meters import wait_until
from labserver.processes.running import runs

ROOT = Path(__file__).parents[2]


def start_run(output):
    """`labserver run` of the reproduction, caught while its virtual users are at work."""
    command = [sys.executable, "-m", "labserver", "run", "02", "--output", str(output), "-p", "duration_s", "60"]
    runner = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):  # such as git, which is gone between two looks
            family = psutil.Process(runner.pid).children(recursive=True)
            users = [process for process in family if "labserver.load.worker" in " ".join(process.cmdline())]
            kernels = [process for process in family if "ipykernel" in " ".join(process.cmdline())]
            if users and len(users[0].net_connections()) == 5:
                return runner, kernels[0], family, listening(kernels[0])
        time.sleep(0.1)
    runner.terminate()
    pytest.fail(f"the load did not begin: {runner.communicate(timeout=30)[0]}")


def listening(process):
    return {c.laddr.port for c in process.net_connections() if c.status == "LISTEN"}


def assert_nothing_is_left(family, ports):
    wait_until(lambda: not any(map(runs, family)), timeout_s=60)
    assert [process for process in family if runs(process)] == []
    # In the end: the port may have been given to somebody else's server meanwhile.
    assert wait_until(
        lambda: not ports & {c.laddr.port for c in psutil.net_connections() if c.status == "LISTEN"}, timeout_s=60
    )


def executed(output):
    (path,) = output.glob("*/02_reproduce_the_leak.ipynb")
    return nbformat.read(path, as_version=4)


def test_a_killed_kernel_takes_everything_with_it(tmp_path):
    runner, kernel, family, ports = start_run(tmp_path)
    assert ports
    kernel.kill()
    text, _ = runner.communicate(timeout=120)
    assert runner.returncode == 3, text
    assert_nothing_is_left(family, ports)
    banner = executed(tmp_path).cells[0].source
    assert "died" in banner
    assert "02_leaky.csv" in banner  # the last readings


def test_ctrl_c_ends_the_run_and_keeps_what_there_is(tmp_path):
    runner, _, family, ports = start_run(tmp_path)
    os.kill(runner.pid, signal.SIGINT)
    text, _ = runner.communicate(timeout=120)
    assert runner.returncode == 130, text
    assert_nothing_is_left(family, ports)
    assert executed(tmp_path).metadata.papermill.exception is True


def test_a_killed_runner_leaves_no_kernel_and_no_users(tmp_path):
    runner, _, family, ports = start_run(tmp_path)
    runner.kill()
    runner.communicate(timeout=120)
    assert_nothing_is_left(family, ports)
