"""What a process prints, kept for the sentence that says why it ended."""

import fcntl
import os
import tempfile
from collections.abc import Callable

MOST_OUTPUT_BYTES = 2**22
_TAIL_BYTES = 4000
_OVERHEARD_BYTES = 2**18
_LONGEST_LINE = 300


class Output:
    """What a process writes beside its answers, in a file without a name.

    Attributes:
        file: to be handed to the process.
    """

    def __init__(self) -> None:
        # Appended to: the process shares the position in it with whoever reads or truncates it here.
        self.file = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - lives as long as the process that writes to it
        # A file without a name is opened before its mode is looked at, so that "a" alone does not make it so.
        fcntl.fcntl(self.file, fcntl.F_SETFL, fcntl.fcntl(self.file, fcntl.F_GETFL) | os.O_APPEND)

    def last(self, lines: int = 1) -> str:
        """The last lines, ready to be appended to a sentence; empty without any."""
        if self.file.closed:
            return ""
        size = self.file.seek(0, os.SEEK_END)
        self.file.seek(max(0, size - _TAIL_BYTES))
        stripped = [line.strip() for line in self.file.read().decode(errors="replace").splitlines()]
        said = [line for line in stripped if line]
        return f"; its last output: {' | '.join(said[-lines:])[-_LONGEST_LINE:].rstrip('.')}" if said else ""

    def overhear(self) -> Callable[[], str]:
        """From now on: what is called gives the end of what has been written since."""
        start = self.file.seek(0, os.SEEK_END)

        def since() -> str:
            size = self.file.seek(0, os.SEEK_END)
            self.file.seek(max(start if start <= size else 0, size - _OVERHEARD_BYTES))  # it may have been dropped
            return self.file.read().decode(errors="replace")

        return since

    def bound(self) -> None:
        """Drop what a talkative process has written so far when it is too much."""
        if os.fstat(self.file.fileno()).st_size > MOST_OUTPUT_BYTES:
            self.file.truncate(0)

    def close(self) -> None:
        """Close the file, which is gone then."""
        self.file.close()
