"""A service that runs already on this machine: found by its port, only looked at, and left as it is."""

import contextlib
from collections.abc import Iterator

import psutil

from labserver.errors import CannotRun
from labserver.heap.meters import SETTLING, wait_until
from labserver.heap.wire import FloorReading
from labserver.processes.running import runs
from labserver.targets.listeners import accepting, listeners, ports_of, served_connections
from labserver.targets.process_meter import rest
from labserver.targets.visited import Visited

_FROM_OUTSIDE = (
    "Its private memory was read from outside, in whole pages, and its garbage was not collected: exact figures and "
    "the holders take instruments in it."
)


class Running(Visited):
    """A service that runs already; made by `at_port` and `of_pid`, and to be closed.

    Attributes:
        url: where it answers, without a trailing slash.
        pid: the process that serves; of several, the one that started them.
        instrumented: whether an agent answers in it: one that `labserver.listen()` has brought, or that was put there.
        notes: sentences about how it is measured.
    """

    def __init__(self, host: str, port: int, found: list[psutil.Process], *, attach_s: float | None = None) -> None:
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        super().__init__(f"The service at {self.url}")
        self._port = port
        self._watched = _serving(host, port, found)
        self.pid = self._watched[0].pid
        self._others = self._connections()  # of other clients, before there is any load
        if len(self._watched) > 1:
            share = f"{len(self._watched)} processes share {self.url}"
            self.missing = f"{share}, and a look is at one of them: give its number, as pid:{self._watched[-1].pid}."
            self.notes.append(
                f"{share}: the sum of their private memory was read from outside, in whole pages; with one worker, its "
                "holders can be named."
            )
        else:
            self._meet(self._watched[0], attach_s)
            if not self.instrumented:
                self.notes.append(f"{self.missing} {_FROM_OUTSIDE}")

    def floor(self, *, threads: int | None = None, settle_s: float | None = None) -> FloorReading:
        """The memory at rest; without instruments it is read from outside."""
        if self._conversation is not None:
            return super().floor(threads=threads, settle_s=settle_s)
        if not self.alive():
            raise self.death()
        drain_s = max(settle_s or 0.0, SETTLING.drain_s)
        wait_until(lambda: self._connections() <= self._others, timeout_s=drain_s)
        reading = rest(self._measured, drain_s)
        if not self.alive():
            raise self.death()
        return reading

    def alive(self) -> bool:
        """Whether every process that served at the beginning still does."""
        return all(runs(process) for process in self._watched)

    def death(self) -> CannotRun:
        """Which process is gone."""
        gone = [process.pid for process in self._watched if not runs(process)]
        if not gone:
            return CannotRun(f"The service at {self.url} broke off the conversation.")
        if len(gone) < len(self._watched) or listeners(self._port):
            return CannotRun(
                f"Process {gone[0]} of the service at {self.url} has ended and another serves in its place: let it run "
                "without restarts (as gunicorn's max_requests makes them) while it is checked."
            )
        return CannotRun(f"The service at {self.url} has ended (process {gone[0]}).")

    def _connections(self) -> int:
        return sum(served_connections(process, self._port) for process in self._watched)

    def _measured(self) -> Iterator[psutil.Process]:
        """The processes that serve and all that they have started."""
        seen = set()
        for process in self._watched:
            family = [process]
            with contextlib.suppress(psutil.Error):
                family += process.children(recursive=True)
            for member in family:
                if member.pid not in seen:
                    seen.add(member.pid)
                    yield member


def at_port(host: str, port: int, *, attach_s: float | None = None) -> Running:
    """The service that listens there.

    Args:
        host: of this machine.
        port: where it answers.
        attach_s: seconds that its main thread gets to let an agent in, where it has none; None to put none into it.

    Raises:
        CannotRun: no process of this user does, or an agent could not be put into it.
    """
    found = listeners(port)
    if not found:
        raise CannotRun(f"No process that may be looked at listens on port {port}: is the service up, and yours?")
    host = "127.0.0.1" if host == "localhost" and "127.0.0.1" in _hosts(found, port) else host
    return _opened(host, port, found, attach_s)


def of_pid(pid: int, *, attach_s: float | None = None) -> Running:
    """The service that a process is, or is a part of.

    Args:
        pid: its number.
        attach_s: as for `at_port`.

    Raises:
        CannotRun: there is no such process, it may not be looked at, listens on no port or on several, or an agent
            could not be put into it.
    """
    process = process_of(pid)
    ports = ports_of(process)
    if not ports:
        raise CannotRun(f"Process {pid} listens on no TCP port of this machine, so it cannot be put under load.")
    if len(ports) > 1:
        known = ", ".join(map(str, sorted(ports)))
        raise CannotRun(f"Process {pid} listens on the ports {known}: give the one to load as http://127.0.0.1:PORT.")
    ((port, host),) = ports.items()
    return _opened(host, port, listeners(port), attach_s)


def process_of(pid: int) -> psutil.Process:
    """The process of that number.

    Raises:
        CannotRun: there is none, or it may not be looked at.
    """
    try:
        process = psutil.Process(pid)
        process.memory_full_info()
    except psutil.AccessDenied:
        raise CannotRun(f"Process {pid} may not be looked at: run the check as the user it belongs to.") from None
    except (psutil.Error, OverflowError):
        raise CannotRun(f"There is no process {pid}.") from None
    return process


def _opened(host: str, port: int, found: list[psutil.Process], attach_s: float | None) -> Running:
    try:
        return Running(host, port, found, attach_s=attach_s)
    except psutil.NoSuchProcess as error:
        raise CannotRun(f"The service on port {port} has just ended (process {error.pid}).") from None


def _serving(host: str, port: int, found: list[psutil.Process]) -> list[psutil.Process]:
    """Those of the processes with the port open whose memory counts, the first one being their parent if it is there.

    A server that forks leaves the port open in its parent, and a service that starts a pool of processes leaves it
    open in them: who takes a connection is the one that serves, unless it has brothers that could have taken it.
    """
    if len(found) == 1:
        return found
    one = accepting(host, port, found)
    if one is not None and not any(other != one and _parent(other) == _parent(one) for other in found):
        return [one]
    ids = {process.pid for process in found}
    return sorted(found, key=lambda process: _parent(process) in ids)


def _parent(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return process.ppid()
    return -1


def _hosts(processes: list[psutil.Process], port: int) -> set[str]:
    return {ports_of(process).get(port, "") for process in processes}
