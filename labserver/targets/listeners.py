"""Which process listens on a port of this machine, and on which port a process listens."""

import contextlib
import ipaddress
import socket
import time
from typing import Any

import psutil

# They hold the sockets that they open for others, and are the parents of all.
_SUPERVISORS = ("systemd", "launchd", "init")
_ACCEPT_S = 1.0


def tcp_connections(process: psutil.Process) -> list[Any]:
    """A process's TCP sockets; none where it may not be looked at or is gone."""
    call = getattr(process, "net_connections", None) or process.connections  # the older name, before psutil 6
    try:
        return list(call("tcp"))
    except psutil.Error:
        return []


def listeners(port: int) -> list[psutil.Process]:
    """The processes that have the port open for connections to this machine itself, by their ids."""
    found = [
        process
        for process in psutil.process_iter()
        if any(here == port for _, here in _listening(tcp_connections(process)))
    ]
    serving = [process for process in found if _name(process) not in _SUPERVISORS]
    return sorted(serving or found, key=lambda process: process.pid)


def ports_of(process: psutil.Process) -> dict[int, str]:
    """The ports that a process listens on, each with an address of this machine that reaches it."""
    ports: dict[int, str] = {}
    for host, port in _listening(tcp_connections(process)):
        if port not in ports or ":" not in host:  # either way of writing an address, the shorter one before
            ports[port] = host
    return ports


def served_connections(process: psutil.Process, port: int | None = None) -> int:
    """How many connections a process has open on a port that it listens on, or on any of them."""
    connections = tcp_connections(process)
    own = {port} if port is not None else {here for _, here in _listening(connections)}
    # Also those that the client has closed already: the service still holds their buffers.
    return sum(item.status != psutil.CONN_LISTEN and item.laddr.port in own for item in connections if item.laddr)


def accepting(host: str, port: int, processes: list[psutil.Process]) -> psutil.Process | None:
    """Which of several processes takes a connection; None where none does in a second."""
    deadline = time.monotonic() + _ACCEPT_S
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=_ACCEPT_S) as connection:
        me = connection.getsockname()[1]
        while time.monotonic() < deadline:
            for process in processes:
                if any(item.raddr and item.raddr.port == me for item in tcp_connections(process)):
                    return process
            time.sleep(0.02)
    return None


def _listening(connections: list[Any]) -> list[tuple[str, int]]:
    """Host and port of those that this machine itself can reach."""
    found = []
    for item in connections:
        if item.status == psutil.CONN_LISTEN and item.laddr:
            address = ipaddress.ip_address(item.laddr.ip)
            if address.is_unspecified:
                found.append(("127.0.0.1", item.laddr.port))
            elif address.is_loopback:
                found.append((item.laddr.ip, item.laddr.port))
    return found


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return process.name()
    return ""
