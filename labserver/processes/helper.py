"""Processes of this package: they end with the one that started them, and say why where they end before it."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from labserver.errors import CannotRun
from labserver.processes.output import Output

_DEATH_S = 2.0
_PACKAGES = Path(__file__).parents[2]


def spawn(
    module: str,
    *arguments: str,
    what: str,
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
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
            if left <= 0 or not _is_readable(stdout.fileno(), left):
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


def _is_readable(descriptor: int, within_s: float) -> bool:
    # Not `select.select`, which knows no descriptor beyond 1023: the service itself may be in this process.
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(1000 * within_s))
