"""A Redis server of one's own, in memory, on a private socket, for as long as a `with` block lasts."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from labserver.errors import CannotRun
from labserver.processes.sockets import private_directory

_READY_WITHIN_S = 20.0
# The shell holds the server on a line: it ends with this process, also where that is killed, for then the pipe closes
# that `read` waits at. `wait` first gives the server the time to end.
_ON_A_LINE = '"$@" & read -r _; kill $!; wait $!'


def find_redis_server() -> str:
    """Return the path of the program.

    Raises:
        CannotRun: It is not installed.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise CannotRun("The store 'redis' needs the program redis-server: install Debian's package redis-server.")
    return program


@contextmanager
def redis_server() -> Iterator[Path]:
    """Start a server that keeps nothing on disk and listens nowhere but on a socket in a private directory.

    Yields:
        The socket's path.

    Raises:
        CannotRun: The program is missing or does not come up.
    """
    program = find_redis_server()
    folder = private_directory("labserver-redis-", "socket")
    try:
        path = folder / "socket"
        options = {"port": "0", "unixsocket": str(path), "unixsocketperm": "700", "save": "", "dir": str(folder)}
        command = [program, *(word for name, value in options.items() for word in (f"--{name}", value))]
        # A session of its own: Ctrl-C in a terminal is for this process, which then ends the server in its turn.
        with subprocess.Popen(  # noqa: S603 - the program was found, the options are ours
            ["/bin/sh", "-c", _ON_A_LINE, "labserver", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ):
            _await(path)
            yield path
    finally:
        shutil.rmtree(folder)


def _await(path: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while not _answers(path):
        if time.monotonic() > deadline:
            raise CannotRun(f"redis-server did not answer within {_READY_WITHIN_S:g} s.")
        time.sleep(0.005)


def _answers(path: Path) -> bool:
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1)
        connection.connect(str(path))
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
    return False
