"""What a process has mapped, see proc_pid_maps(5), and its memory, see proc_pid_mem(5)."""

import os
import re
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

_LINE = re.compile(
    r"(?P<start>[0-9a-f]+)-(?P<end>[0-9a-f]+) (?P<rights>\S{4}) (?P<offset>[0-9a-f]+) \S+ \d+ *(?P<path>.*)"
)


class Mapping(NamedTuple):
    """One line: from address `start` to before `end`, rights such as `r-xp`, of which file from which offset."""

    start: int
    end: int
    rights: str
    offset: int
    path: str


def mappings_of(pid: int) -> list[Mapping]:
    """All of them.

    Raises:
        OSError: the process has ended, or may not be looked at.
    """
    text = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="surrogateescape")
    return [
        Mapping(int(one["start"], 16), int(one["end"], 16), one["rights"], int(one["offset"], 16), one["path"])
        for one in map(_LINE.fullmatch, text.splitlines())
        if one is not None
    ]


class Memory:
    """The memory of a process. To open it takes the same permission as ptrace(2) does.

    Args:
        pid: whose.
        writable: whether it will be written to.

    Raises:
        OSError: it may not be opened, or is not there; so do its methods.
    """

    def __init__(self, pid: int, *, writable: bool = False) -> None:
        self._file = os.open(f"/proc/{pid}/mem", os.O_RDWR if writable else os.O_RDONLY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        os.close(self._file)

    def read(self, address: int, size: int) -> bytes:
        """So many bytes; fewer where it ends before."""
        return os.pread(self._file, size, address)

    def write(self, address: int, block: bytes) -> None:
        """Put bytes there."""
        if os.pwrite(self._file, block, address) != len(block):
            raise OSError(f"{len(block)} bytes could not be written at {address:#x}")
