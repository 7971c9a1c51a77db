"""The way to the agent in a process that somebody else runs: it is there, or it is put there for a while."""

import socket
from collections.abc import Callable
from pathlib import Path

import psutil

from labserver.errors import CannotRun
from labserver.heap.protocol import Lines
from labserver.processes.sockets import is_private, socket_name
from labserver.system import peer_of
from labserver.targets.attach.attached import Attached, attach
from labserver.targets.conversation import Conversation

_CONNECT_S = 5.0
_BUSY = " (is another check of it under way?)"
Waiting = Callable[[int], Attached | None]
"""Gives the agent in a process that waits for us already; None where none does."""


def converse(  # noqa: PLR0913 - the way there, and what is said where it ends
    process: psutil.Process,
    alive: Callable[[], bool],
    death: Callable[[], CannotRun],
    *,
    attach_s: float | None,
    waiting: Waiting | None = None,
    last_output: Callable[[], str] = lambda: _BUSY,
) -> Conversation | None:
    """The conversation with the agent in a process; None where it has none, and none is to be put there.

    Args:
        process: the one to be asked.
        alive: whether it still runs.
        death: why it does not.
        attach_s: seconds that its main thread gets to let an agent in, where it has none; None to put none into it.
        waiting: knows the agents of a command that we have started.
        last_output: what it printed last, or what else may be the matter, ready to be appended to a sentence.

    Raises:
        NotAttachable: it has none, and something that attaching takes is missing.
        CannotAttach: it has none, and could not be given one.
    """
    lines = agent_of(process)
    if lines is not None:
        return Conversation(lines, alive, death, last_output)
    attached = None if waiting is None else waiting(process.pid)
    if attached is None and attach_s is not None:
        attached = attach(process.pid, attach_s)
    if attached is None:
        return None
    return Conversation(attached.lines, alive, death, last_output, take_out=attached.close)


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
