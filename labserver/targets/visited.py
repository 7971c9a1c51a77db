"""What somebody else runs, and is only looked at: with the agent that it has, or that it is given for a while."""

from typing import TYPE_CHECKING, Any

import psutil

from labserver.errors import CannotRun
from labserver.targets.agent import converse
from labserver.targets.attach.refusal import NotAttachable
from labserver.targets.instrumented import Target

if TYPE_CHECKING:
    from labserver.targets.conversation import Conversation


class NotInstrumented(CannotRun):
    """An instrument was asked for in a process that has none."""


class Visited(Target):
    """A process or a service of some, to be closed.

    Attributes:
        instrumented: whether the agent answers; it is not there before `_meet` was called.
        missing: why it does not, in a sentence; empty where it does.

    Args:
        called: what sentences call it.
    """

    def __init__(self, called: str) -> None:
        self.notes: list[str] = []
        self.instrumented = False
        self.missing = f"{called} runs no instruments: call labserver.listen() in it."
        self._called = called
        self._conversation: Conversation | None = None

    def overhear(self) -> None:
        """What it prints goes elsewhere."""

    def close(self) -> None:
        """Let go of it, and take out of it what was put into it; may be called again."""
        if self._conversation is not None:
            self._conversation.close()

    def require_instruments(self) -> None:
        """See that the agent answers.

        Raises:
            NotInstrumented: it does not, and why.
        """
        if not self.instrumented:
            raise NotInstrumented(self.missing)

    def _meet(self, process: psutil.Process, attach_s: float | None) -> None:
        """Begin to talk to the agent, which is put there where it is none and may be put.

        Raises:
            CannotAttach: it has none, and could not be given one.
        """
        try:
            self._conversation = converse(process, self.alive, self.death, attach_s=attach_s)
        except NotAttachable as error:
            self.missing = f"{str(error).removesuffix('.')}; or call labserver.listen() in it."
        self.instrumented = self._conversation is not None
        if self.instrumented:
            self.missing = ""

    def _ask(self, command: str, arguments: dict[str, Any], within_s: float) -> Any:
        if not self.alive():
            raise self.death()
        if self._conversation is None:
            raise NotInstrumented(
                f"{self._called} runs no instruments, so there is no {command!r}: call labserver.listen() in it."
            )
        return self._conversation.ask(command, arguments, within_s)
