"""A process whose heap is asked for once, which needs no port and no load."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from labserver.errors import CannotRun
from labserver.processes.running import runs
from labserver.targets.conversation import Conversation
from labserver.targets.instrumented import Instrumented
from labserver.targets.running import agent_of
from labserver.targets.target import open_target, parse_target

_BUSY = " (is another check of it under way?)"


class Process(Instrumented):
    """A process that has called `labserver.listen()`, by its number.

    Args:
        pid: its number.

    Raises:
        CannotRun: there is none, it may not be looked at, or it does not listen.
    """

    instrumented = True

    def __init__(self, pid: int) -> None:
        self.pid, self.notes = pid, []
        try:
            self._process = psutil.Process(pid)
            self._process.memory_full_info()
        except psutil.AccessDenied:
            raise CannotRun(f"Process {pid} may not be looked at: ask as the user it belongs to.") from None
        except (psutil.Error, OverflowError):
            raise CannotRun(f"There is no process {pid}.") from None
        lines = agent_of(self._process)
        if lines is None:
            raise CannotRun(f"Process {pid} runs no instruments: call labserver.listen() in it.")
        self._conversation = Conversation(lines, self._alive, self._death, lambda: _BUSY)

    def close(self) -> None:
        """Let go of the process."""
        self._conversation.close()

    def _ask(self, command: str, arguments: dict[str, Any], within_s: float) -> Any:
        return self._conversation.ask(command, arguments, within_s)

    def _alive(self) -> bool:
        return runs(self._process)

    def _death(self) -> CannotRun:
        return CannotRun(f"Process {self.pid} has ended.")


@contextmanager
def open_process(spec: str, *, instruments: str) -> Iterator[Instrumented]:
    """Have a process ready for questions, for the length of a `with` block.

    Args:
        spec: `module:attribute`, an application that is started and ended; `http://127.0.0.1:PORT` or `pid:N`, a
            process that has called `labserver.listen()`.
        instruments: `module:callable` that gives a started application's process its commands.

    Raises:
        UsageError: the target is spelt in no known way.
        CannotRun: it cannot be started, is not there, or runs no instruments.
    """
    pid = parse_target(spec).pid
    if pid is None:
        with open_target(spec, instruments=instruments) as target:
            yield target
        return
    process = Process(pid)
    try:
        yield process
    finally:
        process.close()
