"""waitress's connections, made proof against clients that mean no good."""

import contextlib
import resource
import socket
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError

_MOST = 10_000
# Descriptors that connections leave free: for the page's files, a store and whoever shares the process.
_RESERVED = 128


def most_connections() -> int:
    """Return how many connections may be open at once; further clients wait until one of them is closed.

    Without a limit below the process's own, connections would take its last descriptors: a request that needs one
    would fail, and the server would try in vain, over and over, to accept the next client.
    """
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return _MOST
    return min(_MOST, max(allowed - _RESERVED, allowed // 2))


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """A parser that answers 400 to what waitress stumbles over, rather than to hang up without a word.

    Half an IPv6 address is too much for `urlsplit`, a length of more than 4,300 digits for `int`.
    """

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError:
            raise ParsingError("The request line or a header cannot be read") from None


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that no thread waits for, and that ends although its client reads nothing."""

    parser_class = _Parser

    def writable(self) -> bool:
        """Shut down what shall be closed: the loop closes what can be written to, which a full buffer cannot."""
        if self.will_close:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
        return bool(super().writable())

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Hang up on a client that asks for more and more and reads nothing, where waitress waits until it reads."""
        if self._is_behind():
            self._flush_exception(self._flush_some_locked, do_close=False)
            if self._is_behind():
                self.will_close, self.connected = True, False
                self.server.pull_trigger()

    def _flush_some_locked(self, **options: Any) -> bool:
        with self.outbuf_lock:
            return bool(self._flush_some(**options))

    def _is_behind(self) -> bool:
        return bool(self.total_outbufs_len > self.adj.outbuf_high_watermark)
