"""The service in this process, behind a real socket, for as long as a `with` block lasts."""

import contextlib
import dataclasses
import errno
import http.client
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import psutil

from labserver.errors import CannotRun, UsageError
from labserver.heap.process_memory import heap_bytes
from labserver.incident.hosting.connections import Channel, most_connections
from labserver.incident.service.app import create_app
from labserver.incident.service.clock import Clock
from labserver.incident.service.faceapi import FaceSettings
from labserver.incident.service.memory import MemoryPool
from labserver.incident.service.runtime import Service, service_of
from labserver.incident.service.settings import Settings
from labserver.names import closest
from labserver.targets.host_waitress import Waitress

_HOST = "127.0.0.1"
_READY_WITHIN_S = 10.0

SettingsT = TypeVar("SettingsT", Settings, FaceSettings)

_logger = logging.getLogger(__name__)
# A load test keeps more requests waiting than there are threads or connections, and breaks some off: a warning for each
# is noise.
_quiet_logger = logging.getLogger(f"{__name__}.requests")
_quiet_logger.setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A server that answers.

    Attributes:
        url: Where, without a trailing slash.
        port: The same, as a number.
        service: The parts behind it.
        connections: Counts the clients' open connections.
    """

    url: str
    port: int
    service: Service
    connections: Callable[[], int]


@contextmanager
def embedded(
    settings: Settings | None = None,
    *,
    port: int = 0,
    http_threads: int = 8,
    clock: Clock | None = None,
    **overrides: Any,
) -> Iterator[EmbeddedServer]:
    """Serve the service from threads of this process, and leave nothing behind.

    Whatever ends the block, afterwards no thread, socket or job of the server is left.

    Args:
        settings: What to serve; the defaults if left out.
        port: The port to listen on; 0 takes any free one.
        http_threads: Requests that are handled at the same time.
        clock: The service's time; the real one, which can be advanced, if left out.
        **overrides: Fields of `Settings` to change, by name.

    Yields:
        The server, once it has answered a request.

    Raises:
        UsageError: A setting is unknown or has a value that is not allowed.
        CannotRun: The port is taken, or the server could not be started.
    """
    app = create_app(overridden(settings or Settings(), overrides), clock=clock, memory=_memory)
    service = service_of(app)
    with hosted(app.wsgi_app, service, port, http_threads) as host:
        yield EmbeddedServer(f"http://{_HOST}:{host.port}", host.port, service, host.connections)


@contextmanager
def hosted(wsgi: Callable[..., Any], parts: "Parts", port: int, http_threads: int) -> Iterator["_Host"]:
    """Serve an application of this package from threads of this process, and leave nothing behind.

    Yields:
        Its host, which knows the port, once the application has answered a request.

    Raises:
        CannotRun: The port is taken, or the server could not be started.
    """
    host = _Host(wsgi, parts, port, http_threads)
    try:
        host.start()
        _await_health(host.port)
        yield host
    finally:
        host.stop()


class Limits(Protocol):
    """The setting that the server itself has to know.

    Attributes:
        max_upload_bytes: Largest request body.
    """

    @property
    def max_upload_bytes(self) -> int: ...  # noqa: D102


class Parts(Protocol):
    """What stands behind an application and has to be started and closed with its server.

    Attributes:
        settings: Its settings.
    """

    @property
    def settings(self) -> Limits: ...  # noqa: D102

    def start(self) -> None:
        """Start what is needed to serve."""
        ...

    def interrupt(self) -> None:
        """End whatever requests wait for: their threads are joined next."""
        ...

    def close(self) -> None:
        """Stop everything."""
        ...


def _memory() -> list[MemoryPool]:
    """Return what this process's objects take, by the allocators' books or else by tracemalloc's."""
    resident = psutil.Process().memory_info().rss
    allocated = heap_bytes()
    if allocated is not None:
        return [MemoryPool("heap", "allocated", allocated, resident)]
    traced, _ = tracemalloc.get_traced_memory()
    return [MemoryPool("heap", "traced", traced, resident)] if traced else []


def overridden(settings: SettingsT, overrides: dict[str, Any]) -> SettingsT:
    """Return the settings, a dataclass, with some fields changed by name.

    Raises:
        UsageError: A name is unknown, or a value is not allowed.
    """
    known = [field.name for field in dataclasses.fields(settings)]
    for name in overrides:
        if name not in known:
            raise UsageError(f"{name!r} is not a setting of the service; did you mean {closest(name, known)!r}?")
    return dataclasses.replace(settings, **overrides)


