"""A process that is only looked at: whether it listens on a port, and who else does, is of no matter."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labserver.errors import CannotRun
from labserver.processes.running import runs
from labserver.targets.conversation import Conversation
from labserver.targets.instrumented import Target
from labserver.targets.running import BUSY, NotInstrumented, agent_of, process_of
from labserver.targets.target import open_target, parse_target


class OneProcess(Target):
    """A process, to be closed.

    Raises:
        CannotRun: there is no process of that number, or it may not be looked at.
    """

    def __init__(self, pid: int) -> None:
        self.pid, self.url = pid, ""
        self.notes: list[str] = []
        self._process = process_of(pid)
        lines = agent_of(self._process)
        self.instrumented = lines is not None
        self._conversation = None if lines is None else Conversation(lines, self.alive, self.death, lambda: BUSY)

    def alive(self) -> bool:
        """Whether it still runs."""
        return runs(self._process)

    def death(self) -> CannotRun:
        """That it does not."""
        if self.alive():
            return CannotRun(f"Process {self.pid} broke off the conversation.")
        return CannotRun(f"Process {self.pid} has ended.")

    def overhear(self) -> None:
        """What it prints goes elsewhere."""

    def close(self) -> None:
        """Let go of it; may be called again."""
        if self._conversation is not None:
            self._conversation.close()

    def _ask(self, command: str, arguments: dict[str, Any], within_s: float) -> Any:
        if not self.alive():
            raise self.death()
        if self._conversation is None:
            raise NotInstrumented(f"Process {self.pid} runs no instruments, so there is no {command!r}.")
        return self._conversation.ask(command, arguments, within_s)


@contextmanager
def open_to_look(spec: str) -> Iterator[Target]:
    """Have a target that runs already ready for looks, for the length of a `with` block.

    Args:
        spec: `http://host:port` with a host of this machine, or `pid:N`; a process need not listen on any port.

    Raises:
        UsageError: the target is spelt in no known way, or names another machine.
        CannotRun: there is no such process, or no single service.
    """
    pid = parse_target(spec).pid
    if pid is None:
        with open_target(spec) as service:
            yield service
        return
    process = OneProcess(pid)
    try:
        yield process
    finally:
        process.close()
