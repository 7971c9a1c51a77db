"""Processes of this package are gone when they are closed, and say why they died."""

import os
import signal

import psutil
import pytest

from labserver.errors import CannotRun
from labserver.processes import Helper, Output, runs

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


def test_the_last_words_are_the_last_lines_that_say_anything():
    output = Output()
    output.file.write(b"first\n\n  second \xff.\n\n")
    assert output.last() == "; its last output: second \N{REPLACEMENT CHARACTER}"
    assert output.last(lines=2) == "; its last output: first | second \N{REPLACEMENT CHARACTER}"
    output.close()
    assert output.last() == ""
