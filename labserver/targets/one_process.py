"""A process that is only looked at: whether it listens on a port, and who else does, is of no matter."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from labserver.errors import CannotRun
from labserver.processes.running import runs
from labserver.targets.agent import converse
from labserver.targets.attach.refusal import NotAttachable
from labserver.targets.instrumented import Target
from labserver.targets.running import at_port, process_of
from labserver.targets.target import open_target, parse_target
from labserver.targets.visited import Visited, or_listen

if TYPE_CHECKING:
    from labserver.targets.conversation import Conversation


class OneProcess(Visited):
    """A process, to be closed.

    Args:
        pid: its number.
        attach_s: seconds that its main thread gets to let an agent in, where it has none; None to put none into it.

    Raises:
        CannotRun: there is no process of that number, it may not be looked at, or an agent could not be put into it.
    """

    def __init__(self, pid: int, *, attach_s: float | None = None) -> None:
        super().__init__(f"Process {pid}")
        self.pid, self.url = pid, ""
        self._process = process_of(pid)
        self._conversation: Conversation | None = None
        try:
            self._conversation = converse(self._process, self.alive, self.death, attach_s=attach_s)
        except NotAttachable as error:
            self.missing = or_listen(error)
        self.instrumented = self._conversation is not None
        if self.instrumented:
            self.missing = ""

    def alive(self) -> bool:
        """Whether it still runs."""
        return runs(self._process)

    def death(self) -> CannotRun:
        """That it does not."""
        if self.alive():
            return CannotRun(f"Process {self.pid} broke off the conversation.")
        return CannotRun(f"Process {self.pid} has ended.")

    def close(self) -> None:
        """Let go of it, and take out of it what was put into it; may be called again."""
        if self._conversation is not None:
            self._conversation.close()

    def _ask(self, command: str, arguments: dict[str, Any], within_s: float) -> Any:
        if not self.alive():
            raise self.death()
        self.require_instruments(command)
        assert self._conversation is not None  # noqa: S101 - it is what was just seen to be there
        return self._conversation.ask(command, arguments, within_s)


@contextmanager
def open_to_look(spec: str, *, instruments: str | None = None, attach_s: float | None = None) -> Iterator[Target]:
    """Have a target ready for looks, all its instruments with it, for the length of a `with` block.

    Args:
        spec: `http://host:port` with a host of this machine; `pid:N`, a process that need not listen on any port; or
            `module:attribute`, an application that is started and ended.
        instruments: `module:callable` that gives a started application's process its commands.
        attach_s: seconds that a running process's main thread gets to let an agent in; None to put none into it.

    Raises:
        UsageError: the target is spelt in no known way, or names another machine.
        CannotRun: there is no such process, or no single service; it has no instruments, and cannot be given any.
    """
    parsed = parse_target(spec)
    if parsed.application is not None:
        with open_target(spec, instruments=instruments) as application:
            yield application
        return
    found: Visited
    if parsed.address is not None:
        found = at_port(*parsed.address, attach_s=attach_s)
    else:
        found = OneProcess(parsed.pid or 0, attach_s=attach_s)
    try:
        found.require_instruments()
        yield found
    finally:
        found.close()
