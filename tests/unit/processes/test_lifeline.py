import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from labserver.heap.meters import wait_until
from labserver.processes.lifeline import Lifeline
from labserver.processes.running import runs

# A parent that starts a process with a lifeline, and a fork of itself that holds the pipe open; then it says their ids.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen(
    [sys.executable, "-c", "from labserver.processes.lifeline import Lifeline; Lifeline().wait()"],
    stdin=subprocess.PIPE, start_new_session=True,
)
fork = os.fork()
if fork == 0:
    time.sleep(600)
print(child.pid, fork, flush=True)
time.sleep(600)
"""


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):  # the test has closed it
            os.close(end)


def test_what_the_parent_says_comes_until_it_closes_its_end(pipe):
    reading, writing = pipe
    lifeline = Lifeline(reading)
    os.write(writing, b"one" * 200)
    os.close(writing)
    said = b""
    while block := lifeline.read():
        said += block
    assert said == b"one" * 200
    lifeline.wait()  # at once


def test_a_dead_parent_is_noticed_although_a_fork_of_it_holds_the_pipe_open():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        child, fork = (psutil.Process(int(pid)) for pid in parent.stdout.readline().split())
        try:
            time.sleep(1)
            assert runs(child)
            parent.kill()
            assert wait_until(lambda: not runs(child), timeout_s=60)
            assert runs(fork)
        finally:
            for process in (child, fork):
                if runs(process):
                    process.send_signal(signal.SIGKILL)


def test_a_process_without_memory_reads_as_soon_as_it_has_some(pipe, monkeypatch):
    reading, writing = pipe
    lifeline = Lifeline(reading)
    tries = []

    def read(descriptor, size):
        tries.append(size)
        if len(tries) < 3:
            raise MemoryError
        return os_read(descriptor, size)

    os_read = os.read
    monkeypatch.setattr(os, "read", read)
    os.write(writing, b"stop")
    assert lifeline.read() == b"stop"
    assert len(tries) == 3
