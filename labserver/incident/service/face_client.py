"""The gateway's side of the AI service: a request for each face, within a deadline, over connections that are kept."""

import io
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit

from urllib3 import encode_multipart_formdata
from urllib3.util import wait_for_read

from labserver.errors import UsageError
from labserver.incident.service.connection import open_connection
from labserver.incident.service.face import BadPhoto, Closing, ComposeError, is_png

# A neighbour answers a connection at once.
_CONNECT_S = 5.0
# Not longer: servers close idle connections, some after two seconds, and a request must not meet that.
_IDLE_S = 1.0
_MOST_PROBLEM_BYTES = 16 * 1024
_MOST_DETAIL = 300

_logger = logging.getLogger(__name__)


class FaceApiError(ComposeError):
    """The AI service gave no face; the text is meant for the client."""


class FaceApiTimeout(FaceApiError):  # noqa: N818 - reads as the answer it becomes, 504
    """It gave none in time."""


class FaceClient:
    """Calls the AI service from any number of threads; a connection is open for each call, and until a later one.

    Args:
        url: Where it is, such as `http://127.0.0.1:8001`.
        timeout_s: Seconds that a call may take in all, however slowly the answer dribbles in.
        max_image_bytes: Largest face that is accepted, in bytes of its file.
        max_pixels: The same in its width times height.

    Raises:
        UsageError: The URL is none of a server.
    """

    def __init__(self, url: str, *, timeout_s: float, max_image_bytes: int, max_pixels: int) -> None:
        self._address = face_api_address(url)
        self._timeout_s = timeout_s
        self._max_image_bytes = max_image_bytes
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        self._closed = False
        self._busy: set[HTTPConnection] = set()
        self._idle: list[tuple[float, HTTPConnection]] = []

    def compose(self, parent_a: bytes, parent_b: bytes) -> bytes:
        """Return the face as PNG.

        Raises:
            BadPhoto: The AI service cannot use a photograph.
            FaceApiTimeout: There was no whole answer in time.
            FaceApiError: It cannot be reached, failed, or answered with something that is no face.
            Closing: `close` was called.
        """
        deadline = time.monotonic() + self._timeout_s
        try:
            with self._connection(deadline) as connection:
                return self._exchange(connection, parent_a, parent_b, deadline)
        except ComposeError as error:
            _logger.info("%s: %s", self._address.netloc, error)
            raise
        except TimeoutError:
            raise FaceApiTimeout(f"The face-api did not answer within {self._timeout_s:g} s.") from None
        except (OSError, HTTPException) as error:
            _logger.info("%s: %r", self._address.netloc, error)
            self._refuse_if_closed()
            raise FaceApiError("The face-api broke the connection off.") from None

    def close(self) -> None:
        """End the calls under way and close all connections; later calls fail."""
        with self._lock:
            self._closed = True
            busy, idle = list(self._busy), [connection for _, connection in self._idle]
            self._idle.clear()
        for connection in busy:
            # Not closed here: its own thread is about to use it. It wakes up, and does that.
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for connection in idle:
            connection.close()

    def _exchange(self, connection: HTTPConnection, parent_a: bytes, parent_b: bytes, deadline: float) -> bytes:
        photos = {"parentA": ("parentA", parent_a), "parentB": ("parentB", parent_b)}
        body, content_type = encode_multipart_formdata(photos)
        connection.sock.settimeout(_left(deadline))  # sending, unlike receiving, has it in all
        connection.request(
            "POST",
            f"{self._address.path.rstrip('/')}/compose",
            body,
            {"Content-Type": content_type, "Accept": "image/png"},
        )
        connection.response_class = partial(_answer, deadline=deadline)  # type: ignore[assignment]
        with connection.getresponse() as response:
            return self._image_in(response)

    def _image_in(self, response: HTTPResponse) -> bytes:
        if response.status != HTTPStatus.OK:
            raise _refusal(response)
        if (response.length or 0) > self._max_image_bytes:
            raise FaceApiError("The face-api's answer is too large.")
        image = response.read(self._max_image_bytes + 1)
        if len(image) > self._max_image_bytes:
            raise FaceApiError("The face-api's answer is too large.")
        if response.length:
            raise FaceApiError("The face-api broke the connection off.")
        if not is_png(image, self._max_pixels):
            raise FaceApiError("The face-api's answer is not a PNG image.")
        return image

    @contextmanager
    def _connection(self, deadline: float) -> Iterator[HTTPConnection]:
        """Have a connection for one call, which stays open for the next one if the call goes well."""
        connection = self._take()
        try:
            if connection.sock is None:
                self._connect(connection, deadline)
            yield connection
        except BaseException:
            self._give_back(connection, usable=False)
            raise
        self._give_back(connection, usable=connection.sock is not None)

    def _connect(self, connection: HTTPConnection, deadline: float) -> None:
        connection.timeout = min(_left(deadline), _CONNECT_S)
        try:
            connection.connect()
        except OSError as error:
            _logger.info("%s: %r", self._address.netloc, error)
            self._refuse_if_closed()
            raise FaceApiError("The face-api cannot be reached.") from None
        self._refuse_if_closed()  # `close` may have come before there was a socket to shut down

    def _take(self) -> HTTPConnection:
        with self._lock:
            self._refuse_if_closed()
            connection = self._idle_one() or self._new()
            self._busy.add(connection)
        return connection

    def _idle_one(self) -> HTTPConnection | None:
        usable = [entry for entry in self._idle if _is_usable(*entry)]
        for entry in self._idle:
            if entry not in usable:
                entry[1].close()
        self._idle = usable
        return self._idle.pop()[1] if self._idle else None

    def _new(self) -> HTTPConnection:
        kind = _TLSConnection if self._address.scheme == "https" else HTTPConnection
        connection = kind(self._address.hostname or "", self._address.port)
        # What its `connect` calls; a connection has no public way to connect that `close` could end.
        connection._create_connection = partial(open_connection, unwanted=lambda: self._closed)  # type: ignore[attr-defined]  # noqa: SLF001
        return connection

    def _give_back(self, connection: HTTPConnection, *, usable: bool) -> None:
        with self._lock:
            self._busy.discard(connection)
            kept = usable and not self._closed
            if kept:
                self._idle.append((time.monotonic(), connection))
        if not kept:
            connection.close()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise Closing


