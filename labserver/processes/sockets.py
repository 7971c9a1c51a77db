"""Unix sockets that nobody but this user can reach, and the directories that they lie in."""

import os
import stat
import tempfile
from pathlib import Path

LONGEST_PATH = 100
"""Of a Unix socket, in bytes: the kernel's limit is 108, macOS' 104."""
_RANDOM = "12345678"  # as many letters as `tempfile` adds to a prefix


def socket_name(uid: int, pid: int) -> tuple[str, str]:
    """The directory's name, private to the user, and the socket's in it, where a running service's agent is met."""
    return f"labserver-{uid}", f"{pid}.sock"


def is_private(directory: Path, owner: int) -> bool:
    """Whether it is a directory, not a link to one, that its owner alone can enter."""
    try:
        state = os.lstat(directory)
    except OSError:
        return False
    return stat.S_ISDIR(state.st_mode) and state.st_uid == owner and stat.S_IMODE(state.st_mode) == 0o700


def private_directory(prefix: str, socket: str) -> Path:
    """Make a directory that only this user can enter, with a path that leaves room for the name of a socket in it."""
    path = os.fsencode(Path(tempfile.gettempdir(), prefix + _RANDOM, socket))
    return Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp" if len(path) > LONGEST_PATH else None))  # noqa: S108 - private
