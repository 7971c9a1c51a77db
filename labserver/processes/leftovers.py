"""What a process started, found again wherever it went, and ended."""

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import psutil

from labserver.processes.running import runs

# Each kind has a variable of its own: what is checked in a notebook belongs to the check and to the kernel.
TARGET = "LABSERVER_TARGET"
KERNEL = "LABSERVER_KERNEL"
_WITHIN_S = 5.0
_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Mark:
    """A variable in the environment that processes inherit: a daemon leaves its group and parent, and keeps that.

    Attributes:
        variable: its name.
        token: its value, random if left out.
    """

    variable: str
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def environment(self) -> dict[str, str]:
        """To be given to the first process."""
        return {self.variable: self.token}

    def processes(self) -> list[psutil.Process]:
        """Those that run with the mark, but this one."""
        return [process for process in psutil.process_iter() if self._is_on(process) and runs(process)]

    def end(self) -> int:
        """Kill them all, and return how many they were."""
        return end_all(self.processes)

    def _is_on(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            return process.pid != os.getpid() and process.environ().get(self.variable) == self.token
        return False


def end_all(find: Callable[[], Iterable[psutil.Process]]) -> int:
    """Kill what is found until nothing is, and return how many that were: one may start another before its end."""
    ended: set[psutil.Process] = set()
    deadline = time.monotonic() + _WITHIN_S
    while (found := set(find())) and time.monotonic() < deadline:
        ended |= found
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        # Not `psutil.wait_procs`: it waits for zombies too, whose parent may never reap them.
        time.sleep(_PAUSE_S)
    return len(ended)
