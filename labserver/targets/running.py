"""A service that runs already on this machine: found by its port, only looked at, and left as it is."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from labserver.errors import CannotRun
from labserver.heap.meters import SETTLING, wait_until
from labserver.heap.protocol import Lines
from labserver.heap.wire import FloorReading
from labserver.processes.running import runs
from labserver.processes.sockets import is_private, socket_name
from labserver.system import peer_of
from labserver.targets.attach.attached import Attached, attach
from labserver.targets.attach.refusal import NotAttachable
from labserver.targets.conversation import Conversation
from labserver.targets.instrumented import Target
from labserver.targets.listeners import accepting, listeners, ports_of, served_connections
from labserver.targets.process_meter import rest

_CONNECT_S = 5.0
_FROM_OUTSIDE = (
    "The service runs no instruments, so its private memory was read from outside, in whole pages, and its garbage "
    "was not collected: call labserver.listen() in it for exact figures and for the holders."
)

BUSY = " (is another check of it under way?)"


class NotInstrumented(CannotRun):
    """An instrument was asked for in a process that has none."""


class Running(Target):
    """A service that runs already; made by `at_port` and `of_pid`, and to be closed.

    Attributes:
        url: where it answers, without a trailing slash.
        pid: the process that serves; of several, the one that started them.
        instrumented: whether it has called `labserver.listen()`.
        notes: sentences about how it is measured.
    """

    def __init__(self, host: str, port: int, found: list[psutil.Process], *, attach_s: float | None = None) -> None:
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._port = port
        self._watched = _serving(host, port, found)
        self.pid = self._watched[0].pid
        self.notes: list[str] = []
        self._attached: Attached | None = None
        outside = ""
        try:
            self._conversation = self._converse(attach_s)
        except NotAttachable as error:
            self._conversation, outside = None, f" {error}"
        self.instrumented = self._conversation is not None
        if len(self._watched) > 1:
            self.notes.append(
                f"{len(self._watched)} processes share {self.url}: the sum of their private memory was read from "
                "outside, in whole pages; with one worker that calls labserver.listen(), its holders can be named."
            )
        elif not self.instrumented:
            self.notes.append(_FROM_OUTSIDE + outside)
        self._others = self._connections()  # of other clients, before there is any load

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

    def overhear(self) -> None:
        """What it prints goes elsewhere."""

    def close(self) -> None:
        """Let go of the service; may be called again."""
        if self._attached is not None:
            self._attached.close()
        if self._conversation is not None:
            self._conversation.close()

    def _ask(self, command: str, arguments: dict[str, Any], within_s: float) -> Any:
        if not self.alive():
            raise self.death()
        if self._conversation is None:
            raise NotInstrumented(
                f"{self.url} runs no instruments, so there is no {command!r}: call labserver.listen() in the service."
            )
        return self._conversation.ask(command, arguments, within_s)

    def _converse(self, attach_s: float | None) -> Conversation | None:
        """The conversation with the agent, where one process serves and has one, or may be given one.

        Raises:
            NotAttachable: it has none, and something that attaching takes is missing.
            CannotAttach: it has none, and could not be given one.
        """
        if len(self._watched) > 1:
            return None
        lines = agent_of(self._watched[0])
        if lines is None and attach_s is not None:
            self._attached = attach(self.pid, attach_s)
            lines = self._attached.lines
        return None if lines is None else Conversation(lines, self.alive, self.death, lambda: BUSY)

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


def agent_of(process: psutil.Process) -> Lines | None:
    """A connection to the agent in a process; None where it has none."""
    path = _agent_socket(process)
    if path is None:
        return None
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_CONNECT_S)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    peer = peer_of(connection)
    if peer is not None and peer.pid != process.pid:
        connection.close()
        return None
    return Lines(connection)


def _agent_socket(process: psutil.Process) -> Path | None:
    """Its path, from the process's own sockets: its temporary directory may be another than ours."""
    call = getattr(process, "net_connections", None) or process.connections
    try:
        owner, sockets = process.uids().real, call("unix")
    except psutil.Error:
        return None
    for item in sockets:
        path = Path(str(item.laddr))
        if path.parts[-2:] == socket_name(owner, process.pid) and is_private(path.parent, owner):
            return path
    return None


def _parent(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return process.ppid()
    return -1


def _hosts(processes: list[psutil.Process], port: int) -> set[str]:
    return {ports_of(process).get(port, "") for process in processes}
