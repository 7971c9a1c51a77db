"""A service that runs already on this machine: found by its port, only looked at, and left as it is."""

from collections.abc import Sequence

import psutil

from labserver.errors import CannotRun
from labserver.processes.running import runs
from labserver.targets.listeners import listeners, ports_of, served_connections
from labserver.targets.serving import serving
from labserver.targets.workers import Workers

_FROM_OUTSIDE = (
    "Its private memory was read from outside, in whole pages, and its garbage was not collected: exact figures and "
    "the holders take instruments in it."
)


class Running(Workers):
    """A service that runs already; made by `at_port` and `of_pid`, and to be closed.

    Attributes:
        url: where it answers, without a trailing slash.
        pid: the process that serves; of several, the one that started them.
        instrumented: whether each process that serves has an agent.
        notes: sentences about how it is measured.
    """

    def __init__(self, host: str, port: int, found: list[psutil.Process], *, attach_s: float | None = None) -> None:
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        super().__init__(f"The service at {self.url}", attach_s=attach_s)
        self._host, self._port = host, port
        self._now = serving(host, port, found)
        self._gather(self._now.workers)
        first, master = self.members[0], self._now.master
        self.pid = master.pid if master is not None and self.processes > 1 else first.pid
        self.notes += _notes(self)

    def death(self) -> CannotRun:
        """Which process is gone."""
        gone = [process.pid for process in self.members if not runs(process)]
        if not gone:
            return CannotRun(f"The service at {self.url} broke off the conversation.")
        return CannotRun(f"The service at {self.url} has ended (process {gone[0]}).")

    def _serving(self) -> list[psutil.Process]:
        self._now = serving(self._host, self._port, listeners(self._port), master=self._now.master)
        return list(self._now.workers)

    def _are_the_same(self, members: Sequence[psutil.Process]) -> bool:
        return set(members) == set(self._now.workers) and self._now.is_the_same()

    def _may_come_back(self) -> bool:
        return self._now.master_runs

    def _connections(self) -> int:
        return sum(served_connections(process, self._port) for process in self.members)


def _notes(service: Running) -> list[str]:
    """How a service is measured where not all is known of it."""
    if service.instrumented:
        return []
    if service.processes == 1:
        return [f"{service.missing} {_FROM_OUTSIDE}"]
    without = ", ".join(map(str, service.without))
    share = f"{service.processes} processes share {service.url}, and some have no agent ({without})."
    return [f"{share} {service.missing} {_FROM_OUTSIDE}"]


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


def _hosts(processes: list[psutil.Process], port: int) -> set[str]:
    return {ports_of(process).get(port, "") for process in processes}
