"""Where the Python processes of a command meet the check."""

import contextlib
import os
import socket
import time
from pathlib import Path

from labserver.heap.protocol import Lines
from labserver.system import peer_of
from labserver.targets.attach.attached import Attached, HungUp, greet

_BACKLOG = 1024  # more than a command starts between two looks at who has come
_BEGIN = b"begin\n"
_AGAIN_S = 3.0  # until a process is here that was forked just now, or has lost its connection
_POLL_S = 0.05


class Gathering:
    """A socket at which processes wait until they are asked; to be closed.

    Args:
        path: of the socket; its folder is private.
    """

    def __init__(self, path: Path) -> None:
        self._met: set[int] = set()
        self._waiting: dict[int, socket.socket] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(_BACKLOG)
        self._listener.setblocking(False)

    @property
    def present(self) -> set[int]:
        """The processes that have come and wait, by their numbers; but those that have ended since."""
        self._look()
        return set(self._waiting)

    def agent_of(self, pid: int) -> Attached | None:
        """Begin to talk to the agent in a process; None where it has not come.

        Raises:
            CannotAttach: it has come, and no agent can work in it.
        """
        deadline = time.monotonic() + _AGAIN_S
        while (connection := self._coming(pid, deadline)) is not None:
            attached = Attached(connection, Lines(connection), None)
            try:
                with contextlib.suppress(OSError):
                    connection.sendall(_BEGIN)
                greet(pid, attached)
            except HungUp:  # who closes what it has not opened comes again
                attached.close()
            except BaseException:
                attached.close()
                raise
            else:
                return attached
        return None

    def _coming(self, pid: int, deadline: float) -> socket.socket | None:
        """The connection of a process that is here, or will be by then, as those of its command that have come."""
        while pid not in self.present and self._met and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return self._waiting.pop(pid, None)

    @property
    def has_met_any(self) -> bool:
        """Whether any process has ever come."""
        self._look()
        return bool(self._met)

    def close(self) -> None:
        """Wait for nobody any longer: those that wait go on alone."""
        self._listener.close()
        for connection in self._waiting.values():
            connection.close()
        self._waiting.clear()

    def _look(self) -> None:
        """Let in who has come, and forget who has gone."""
        with contextlib.suppress(OSError):
            while True:
                self._let_in(self._listener.accept()[0])
        for pid, connection in list(self._waiting.items()):
            if _has_ended(connection):
                connection.close()
                del self._waiting[pid]

    def _let_in(self, connection: socket.socket) -> None:
        peer = peer_of(connection)
        if peer is None or peer.uid not in {os.getuid(), 0}:
            connection.close()
            return
        connection.setblocking(True)
        if (gone := self._waiting.pop(peer.pid, None)) is not None:  # another process has the number by now
            gone.close()
        self._waiting[peer.pid] = connection
        self._met.add(peer.pid)


def _has_ended(connection: socket.socket) -> bool:
    """Whether the other side has: it sends nothing before it is asked."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
