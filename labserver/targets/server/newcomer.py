"""How each Python process of a command comes to the check: at its start, and again in whatever is forked from it.

It is sent as text, beside that of `labserver.targets.attach.entry`, whose functions it is given. A thread waits at the
check's socket; nothing of labserver is imported before the check asks, and whatever goes wrong is of no matter here.
"""

import contextlib
import os
from _thread import start_new_thread  # by name: an application may replace it (gevent)
from _warnings import filters
from collections.abc import Callable
from signal import SIG_BLOCK, pthread_sigmask, valid_signals
from time import sleep
from typing import Any

_BLOCK_BYTES = 256
_FORKED_S = 0.2  # in which a process that closes all descriptors after a fork has done so


class _ForkBesideThreads:
    """The warning of CPython 3.12 and later at a fork beside threads: ours holds no lock that the child could miss."""

    @staticmethod
    def match(text: str) -> bool:
        """Whether a text is that of the warning."""
        return "is multi-threaded, use of " in text


class Newcomer:
    """Waits to be asked.

    Args:
        meeting: the path of the check's socket.
        connect: gives the connection to it, or None.
        admit: starts the agent there, and returns when the check has gone.
    """

    def __init__(self, meeting: str, connect: Callable[[str], Any], admit: Callable[[Any], None]) -> None:
        self._meeting = meeting
        self._connect = connect
        self._admit = admit
        self._connection: Any = None

    def come(self) -> None:
        """Start the thread, here and in every process that is forked from this one."""
        # Not by `filterwarnings`, which would have all modules forget which warnings they have shown.
        filters.insert(0, ("ignore", _ForkBesideThreads, DeprecationWarning, None, 0))  # type: ignore[arg-type]
        os.register_at_fork(after_in_child=self._come_again)
        start_new_thread(self._wait, (0.0,))

    def _come_again(self) -> None:
        """In a process that was forked: what the parent waits with is not ours."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()
        with contextlib.suppress(RuntimeError):  # it can have no thread
            start_new_thread(self._wait, (_FORKED_S,))

    def _wait(self, before_s: float) -> None:
        with contextlib.suppress(BaseException):  # nothing may be printed there
            # The application's signals are for its own threads.
            pthread_sigmask(SIG_BLOCK, valid_signals())
            sleep(before_s)
            while (connection := self._connect(self._meeting)) is not None:
                self._connection = connection
                if self._is_asked(connection):
                    self._admit(connection)
                    return
                sleep(_FORKED_S)

    @staticmethod
    def _is_asked(connection: Any) -> bool:
        """Whether the check has asked; not where it has gone, or the application has closed what it has not opened.

        The connection is let go then. Its number may be that of something else by now, which is left alone.
        """
        descriptor = connection.fileno()
        ours = os.fstat(descriptor).st_ino
        try:
            connection.settimeout(None)
            asked = connection.recv(_BLOCK_BYTES)  # what is sent matters not; at the check's end it is nothing
            is_ours = os.fstat(descriptor).st_ino == ours
        except OSError:
            asked, is_ours = b"", False
        if asked and is_ours:
            return True
        connection.close() if is_ours else connection.detach()
        return False
