"""An application in a process of its own, behind a real socket, for as long as a `with` block lasts."""

import contextlib
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from labserver.errors import CannotRun
from labserver.heap.protocol import SOCKET, Lines
from labserver.heap.wire import ANSWER_TIMES
from labserver.processes.helper import spawn
from labserver.processes.leftovers import TARGET, Mark
from labserver.processes.output import Output
from labserver.processes.running import runs
from labserver.processes.sockets import private_directory
from labserver.targets.conversation import Conversation
from labserver.targets.instrumented import Target

START_S = 60.0
_CONNECT_S = 20.0
SERVED = {
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",  # freed blocks that threads keep for themselves count as in use
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",  # two revisions within a second and of one size would share the first one's
}
"""The variables of a process whose memory is to be read exactly."""


class Child(Target):
    """A served application and the instruments in its process; made by `child`.

    Attributes:
        url: where it is served, without a trailing slash.
        pid: its process id.
        instrumented: always; see `labserver.targets.instrumented.Target`.
        notes: how it is served otherwise than it stands.
    """

    instrumented = True

    def __init__(self, target: str, *, http_threads: int, instruments: str | None) -> None:
        self.url = ""
        self.notes: list[str] = []
        self._conversation: Conversation | None = None
        self._output = Output()
        self._directory = private_directory("labserver-check-", SOCKET)
        self._mark = Mark(TARGET)
        config = {"target": target, "http_threads": http_threads, "instruments": instruments, "token": self._mark.token}
        try:
            self._process = spawn(
                "labserver.targets.host",
                json.dumps({**config, "directory": str(self._directory)}),
                what="The application's process",
                stdout=self._output.file,
                stderr=self._output.file,
                environment=SERVED | self._mark.environment,
            )
        except BaseException:
            self._output.close()
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        self.pid = self._process.pid
        self._seen = psutil.Process(self.pid)

    def start(self, within_s: float) -> None:
        """Return when the application is served.

        Raises:
            CannotRun: it cannot be imported, dies, or is not ready in time.
        """
        deadline = time.monotonic() + within_s
        lines = self._connect(min(deadline, time.monotonic() + _CONNECT_S))
        self._conversation = Conversation(lines, self.alive, self.death, self.last_output)
        late = f"was not ready to serve within {within_s:.0f} s"
        left_s = max(deadline - time.monotonic(), 0.0)
        answer = self._conversation.ask("start", {"within_s": left_s}, left_s + ANSWER_TIMES.grace_s, late)
        if "busy" in answer:
            place = f" and is still at {answer['busy']}" if answer["busy"] else ""
            raise CannotRun(f"The application {late}{place}{self.last_output()}.")
        if "failure" in answer:
            raise CannotRun(answer["failure"])
        self.url = f"http://127.0.0.1:{answer['port']}"
        self.notes = answer["notes"]

    def alive(self) -> bool:
        """Whether the process still runs."""
        # Not `Popen.poll`, which reaps: as long as the process is not reaped, no other takes its group's number.
        return self._process.returncode is None and runs(self._seen)

    def death(self) -> CannotRun:
        """Why the process is gone, with its own last words."""
        self._await_end()  # its connections close before it has ended
        status = None if self.alive() else self._end()
        return CannotRun(f"The application's process {how_it_ended(status)}{self.last_output()}.")

    def last_output(self) -> str:
        """What the application printed last, ready to be appended to a sentence."""
        return self._output.last(lines=2)

    def overhear(self) -> Callable[[], str]:
        """What the application prints from now on."""
        return self._output.overhear()

    def close(self) -> None:
        """End the process and whatever it started, and remove its socket and directory; may be called again."""
        if self._process.returncode is None:
            with contextlib.suppress(CannotRun):
                if self.url:
                    self._ask("quit", {}, ANSWER_TIMES.quit_s)
                    self._await_end()
            self._end()
        if self._conversation is not None:
            self._conversation.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._output.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _ask(self, command: str, arguments: dict[str, Any], within_s: float) -> Any:
        assert self._conversation is not None  # noqa: S101 - a mistake of a developer: it has not been started
        self._output.bound()
        return self._conversation.ask(command, arguments, within_s)

    def _connect(self, deadline: float) -> Lines:
        connection = socket.socket(socket.AF_UNIX)
        while True:
            try:
                connection.connect(str(self._directory / SOCKET))
            except OSError:
                if not self.alive():
                    connection.close()
                    raise self.death() from None
                if time.monotonic() > deadline:
                    connection.close()
                    raise CannotRun(f"The application's process did not start{self.last_output()}.") from None
                time.sleep(0.02)
            else:
                return Lines(connection)

    def _await_end(self) -> None:
        deadline = time.monotonic() + ANSWER_TIMES.quit_s
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _end(self) -> int:
        """Kill the process and whatever it started, and return its exit status: negative for a signal."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
            self._mark.end()
        return int(self._process.returncode)


@contextmanager
def child(
    target: str, *, http_threads: int = 4, instruments: str | None = None, start_s: float = START_S
) -> Iterator[Child]:
    """Serve an application from a process of its own, and leave nothing behind.

    Args:
        target: `module:attribute`, a WSGI or ASGI application or a factory that takes no arguments; imported from the
            working directory. Flask extensions with `start()` and `close()` are started before and closed after.
        http_threads: requests that a WSGI application handles at the same time.
        instruments: `module:callable` that gives further commands, imported in the child.
        start_s: seconds that the application has to get ready.

    Yields:
        The child, once it is served.

    Raises:
        CannotRun: it cannot be imported, or does not get ready.
    """
    process = Child(target, http_threads=http_threads, instruments=instruments)
    try:
        process.start(start_s)
        yield process
    finally:
        process.close()


def is_application(target: str) -> bool:
    """Whether the target is spelt as `module:attribute`."""
    module, _, attribute = target.partition(":")
    return all(part.isidentifier() for part in [*module.split("."), *attribute.split(".")])


def how_it_ended(status: int | None) -> str:
    """What became of a process, by its exit status: negative for a signal, None where it still runs."""
    if status is None:
        return "broke off the conversation (does it close file descriptors that it has not opened?)"
    if status < 0:
        return f"was killed by {_signal(-status)}"
    return f"ended by itself (exit status {status})"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # the real-time ones have no names
        return f"signal {number}"
