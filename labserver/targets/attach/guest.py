"""The agent in a process that is attached to: it lives as long as the connection, and takes away what it brought.

What stays is what was imported, in `sys.modules`.
"""

import contextlib
import ctypes
import os
import sys
import threading
from socket import socket
from typing import Protocol

from labserver.errors import CannotLook
from labserver.heap.child import in_child
from labserver.heap.protocol import Closed, Lines
from labserver.targets.service_agent import answer

_INSTRUMENTS = "labserver.diagnosis.instruments:commands"
_FORK_S = 20.0
_lock = threading.Lock()
_busy_in: int | None = None


class Offer(Protocol):
    """What lets the agent's thread import the other side's packages."""

    def remove(self) -> None:
        """Offer nothing any longer."""


class Busy(Exception):  # noqa: N818 - a result, and no mistake
    """Another check is in this process already."""


def serve(connection: socket, offer: Offer, page: tuple[int, int] | None) -> None:
    """Answer the other side until it has gone.

    Args:
        connection: to the other side; closed as the last thing.
        offer: removed at the end.
        page: memory to be given back at the end, by address and size.

    Raises:
        Busy: another one is here.
    """
    global _busy_in  # noqa: PLW0603 - there is one agent for each process
    with _lock:
        if _busy_in == os.getpid():  # in a process that was forked from this one, the thread is not
            raise Busy("another check is in this process")
        _busy_in = os.getpid()
    calculates = "numpy" in sys.modules
    lines = Lines(connection)
    try:
        with contextlib.suppress(Closed):
            lines.send({"ready": True})
            answer(lines, _INSTRUMENTS)
    finally:
        if not calculates and "numpy" in sys.modules:
            _end_threads_of_numpy()
        offer.remove()
        if page is not None:
            _give_back(*page)
        _busy_in = None
        lines.close()


def _end_threads_of_numpy() -> None:
    """Its library for matrices starts threads when it is loaded, and ends them before a fork, until they are needed."""
    with contextlib.suppress(CannotLook):
        in_child(lambda: None, within_s=_FORK_S)


def _give_back(address: int, size: int) -> None:
    ctypes.CDLL(None).munmap(ctypes.c_void_p(address), ctypes.c_size_t(size))
