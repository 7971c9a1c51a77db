"""The instruments in a service that its owner runs: `labserver.listen()`.

They are met on a Unix socket in a directory that only its owner can enter, and answer that user and root alone. Nothing
is imported for them, and nothing is measured, before somebody asks.
"""

import atexit
import contextlib
import errno
import os
import socket
import tempfile
import threading
import time
from pathlib import Path

import psutil

from labserver.errors import CannotRun
from labserver.heap.at_fork import find_hooks
from labserver.heap.protocol import Lines
from labserver.processes.sockets import LONGEST_PATH, is_private, socket_name
from labserver.system import peer_of
from labserver.targets.service_agent import answer

_PAUSE_S = 1.0
_lock = threading.Lock()
_listener: "_Listener | None" = None


def listen(instruments: str, *, dump_on_oom: str | os.PathLike[str] | None = None, at: float = 0.9) -> None:
    """Answer questions about this process from a thread of its own; a second call does nothing.

    A process that is forked from this one does not answer before it calls this itself.

    Args:
        instruments: `module:callable` that gives the further commands, imported at the first question.
        dump_on_oom: where the heap is written, once, when the process comes near its memory limit; `{pid}` in it is
            the process's number.
        at: the share of that limit.

    Raises:
        CannotRun: there is no private place for the socket, or it cannot be made.
        UsageError: the file cannot be written, or the share is none.
    """
    global _listener  # noqa: PLW0603 - there is one for each process
    with _lock:
        if _listener is None:
            try:
                _listener = _Listener(instruments)
            except OSError as error:
                raise CannotRun(f"labserver.listen() cannot make its socket ({error}).") from error
            if dump_on_oom is not None:
                from labserver.heap.file.near_limit import watch_the_limit  # noqa: PLC0415 - who asks for none has none

                file = os.fspath(dump_on_oom).replace("{pid}", str(os.getpid()))
                watch_the_limit(Path(file).absolute(), at=at)


class _Listener:
    def __init__(self, instruments: str) -> None:
        self._instruments = instruments
        self._pid = os.getpid()
        directory = _private_directory(socket_name(os.getuid(), self._pid)[0])
        _sweep(directory)
        self._path = directory / socket_name(os.getuid(), self._pid)[1]
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(self._path))
        self._socket.listen(1)
        find_hooks()  # before there is a large heap, and before it is frozen
        atexit.register(self._remove)
        threading.Thread(target=self._serve, name="labserver-agent", daemon=True).start()

    def forget(self) -> None:
        """Let go of the parent's socket, in a process that was forked."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _remove(self) -> None:
        if os.getpid() == self._pid:
            self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError as error:
                if error.errno == errno.EBADF:  # the service closes what it has not opened
                    return
                time.sleep(_PAUSE_S)  # it has no descriptor left
                continue
            with connection:
                peer = peer_of(connection)
                # Where the system does not tell who asks, the directory alone protects.
                if peer is None or peer.uid in {os.getuid(), 0}:
                    answer(Lines(connection), self._instruments)


def _private_directory(name: str) -> Path:
    directory = Path(tempfile.gettempdir(), name)
    if len(str(directory / "1234567890.sock")) > LONGEST_PATH:
        directory = Path("/tmp", name)  # noqa: S108 - checked below
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    if not is_private(directory, os.getuid()):
        raise CannotRun(
            f"labserver.listen() needs {directory} as a directory that only this user can enter: remove it."
        )
    return directory


def _sweep(directory: Path) -> None:
    """Remove the sockets of processes that were killed."""
    for path in directory.glob("*.sock"):
        if path.stem.isdecimal() and not psutil.pid_exists(int(path.stem)):
            path.unlink(missing_ok=True)


def _after_fork() -> None:
    global _lock, _listener  # noqa: PLW0603 - the lock may have been held, by a thread that is not here
    _lock = threading.Lock()
    if _listener is not None:
        _listener.forget()
        _listener = None


os.register_at_fork(after_in_child=_after_fork)
