"""Which of the processes that have a port open serve it, and which have only left it open for others."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from labserver.processes.running import runs
from labserver.targets.listeners import accepting, ports_of


@dataclass(frozen=True, slots=True)
class Serving:
    """Those that serve a port.

    Attributes:
        port: it.
        workers: the processes, by their numbers.
        master: the process that started them and has the port open for them; None where there is none.
    """

    port: int
    workers: tuple[psutil.Process, ...]
    master: psutil.Process | None = None

    def is_the_same(self) -> bool:
        """Whether the master has started no others since, and ended none."""
        if self.master is None:
            return True
        with contextlib.suppress(psutil.Error):
            return {one for one in self.master.children() if self.port in ports_of(one)} == set(self.workers)
        return False

    @property
    def master_runs(self) -> bool:
        """Whether there is a master that can start others."""
        return self.master is not None and runs(self.master)


def serving(
    host: str,
    port: int,
    found: Sequence[psutil.Process],
    *,
    master: psutil.Process | None = None,
    taker: psutil.Process | None = None,
) -> Serving:
    """Who serves.

    A server that forks leaves the port open in its parent, and a service that starts a pool of processes leaves it open
    in them: who takes a connection is one that serves, and so are its brothers, which could have taken it.

    Args:
        host: the port's.
        port: it.
        found: those that have it open.
        master: the one that is known to serve nobody.
        taker: one that is known to take connections; else it is tried out.
    """
    others = sorted((one for one in found if one != master), key=lambda process: process.pid)
    parents = {one: _parent(one) for one in others}
    ids = {one.pid: one for one in found}
    if len(others) > 1:
        one = taker or accepting(host, port, others)
        if one is None:  # none has the time: those that have started none of the others
            others = [process for process in others if process.pid not in parents.values()]
        else:
            others = [process for process in others if parents[process] == parents[one]]
    above = {parents[one] for one in others}
    known = ids.get(above.pop()) if len(above) == 1 else None
    return Serving(port, tuple(others), known if known not in others else None)


def _parent(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return process.ppid()
    return -1
