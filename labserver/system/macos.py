"""macOS, by its documentation: untried. Without it a check still works, with tracing and without a forked child."""

import socket
import struct

from labserver.system.facts import AddressSpace, Peer

CAN_ATTACH = False
"""By ptrace it is another matter there, and `sys.remote_exec` asks for root; nobody has tried."""

CAN_FORK = False
"""System libraries do not survive a fork without exec: a look at the heap is taken in place."""

KEEPS_BOOKS = False
"""malloc keeps some, but nobody has compared them with what Python uses: a check traces, which costs time."""

LIMITS_ADDRESS_SPACE = False
"""RLIMIT_AS can be set, and is not enforced."""

# Of sys/un.h and sys/ucred.h. `struct xucred` has the version, the user, and room for 16 groups.
_SOL_LOCAL, _LOCAL_PEERCRED, _LOCAL_PEERPID = 0, 1, 2
_XUCRED_BYTES, _XUCRED_VERSION = 76, 0


def peer_of(connection: socket.socket) -> Peer | None:
    """Who is at the other end of a Unix socket (LOCAL_PEERCRED, see unix(4)); None where the system does not tell."""
    try:
        version, uid = struct.unpack_from("II", connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES))
        (pid,) = struct.unpack("i", connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID, 4))
    except (OSError, struct.error):
        return None
    return Peer(pid, uid) if version == _XUCRED_VERSION else None


def address_space(pid: int) -> AddressSpace:
    """Nobody limits it here, so nobody asks.

    Raises:
        OSError: always.
    """
    raise OSError(pid, "the address space is not known here")


def limit_address_space(pid: int, limit: int) -> None:
    """Nothing would enforce it.

    Raises:
        OSError: always.
    """
    raise OSError(pid, f"the address space cannot be limited to {limit} bytes here")