class _Host:
    """One thread that opens, serves and closes everything of a server.

    All clean-up happens in that thread: an interrupt reaches the main thread only, so however
    many arrive, they cannot stop it half-way.
    """

    def __init__(self, wsgi: Callable[..., Any], parts: Parts, port: int, http_threads: int) -> None:
        self.port = port
        self.connections: Callable[[], int] = lambda: 0
        self._wsgi = wsgi
        self._parts = parts
        self._http_threads = http_threads
        self._opened = threading.Event()
        self._stopping = False
        self._closed = threading.Event()
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._server: Waitress | None = None
        self._thread = threading.Thread(target=self._serve, name="labserver-http", daemon=True)

    def start(self) -> None:
        """Return once connections are accepted, or raise why they are not."""
        self._thread.start()
        self._opened.wait()
        if self._error is not None:
            error, self._error = self._error, None
            if isinstance(error, (CannotRun, UsageError)):
                raise error
            raise CannotRun(f"The server stopped while it started: {error!r}.") from error

    def stop(self) -> None:
        """Return when nothing is left; interrupts that arrive meanwhile are raised afterwards."""
        with self._lock:
            self._stopping = True
            if self._server is not None:
                self._server.stop()
        interrupt: KeyboardInterrupt | None = None
        # An interrupted `Thread.join` takes a thread that still runs for ended (CPython 3.11, bpo-45274);
        # an event has no such trouble.
        while self._thread.ident is not None and not self._closed.is_set():
            try:
                self._closed.wait()
            except KeyboardInterrupt as error:
                interrupt = error
        if self._thread.ident is not None:
            self._thread.join()
        if interrupt is not None:
            raise interrupt

    def _serve(self) -> None:
        try:
            with ExitStack() as stack:
                self._open(stack).run(self._opened.set)
        except Exception as error:
            # Once it serves, nobody waits for the error any more.
            if self._opened.is_set():
                _logger.exception("The embedded server stopped")
            self._error = error
        finally:
            self._opened.set()
            self._closed.set()

    def _open(self, stack: ExitStack) -> Waitress:
        """Open what serving takes, and leave the closing of each part on `stack`."""
        listener = stack.enter_context(_listener(self.port))
        self.port = listener.getsockname()[1]
        stack.callback(self._parts.close)
        self._parts.start()
        server = Waitress(
            self._wsgi,
            self._http_threads,
            listener=listener,
            channel=Channel,
            logger=_quiet_logger,
            thread_name="labserver-http",
            **_limits(self._parts.settings),
        )
        stack.callback(server.close)
        # Before that, for it waits for the requests under way: nobody reads their answers, and nothing delays them.
        stack.callback(self._parts.interrupt)
        stack.callback(server.hang_up)
        self.connections = server.connections
        with self._lock:
            self._server = server
            if self._stopping:
                server.stop()
        return server


def _listener(port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise UsageError(f"port={port!r} is not allowed: it must be from 0 to 65535.")
    try:
        return socket.create_server((_HOST, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotRun(f"Port {port} is already in use: choose another one, or 0 for any that is free.") from None
        raise CannotRun(f"Port {port} cannot be listened on: {error.strerror}.") from error


def _limits(settings: Limits) -> dict[str, Any]:
    """Return waitress's options: bodies stay in memory, bounded, and are refused by the service rather than here."""
    in_memory = 4 * settings.max_upload_bytes + 2**20
    return {
        # Up to this size the service itself answers, in its own error format; beyond, waitress hangs up early.
        "max_request_body_size": in_memory,
        "connection_limit": most_connections(),
        # Never to temporary files, which a connection that breaks off would leave open.
        "inbuf_overflow": in_memory + 1,
        "outbuf_overflow": 2**30,
    }


def _await_health(port: int) -> None:
    """Return when the server has answered over a socket."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            answer = str(_health_status(port))
        except (OSError, http.client.HTTPException) as error:
            answer = repr(error)
        if answer == "200":
            return
        if time.monotonic() > deadline:
            raise CannotRun(f"The server did not answer within {_READY_WITHIN_S:g} s; its last answer was {answer}.")
        time.sleep(0.05)


def _health_status(port: int) -> int:
    with contextlib.closing(http.client.HTTPConnection(_HOST, port, timeout=_READY_WITHIN_S)) as connection:
        connection.request("GET", "/health", headers={"Connection": "close"})
        with contextlib.closing(connection.getresponse()) as response:
            return response.status
