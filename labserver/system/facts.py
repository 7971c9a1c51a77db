"""What the modules of the platforms answer with."""

from typing import NamedTuple


class AddressSpace(NamedTuple):
    """Bytes of a process's address space: now, and the most that it has ever been."""

    size: int
    peak: int


class Peer(NamedTuple):
    """The process at the other end of a Unix socket, and its user."""

    pid: int
    uid: int
