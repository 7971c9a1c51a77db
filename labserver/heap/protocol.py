"""JSON lines over a socket: one command a line, one answer a line. Nothing that arrives is ever executed."""

import json
import socket
import time
from typing import Any

SOCKET = "agent.sock"
"""The socket's name in its private directory."""

_BLOCK = 65_536


class Closed(Exception):  # noqa: N818 - the end of a conversation is no error
    """The other side has gone."""


class Silent(Exception):  # noqa: N818 - the same
    """The other side did not answer in time."""


class Lines:
    """One side of a conversation in JSON lines."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._pending = b""

    def send(self, message: dict[str, Any]) -> None:
        """Send one message.

        Raises:
            Closed: nobody is there to read it.
        """
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise Closed from error

    def receive(self, timeout_s: float | None = None) -> dict[str, Any]:
        """The next message.

        Raises:
            Closed: there will be none.
            Silent: there was none in time.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while b"\n" not in self._pending:
            block = self._block(deadline)
            if not block:
                raise Closed
            self._pending += block
        line, self._pending = self._pending.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """End the conversation."""
        self._connection.close()

    def _block(self, deadline: float | None) -> bytes:
        self._connection.settimeout(None if deadline is None else max(deadline - time.monotonic(), 0.001))
        try:
            return self._connection.recv(_BLOCK)
        except TimeoutError:
            raise Silent from None
        except OSError as error:
            raise Closed from error
