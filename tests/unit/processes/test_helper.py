"""Processes of this package are gone when they are closed, and say why they died."""

import fcntl
import os
import resource
import signal

import psutil
import pytest

from labserver.errors import CannotRun
from labserver.processes.helper import Helper
from labserver.processes.running import runs

WORKER = "labserver.load.worker"


def test_one_that_does_not_end_by_itself_is_killed_without_a_word():
    helper = Helper(WORKER, what="It")
    os.kill(helper.pid, signal.SIGSTOP)
    process = psutil.Process(helper.pid)
    helper.close(0.05)
    assert not runs(process)
    helper.close(0.05)  # once more


def test_a_death_is_told_with_status_and_last_words():
    helper = Helper(WORKER, what="The worker")
    try:
        helper.send({"no": "configuration"})
        with pytest.raises(CannotRun, match=r"The worker died \(exit status 1\); its last output: KeyError: .+\w'\.$"):
            helper.receive(60)
        assert not helper.alive()
    finally:
        helper.close(1)


def test_silence_is_told():
    helper = Helper(WORKER, what="The worker")
    try:
        with pytest.raises(CannotRun, match=r"The worker has been silent for 0 s\."):
            helper.receive(0.05)
        assert helper.alive()
    finally:
        helper.close(1)


def test_a_line_that_comes_in_pieces_is_read_on_after_a_silence():
    helper = Helper(WORKER, what="The worker")
    try:
        helper._pending = b'{"event": "re'
        with pytest.raises(CannotRun, match="silent"):
            helper.receive(0.01)
        helper._pending += b'ady"}\n{"more'
        assert helper.receive(0.01) == {"event": "ready"}
        assert helper._pending == b'{"more'
    finally:
        helper.close(1)


def test_a_process_is_heard_by_one_that_has_many_files_open():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= 1024:
        pytest.skip("this system grants no such descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1025), hard))
    helper = Helper(WORKER, what="The worker")
    try:
        low = helper._process.stdout
        helper._process.stdout = os.fdopen(fcntl.fcntl(low.fileno(), fcntl.F_DUPFD_CLOEXEC, 1024), "rb")
        low.close()
        with pytest.raises(CannotRun, match="silent"):
            helper.receive(0.05)
    finally:
        helper.close(1)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
