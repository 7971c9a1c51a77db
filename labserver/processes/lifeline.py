"""How a process of this package notices that the one that started it is gone."""

import contextlib
import os
from select import select  # by name: an application under test may put its own in its place (gevent)

_LOOK_S = 0.5
# Small enough for CPython's own allocator, so that also a process at its memory limit can read.
_BLOCK_BYTES = 256


class Lifeline:
    """The other end of a pipe that the parent holds; made as soon as the process begins.

    Args:
        descriptor: to read from, the standard input if left out.
    """

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._parent = os.getppid()

    def read(self) -> bytes:
        """What the parent says next; nothing once it has closed its end, or is gone."""
        # A process that the parent forked may hold the pipe open after its death: then only the new parent tells.
        while os.getppid() == self._parent:
            with contextlib.suppress(MemoryError):
                if select([self._descriptor], [], [], _LOOK_S)[0]:
                    return os.read(self._descriptor, _BLOCK_BYTES)
        return b""

    def wait(self) -> None:
        """Return when the parent has closed its end, or is gone."""
        while self.read():
            pass
