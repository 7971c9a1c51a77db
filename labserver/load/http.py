"""HTTP requests timed at the connection, by k6's definition.

`duration` is sending + waiting + receiving, without look-up, TCP connect and TLS handshake, which are `connecting`.
The times around a call of requests would add what requests itself does (0.25 to 0.9 ms), and its `elapsed` leaves out
the body.

Source: https://grafana.com/docs/k6/latest/using-k6/metrics/reference/ (http_req_*).
"""

import math
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import wait_for_read

from labserver.load.expected import SUCCESS, Expected

REFUSED, RESET, TIMED_OUT, TLS, INCOMPLETE, UNREACHABLE = (
    "refused",
    "reset",
    "timed out",
    "tls",
    "incomplete",
    "unreachable",
)
INTERRUPTED = "interrupted"  # cut off by whoever stopped the load, which says nothing about the server
_REDIRECT = 3  # the first digit
_ID_SEGMENT = re.compile(r"(?<=/)[^/]*\d[^/]*")


class RequestRecord(NamedTuple):
    """One request and its answer.

    Attributes:
        name: what the request is for, such as `submit`.
        start: when it began, on the clock of `time.monotonic`, seconds.
        connecting: look-up, TCP connect and TLS handshake, seconds; 0 when the connection was kept alive.
        sending: from the first to the last byte of the request, seconds.
        waiting: from then to the first byte of the answer, seconds.
        receiving: from then to the last byte of the body, seconds.
        duration: sending + waiting + receiving, seconds; infinite without a whole answer.
        status: the HTTP status, or None when no answer began.
        error: why there was no whole answer, or None.
        sent: bytes handed to the connection, headers included.
        received: bytes of the answer: status line, headers and body, without the framing of chunks.
        method: such as `GET`.
        url: what was asked for.
        expected: the statuses that the answer may have.
    """

    name: str
    start: float
    connecting: float
    sending: float
    waiting: float
    receiving: float
    duration: float
    status: int | None
    error: str | None
    sent: int
    received: int
    method: str = ""
    url: str = ""
    expected: Expected = SUCCESS

    @property
    def went_well(self) -> bool:
        """Whether there was a whole answer, and with an expected status; a redirect is on the way to one."""
        if self.error is not None or self.status is None:
            return False
        return self.status in self.expected or self.status // 100 == _REDIRECT


class _Stamps:
    """The instants of one exchange on `time.monotonic`, 0 where it did not come that far."""

    __slots__ = ("connecting", "cut", "first_byte", "send_end", "send_start", "sent", "sock", "start")

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.connecting = self.send_start = self.send_end = self.first_byte = 0.0
        self.sent = 0
        self.sock: socket.socket | None = None
        self.cut: str | None = None


class _Current(threading.local):
    """The exchange under way in this thread: urllib3 offers no way to hand anything to a connection with a request."""

    stamps: _Stamps = _Stamps()


_current = _Current()


class _StampingConnection(HTTPConnection):
    def connect(self) -> None:
        began = time.monotonic()
        try:
            super().connect()
        finally:
            _current.stamps.connecting += time.monotonic() - began

    def request(self, *args: Any, **kwargs: Any) -> None:
        # http.client would connect in the middle of sending: do it before the stamp.
        if self.sock is None:
            self.connect()
        stamps = _current.stamps
        stamps.sock = self.sock
        stamps.send_start = time.monotonic()
        try:
            super().request(*args, **kwargs)
        finally:
            stamps.send_end = time.monotonic()

    def send(self, data: Any) -> None:
        super().send(data)
        _current.stamps.sent += len(data)

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        # The first byte is here when the socket is readable; the headers are read and parsed only after that.
        if self.sock is not None and not wait_for_read(self.sock, timeout=self.sock.gettimeout()):
            raise TimeoutError("no answer within the timeout")
        _current.stamps.first_byte = time.monotonic()
        return super().getresponse(*args, **kwargs)


class _StampingTLSConnection(_StampingConnection, HTTPSConnection):
    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        # A session ticket makes the socket readable long before the answer: only its parsed headers tell here.
        response = HTTPSConnection.getresponse(self, *args, **kwargs)
        _current.stamps.first_byte = time.monotonic()
        return response


class _StampingPool(HTTPConnectionPool):
    ConnectionCls = _StampingConnection


class _StampingTLSPool(HTTPSConnectionPool):
    ConnectionCls = _StampingTLSConnection


