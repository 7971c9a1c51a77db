"""Linux."""

import resource
import socket
import struct
from pathlib import Path

from labserver.system.facts import AddressSpace, Peer

CAN_ATTACH = True
"""Whether an agent can be put into a process that knows nothing of it."""

CAN_FORK = True
"""Whether a process may fork and the child go on without exec, so that a look at the heap leaves the service alone."""

KEEPS_BOOKS = True
"""Whether the allocators say how much is in use; the C library may still be another one than glibc."""

LIMITS_ADDRESS_SPACE = True
"""Whether a limit of the address space (RLIMIT_AS, see setrlimit(2)) is enforced."""


def peer_of(connection: socket.socket) -> Peer | None:
    """Who is at the other end of a Unix socket (SO_PEERCRED, see unix(7)); None where the system does not tell."""
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Peer(pid, uid)


def address_space(pid: int) -> AddressSpace:
    """What the kernel says of a process's address space, see proc_pid_status(5).

    Raises:
        OSError: the process has ended.
    """
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines if line.startswith("Vm"))
    if not fields:
        raise ProcessLookupError(pid)  # a zombie has none
    return AddressSpace(*(int(fields[name].split()[0]) * 1024 for name in ("VmSize", "VmPeak")))


def limit_address_space(pid: int, limit: int) -> None:
    """Let a process's address space have so many bytes at most."""
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