def face_api_address(url: Any) -> SplitResult:
    """Return the parts of the AI service's URL.

    Raises:
        UsageError: It is none of a server.
    """
    try:
        parts: SplitResult = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except (ValueError, TypeError, AttributeError):
        usable = False
    if not usable or parts.query or parts.fragment or "@" in parts.netloc or not url.isascii() or " " in url:
        raise UsageError(f"face_api={url!r} is no address of a service: give it as http://127.0.0.1:8001.")
    return parts


class _TLSConnection(HTTPSConnection):
    """One whose socket is there while TLS shakes hands, so that `close` can end that."""

    _context: ssl.SSLContext

    def connect(self) -> None:
        HTTPConnection.connect(self)
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock.do_handshake()


class _Incoming(io.RawIOBase):
    """What a socket receives before a deadline: its own timeout begins anew with each byte that dribbles in."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        # The file keeps the socket open when the connection closes it before the answer's body is read.
        self._file = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._deadline))
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Until:
    """A socket to `HTTPResponse`, which asks it for nothing but a file to read from."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._sock, self._deadline))


def _answer(sock: socket.socket, *, deadline: float, **options: Any) -> HTTPResponse:
    return HTTPResponse(_Until(sock, deadline), **options)  # type: ignore[arg-type]


def _is_usable(since: float, connection: HTTPConnection) -> bool:
    """Whether a connection that is idle since then is still open: readable without a question asked, it is closed."""
    return time.monotonic() - since < _IDLE_S and not wait_for_read(connection.sock, timeout=0.0)


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _refusal(response: HTTPResponse) -> ComposeError:
    """Return what an answer without a face means."""
    status = response.status
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return BadPhoto(_detail(response) or "The face-api cannot use the photographs.")
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return FaceApiError(f"The face-api answered with a redirect (HTTP {status}), which is not followed.")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return FaceApiError("The face-api takes no photographs at the moment (HTTP 503).")
    return FaceApiError(f"The face-api failed (HTTP {status}).")


def _detail(response: HTTPResponse) -> str:
    """Return the sentence in a problem document, or nothing."""
    try:
        detail = json.loads(response.read(_MOST_PROBLEM_BYTES))["detail"]
    except (ValueError, KeyError, TypeError):
        return ""
    return detail[:_MOST_DETAIL] if isinstance(detail, str) and detail.isprintable() else ""
