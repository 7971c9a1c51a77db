"""A connection to another service: one deadline for all its addresses, and given up once nobody wants it any more."""

import errno
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from urllib3.util import wait_for_write

# How soon it is noticed that nobody wants the connection any more.
_LOOK_S = 0.1
_AT_ONCE = struct.pack("ii", 1, 0)


def open_connection(
    address: tuple[str, int],
    timeout_s: float,
    source: tuple[str, int] | None = None,
    *,
    unwanted: Callable[[], bool] = lambda: False,
) -> socket.socket:
    """Connect as `socket.create_connection` does, which begins its timeout anew for each address and waits for nobody.

    Args:
        address: Host and port.
        timeout_s: Seconds for all addresses together, once they are known; then the socket's own timeout.
        source: Where to connect from; anywhere if left out.
        unwanted: Whether to give up.

    Raises:
        OSError: No address could be reached in time, or while it was wanted.
    """
    deadline = time.monotonic() + timeout_s

    def over() -> bool:
        return unwanted() or time.monotonic() > deadline

    failure: OSError = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    for family, kind, protocol, _, where in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
        try:
            # A kernel without IPv6 has no socket for `::1`, to which a name may lead beside 127.0.0.1.
            sock = _connected(socket.socket(family, kind, protocol), where, source, over)
        except OSError as error:
            if over():
                raise
            failure = error
        else:
            sock.settimeout(timeout_s)
            return sock
    raise failure


def _connected(
    sock: socket.socket, where: Any, source: tuple[str, int] | None, over: Callable[[], bool]
) -> socket.socket:
    try:
        if source is not None:
            sock.bind(source)
        _connect(sock, where, over)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect(sock: socket.socket, where: Any, over: Callable[[], bool]) -> None:
    sock.setblocking(False)
    _raise(sock.connect_ex(where), unless=errno.EINPROGRESS)
    while not wait_for_write(sock, timeout=_LOOK_S):
        if over():
            raise TimeoutError
    _raise(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    # Where nobody listens on a port that the system also gives to those who connect, one may get that very port, and
    # meet oneself (RFC 9293, simultaneous open): nobody answers, and the neighbour finds its port taken.
    if sock.getsockname() == sock.getpeername():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)  # or the port stays taken for a minute
        _raise(errno.ECONNREFUSED)


def _raise(code: int, *, unless: int = 0) -> None:
    if code not in {0, unless}:
        raise OSError(code, os.strerror(code))
