"""What somebody else runs, and is only looked at: with the agent that it has, or that it is given for a while."""

from collections.abc import Callable

from labserver.errors import CannotRun
from labserver.targets.attach.refusal import NotAttachable
from labserver.targets.instrumented import Target


class NotInstrumented(CannotRun):
    """An instrument was asked for in a process that has none."""


class Visited(Target):
    """A process or a service of some, to be closed.

    Attributes:
        instrumented: whether the agent answers.
        missing: why it does not, in a sentence; empty where it does.

    Args:
        called: what sentences call it.
    """

    def __init__(self, called: str) -> None:
        self.notes: list[str] = []
        self.instrumented = False
        self.missing = f"{called} runs no instruments: call labserver.listen() in it."
        self._called = called

    def overhear(self) -> Callable[[], str] | None:
        """What it prints goes elsewhere."""

    def require_instruments(self, command: str = "") -> None:
        """See that the agent answers.

        Args:
            command: what it is to be asked, for the sentence.

        Raises:
            NotInstrumented: it does not, and why.
        """
        if self.instrumented:
            return
        if command:
            raise NotInstrumented(
                f"{self._called} runs no instruments, so there is no {command!r}: call labserver.listen() in it."
            )
        raise NotInstrumented(self.missing)


def or_listen(error: NotAttachable) -> str:
    """Why no agent could be put into a process, and what may be done instead."""
    return f"{str(error).removesuffix('.')}; or call labserver.listen() in it."
