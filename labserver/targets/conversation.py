"""Questions to the agent in a process, and its answers."""

import time
from collections.abc import Callable
from typing import Any

from labserver.errors import CannotLook, CannotRun
from labserver.heap.protocol import Closed, Lines, Silent

_LOOK_S = 0.5


class Conversation:
    """One question at a time.

    Args:
        lines: the connection.
        alive: whether the process still runs.
        death: why it does not.
        last_output: what it printed last, ready to be appended to a sentence.
        take_out: takes the agent out of the process, where it was put there for this conversation alone.
    """

    def __init__(
        self,
        lines: Lines,
        alive: Callable[[], bool],
        death: Callable[[], CannotRun],
        last_output: Callable[[], str],
        *,
        take_out: Callable[[], None] | None = None,
    ) -> None:
        self._lines = lines
        self._alive = alive
        self._death = death
        self._last_output = last_output
        self._take_out = take_out
        self._late = 0

    @property
    def with_a_guest(self) -> bool:
        """Whether the agent was put into the process for this conversation."""
        return self._take_out is not None

    def ask(self, command: str, arguments: dict[str, Any], within_s: float, otherwise: str = "") -> Any:
        """What the command answers.

        Args:
            command: its name.
            arguments: JSON values by name.
            within_s: seconds that it has.
            otherwise: what the sentence says when it did not answer in time.

        Raises:
            CannotLook: it needed a look at the heap, which failed.
            CannotRun: the process has died or does not answer, or the command failed.
        """
        self.put(command, arguments)
        return self.take(command, within_s, otherwise)

    def put(self, command: str, arguments: dict[str, Any]) -> None:
        """Ask, and go on meanwhile: the answer is to be taken, or skipped, before the next question.

        Raises:
            CannotRun: the process has died.
        """
        try:
            self._lines.send({"command": command, **arguments})
        except Closed:
            raise self._death() from None

    def skip(self) -> None:
        """Nobody wants the answer any longer."""
        self._late += 1

    def take(self, command: str, within_s: float, otherwise: str = "") -> Any:
        """What the command that was put answers; as `ask`."""
        try:
            deadline = time.monotonic() + within_s
            while self._late:  # answers that came too late belong to questions before
                self._receive(deadline)
                self._late -= 1
            answer = self._receive(deadline)
        except Closed:
            raise self._death() from None
        except Silent:
            self._late += 1
            otherwise = otherwise or f"did not answer {command!r} within {within_s:.0f} s"
            raise CannotRun(f"The application {otherwise}{self._last_output()}.") from None
        if "unseen" in answer:
            raise CannotLook(answer["unseen"])
        if "error" in answer:
            raise CannotRun(f"An instrument in the application's process failed ({answer['error']}).")
        return answer["result"]

    def close(self) -> None:
        """End it; may be called again."""
        if self._take_out is not None:
            self._take_out()
        self._lines.close()

    def _receive(self, deadline: float) -> dict[str, Any]:
        while True:
            left = deadline - time.monotonic()
            try:
                return self._lines.receive(min(max(left, 0.0), _LOOK_S))
            except Silent:
                # A process that the application forked keeps the connection open beyond its death.
                if not self._alive():
                    raise Closed from None
                if left <= 0:
                    raise
