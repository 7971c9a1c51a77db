"""What an application under test started, found again wherever it went: by a mark in the environment it inherits."""

import contextlib
import os
import time

import psutil

MARK = "LABSERVER_TARGET"
_ROUNDS = 50
_PAUSE_S = 0.02


def end_marked(token: str) -> None:
    """Kill every process with that mark but this one: a daemon leaves the process group, and keeps its environment."""
    for _ in range(_ROUNDS):  # one of them may start another before its end
        found = [process for process in psutil.process_iter() if _is_marked(process, token)]
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if not found:
            return
        time.sleep(_PAUSE_S)


def _is_marked(process: psutil.Process, token: str) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        return process.environ().get(MARK) == token and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False
