"""Processes of this package: they end with the one that started them, and say why where they end before it."""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil
from urllib3.util import wait_for_read

from labserver.errors import CannotRun

MOST_OUTPUT_BYTES = 2**22
_TAIL_BYTES = 4000
_OVERHEARD_BYTES = 2**18
_LONGEST_LINE = 300
_DEATH_S = 2.0
_PACKAGES = Path(__file__).parents[1]


class Output:
    """What a process writes beside its answers, in a file without a name.

    Attributes:
        file: to be handed to the process.
    """

    def __init__(self) -> None:
        # Appended to: the process shares the position in it with whoever reads or truncates it here.
        self.file = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - lives as long as the process that writes to it
        # A file without a name is opened before its mode is looked at, so that "a" alone does not make it so.
        fcntl.fcntl(self.file, fcntl.F_SETFL, fcntl.fcntl(self.file, fcntl.F_GETFL) | os.O_APPEND)

    def last(self, lines: int = 1) -> str:
        """The last lines, ready to be appended to a sentence; empty without any."""
        if self.file.closed:
            return ""
        size = self.file.seek(0, os.SEEK_END)
        self.file.seek(max(0, size - _TAIL_BYTES))
        stripped = [line.strip() for line in self.file.read().decode(errors="replace").splitlines()]
        said = [line for line in stripped if line]
        return f"; its last output: {' | '.join(said[-lines:])[-_LONGEST_LINE:].rstrip('.')}" if said else ""

    def overhear(self) -> Callable[[], str]:
        """From now on: what is called gives the end of what has been written since."""
        start = self.file.seek(0, os.SEEK_END)

        def since() -> str:
            size = self.file.seek(0, os.SEEK_END)
            self.file.seek(max(start if start <= size else 0, size - _OVERHEARD_BYTES))  # it may have been dropped
            return self.file.read().decode(errors="replace")

        return since

    def bound(self) -> None:
        """Drop what a talkative process has written so far when it is too much."""
        if os.fstat(self.file.fileno()).st_size > MOST_OUTPUT_BYTES:
            self.file.truncate(0)

    def close(self) -> None:
        """Close the file, which is gone then."""
        self.file.close()


def spawn(
    module: str,
    *arguments: str,
    what: str,
    stdout: IO[bytes] | int,
    stderr: IO[bytes],
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Run `main()` of a module of this package in a process of its own.

    Its standard input is a pipe, whose end tells it that this process is gone.

    Args:
        module: with its package.
        *arguments: its `sys.argv[1:]`.
        what: names it in sentences.
        stdout: where its output goes.
        stderr: where its errors go.
        environment: variables to set beside those of this process.

    Raises:
        CannotRun: the system does not start it.
    """
    boot = f"import sys; sys.path.append(sys.argv.pop(1)); from {module} import main; main()"
    # A traced process must not slow its helpers down.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONTRACEMALLOC"}
    try:
        return subprocess.Popen(  # noqa: S603 - this interpreter and a module of this package
            # Not `-m`: modules of the working directory must not stand in for those that the process needs.
            [sys.executable, "-P", "-c", boot, str(_PACKAGES), *arguments],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            env={**inherited, **(environment or {})},
            start_new_session=True,  # Ctrl-C on the terminal is this process's to handle
        )
    except OSError as error:
        raise CannotRun(f"{what} could not be started ({error}).") from error


class Helper:
    """A process that is spoken to in JSON lines, over its standard input and output.

    Args:
        module: whose `main()` it runs.
        *arguments: its `sys.argv[1:]`.
        what: names it in sentences, such as `The load generator`.
        environment: variables to set beside those of this process.

    Attributes:
        pid: its process id.

    Raises:
        CannotRun: the system does not start it.
    """

    def __init__(self, module: str, *arguments: str, what: str, environment: Mapping[str, str] | None = None) -> None:
        self._what = what
        self._pending = b""
        self._output = Output()
        try:
            self._process = spawn(
                module,
                *arguments,
                what=what,
                stdout=subprocess.PIPE,
                stderr=self._output.file,
                environment=environment,
            )
        except BaseException:
            self._output.close()
            raise
        self.pid = self._process.pid

    def send(self, message: Any) -> None:
        """Tell it something.

        Raises:
            CannotRun: it has died.
        """
        stdin: Any = self._process.stdin
        try:
            stdin.write(json.dumps(message).encode() + b"\n")
            stdin.flush()
        except OSError as error:
            raise self._death() from error

    def receive(self, within_s: float) -> Any:
        """What it says next; a line that an interrupt leaves half read is read on by the next call.

        Raises:
            CannotRun: it has died, or says nothing in time.
        """
        self._output.bound()
        stdout: Any = self._process.stdout
        deadline = time.monotonic() + within_s
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            # Not `select`, which knows no descriptor beyond 1023: the service itself may be in this process.
            if left <= 0 or not wait_for_read(stdout, timeout=left):
                raise CannotRun(f"{self._what} has been silent for {within_s:.0f} s{self.last_output()}.")
            block = os.read(stdout.fileno(), 2**16)
            if not block:
                raise self._death()
            self._pending += block
        line, self._pending = self._pending.split(b"\n", 1)
        return json.loads(line)

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill it, as a crash would, and return when it is gone."""
        self._process.kill()
        self._process.wait()

    def last_output(self) -> str:
        """What it wrote last to its errors, ready to be appended to a sentence."""
        return self._output.last()

    def close(self, within_s: float) -> None:
        """End its input, give it time to end by itself, or else kill it; may be called again."""
        stdin: Any = self._process.stdin
        stdout: Any = self._process.stdout
        with suppress(OSError):
            stdin.close()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(within_s)
        finally:
            self.kill()
            stdout.close()
            self._output.close()

    def _death(self) -> CannotRun:
        try:
            code: object = self._process.wait(_DEATH_S)
        except subprocess.TimeoutExpired:
            code = "unknown"
        return CannotRun(f"{self._what} died (exit status {code}){self.last_output()}.")


def runs(process: psutil.Process) -> bool:
    """Whether a process is there and has not ended; one that nobody has reaped yet has."""
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
