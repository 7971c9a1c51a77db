"""Where the agent of a running service is met."""

import os
import stat
from pathlib import Path

LONGEST_PATH = 100
"""Of a Unix socket, in bytes: the kernel's limit is 108, macOS' 104."""


def socket_name(uid: int, pid: int) -> tuple[str, str]:
    """The directory's name, private to the user, and the socket's in it."""
    return f"labserver-{uid}", f"{pid}.sock"


def is_private(directory: Path, owner: int) -> bool:
    """Whether it is a directory, not a link to one, that its owner alone can enter."""
    try:
        state = os.lstat(directory)
    except OSError:
        return False
    return stat.S_ISDIR(state.st_mode) and state.st_uid == owner and stat.S_IMODE(state.st_mode) == 0o700