class TimedAdapter(HTTPAdapter):
    """Sends requests, reads their whole bodies and hands one record of each to `sink`; never retries.

    Args:
        sink: called with each `RequestRecord`, in the thread that made the request.
        name_request: gives a record its name, from the method and the URL's path.
        timeout_s: seconds to connect, and seconds without a byte, where the caller gives no timeout.

    Attributes:
        expected: the statuses that the next answers may have.
    """

    def __init__(
        self,
        sink: Callable[[RequestRecord], None],
        name_request: Callable[[str, str], str],
        timeout_s: float,
    ) -> None:
        self.sink = sink
        self._name_request = name_request
        self._timeout_s = timeout_s
        self.expected = SUCCESS
        self._stamps: _Stamps | None = None
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Have the pools open connections that take the times."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _StampingPool, "https": _StampingTLSPool}

    def send(  # noqa: PLR0913, PLR0917 - the signature is requests'
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send one request and read its answer to the last byte.

        Raises:
            requests.RequestException: there was no whole answer; the record says so too.
        """
        stamps = self._stamps = _current.stamps = _Stamps()
        response = None
        try:
            response = super().send(request, stream, timeout or self._timeout_s, verify, cert, proxies)
            # Session would read the body as its next step; here the last byte can be stamped.
            _ = response.content
            _require_whole(response, stamps)
        except Exception as error:
            kind = stamps.cut or error_kind(error)
            self._hand_over(request, stamps, response, kind)
            if kind == TIMED_OUT and not isinstance(error, requests.Timeout):  # it was cut off for that
                raise requests.ReadTimeout("no whole answer within the timeout", request=request) from error
            raise
        else:
            self._hand_over(request, stamps, response, None)
        finally:
            self._stamps = None
        return response

    def abort(self, kind: str, older_than_s: float = 0.0) -> None:
        """End the exchange under way from another thread; does nothing when there is none.

        Args:
            kind: what its record then gives as the error.
            older_than_s: leave it alone unless it began that many seconds ago.
        """
        stamps = self._stamps
        if stamps is None or stamps.sock is None or time.monotonic() - stamps.start < older_than_s:
            return
        stamps.cut = kind
        with suppress(OSError):  # the server may have closed it meanwhile
            stamps.sock.shutdown(socket.SHUT_RDWR)

    def _hand_over(
        self, request: requests.PreparedRequest, stamps: _Stamps, response: requests.Response | None, error: str | None
    ) -> None:
        last_byte = time.monotonic()
        first_byte = stamps.first_byte or last_byte
        send_end = stamps.send_end or last_byte
        send_start = stamps.send_start or last_byte
        self.sink(
            RequestRecord(
                name=self._name_request(request.method or "", urlsplit(request.url or "").path),
                start=stamps.start,
                connecting=stamps.connecting,
                sending=send_end - send_start,
                waiting=first_byte - send_end,
                receiving=last_byte - first_byte,
                duration=last_byte - send_start if error is None else math.inf,
                status=None if response is None else response.status_code,
                error=error,
                sent=stamps.sent,
                received=0 if response is None else _size(response),
                method=request.method or "",
                url=request.url or "",
                expected=self.expected,
            )
        )


def timed_session(
    sink: Callable[[RequestRecord], None],
    name_request: Callable[[str, str], str] | None = None,
    timeout_s: float = 10.0,
) -> tuple[requests.Session, TimedAdapter]:
    """A session whose requests are timed, and the adapter that does it.

    The environment only says whose certificates are believed: a proxy would be measured in the server's stead, and
    `.netrc` be read at each request.
    """
    adapter = TimedAdapter(sink, name_request or path_name, timeout_s)
    session = requests.Session()
    session.trust_env = False
    session.verify = trusted_certificates()
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session, adapter


def trusted_certificates() -> str | bool:
    """The file or folder of certificates that requests' own variables name, for its `verify`; else its default."""
    named = (os.environ.get(name, "") for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    return next((path for path in named if path and Path(path).exists()), True)


def path_name(method: str, path: str) -> str:
    """A request's name where its journey gives none: method and path, with `{id}` for segments that hold a digit.

    >>> path_name("GET", "/orders/17/lines")
    'GET /orders/{id}/lines'
    """
    return f"{method} {_ID_SEGMENT.sub('{id}', path)}"


def error_kind(error: BaseException) -> str:
    """One word for why a request got no whole answer, from the chain of exceptions that requests wraps around it."""
    chain = list(_chain(error))
    if any(isinstance(link, (requests.Timeout, TimeoutError)) for link in chain):
        return TIMED_OUT
    kinds: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
        ((requests.exceptions.SSLError,), TLS),
        ((ConnectionRefusedError,), REFUSED),
        ((ConnectionResetError, BrokenPipeError, RemoteDisconnected), RESET),
        ((requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError), INCOMPLETE),
    )
    for types, kind in kinds:
        if any(isinstance(link, types) for link in chain):
            return kind
    return UNREACHABLE


def _chain(error: BaseException | None) -> list[BaseException]:
    """The exception and those it came from, without going round in circles."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    return seen


def _require_whole(response: requests.Response, stamps: _Stamps) -> None:
    """Raise where a body that was read without complaint is not the whole one."""
    if stamps.cut:  # a body without a length just seems to end there
        raise requests.ConnectionError(f"aborted: {stamps.cut}", request=response.request)
    if response.raw.length_remaining:  # urllib3 1 does not complain by itself
        missing = response.raw.length_remaining
        raise requests.exceptions.ChunkedEncodingError(f"{missing} bytes are missing", request=response.request)


def _size(response: requests.Response) -> int:
    head = len("HTTP/1.1 200 \r\n\r\n") + len(response.reason or "")
    fields = sum(len(name) + len(value) + len(": \r\n") for name, value in response.raw.headers.items())
    return head + fields + int(response.raw.tell())
