"""An application in a process of its own, behind a real socket, for as long as a `with` block lasts."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labserver.errors import CannotRun
from labserver.heap.protocol import SOCKET, Lines
from labserver.targets.conversation import ANSWER_S, Conversation
from labserver.targets.leftovers import MARK, end_marked
from labserver.targets.rendezvous import LONGEST_PATH

START_S = 60.0
_CONNECT_S = 20.0
_QUIT_S = 4.0
_GRACE_S = 3.0  # for an answer about a deadline that was met by nobody
_TAIL_BYTES = 4000
_KEPT_OUTPUT_BYTES = 2**22
_BOOT = "import sys; sys.path.append(sys.argv.pop(1)); from labserver.targets.host import main; main()"
_PACKAGES = Path(__file__).parents[2]


class Child:
    """A served application and the instruments in its process; made by `child`.

    Attributes:
        url: where it is served, without a trailing slash.
        pid: its process id.
        threads: how many threads it had when it began to serve.
        instrumented: always; see `labserver.targets.target.Target`.
        notes: how it is served otherwise than it stands.
    """

    instrumented = True

    def __init__(self, target: str, *, http_threads: int, instruments: str | None) -> None:
        self.url = ""
        self.threads = 0
        self.notes: list[str] = []
        self._conversation: Conversation | None = None
        self._output = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - lives as long as the process that writes to it
        self._directory = _private_directory()
        self._token = secrets.token_hex(8)
        config = {"target": target, "http_threads": http_threads, "instruments": instruments, "token": self._token}
        self._process = self._spawn({**config, "directory": str(self._directory)})
        self.pid = self._process.pid

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
        answer = self._conversation.ask("start", {"within_s": left_s}, left_s + _GRACE_S, late)
        if "busy" in answer:
            place = f" and is still at {answer['busy']}" if answer["busy"] else ""
            raise CannotRun(f"The application {late}{place}{self.last_output()}.")
        if "failure" in answer:
            raise CannotRun(answer["failure"])
        self.url = f"http://127.0.0.1:{answer['port']}"
        self.threads = answer["threads"]
        self.notes = answer["notes"]

    def ask(self, command: str, *, within_s: float = ANSWER_S, **arguments: Any) -> Any:
        """What an instrument in the process answers.

        Raises:
            CannotRun: the process has died or does not answer, or the instrument failed.
        """
        assert self._conversation is not None  # noqa: S101 - a mistake of a developer: it has not been started
        self._bound_output()
        return self._conversation.ask(command, arguments, within_s)

    def alive(self) -> bool:
        """Whether the process still runs; afterwards too it is there to be asked for its end."""
        flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
        # Not `Popen.poll`, which reaps: as long as the process is not reaped, no other takes its group's number.
        return self._process.returncode is None and os.waitid(os.P_PID, self.pid, flags) is None

    def death(self) -> CannotRun:
        """Why the process is gone, with its own last words."""
        for _ in range(50):
            if not self.alive():
                break
            time.sleep(0.02)
        return CannotRun(f"The application's process {_how(self._exit_status())}{self.last_output()}.")

    def last_output(self) -> str:
        """What the application printed last, ready to be appended to a sentence."""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _TAIL_BYTES))
        lines = [line.strip() for line in self._output.read().decode(errors="replace").splitlines()]
        said = [line for line in lines if line]
        return f"; its last output: {' | '.join(said[-2:])[-300:].rstrip('.')}" if said else ""

    def close(self) -> None:
        """End the process and whatever it started, and remove its socket and directory; may be called again."""
        if self._process.returncode is None:
            with contextlib.suppress(CannotRun):
                if self.url:
                    self.ask("quit", within_s=1.0)
                    self._await_end()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
            end_marked(self._token)
        if self._conversation is not None:
            self._conversation.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._output.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _spawn(self, config: dict[str, Any]) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONTRACEMALLOC"}
        # Freed blocks that threads keep for themselves would count as in use.
        environment |= {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0", "PYTHONUNBUFFERED": "1"}
        # Two revisions within a second and of one size would share the first one's bytecode.
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", MARK: self._token}
        try:
            return subprocess.Popen(  # noqa: S603 - this interpreter and a module of this package
                # Not `-m`: modules of the working directory must not stand in for those that the host needs.
                [sys.executable, "-P", "-c", _BOOT, str(_PACKAGES), json.dumps(config)],
                stdin=subprocess.PIPE,  # its end tells the child that this process is gone
                stdout=self._output,
                stderr=self._output,
                env=environment,
                start_new_session=True,  # Ctrl-C on the terminal is the parent's to handle
            )
        except OSError as error:
            self._output.close()
            shutil.rmtree(self._directory, ignore_errors=True)
            raise CannotRun(f"The application's process could not be started ({error}).") from error

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
        deadline = time.monotonic() + _QUIT_S
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _exit_status(self) -> int | None:
        result = (
            None
            if self._process.returncode is not None
            else os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        )
        if result is None:
            return self._process.returncode
        return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status

    def _bound_output(self) -> None:
        """Drop what a talkative application has written so far when it is too much."""
        if os.fstat(self._output.fileno()).st_size > _KEPT_OUTPUT_BYTES:
            self._output.truncate(0)


@contextmanager
def child(
    target: str, *, http_threads: int = 4, instruments: str | None = None, start_s: float = START_S
) -> Iterator[Child]:
    """Serve an application from a process of its own, and leave nothing behind.

    Args:
        target: `module:attribute`, a WSGI application or a factory that takes no arguments; imported from the working
            directory. Flask extensions with `start()` and `close()` are started before and closed after.
        http_threads: requests that are handled at the same time.
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


def _private_directory() -> Path:
    """A new directory that only this user can enter, with a path that is short enough for a socket."""
    directory = Path(tempfile.mkdtemp(prefix="labserver-check-"))
    if len(str(directory / SOCKET)) > LONGEST_PATH:
        directory.rmdir()
        directory = Path(tempfile.mkdtemp(prefix="labserver-check-", dir="/tmp"))
    return directory


def _how(status: int | None) -> str:
    if status is None:
        return "broke off the conversation (does it close file descriptors that it has not opened?)"
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended by itself (exit status {status})"
