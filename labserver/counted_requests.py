"""Middleware that counts the requests of an application for servers that do not, and changes nothing else."""

import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from labserver.job_counters import RUNNING

WsgiApplication = Callable[..., Iterable[bytes]]
AsgiApplication = Callable[..., Awaitable[None]]


class RequestCounter:
    """Requests that have begun and ended, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = self._ended = 0
        RUNNING.add(self)

    def live_jobs(self) -> int:
        """How many are under way."""
        return self._begun - self._ended

    def finished_jobs(self) -> int:
        """How many have ended, well or not."""
        return self._ended

    def __enter__(self) -> None:
        with self._lock:
            self._begun += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._ended += 1


class CountedWsgi:
    """A WSGI application whose calls are counted; what it gives back is handed on as it is.

    A request counts once the application has given its answer's parts back, before the server has sent them: whatever
    stood between the two would hide a file from the server's own way of sending it.
    """

    def __init__(self, application: WsgiApplication) -> None:
        self._application = application
        self._counter = RequestCounter()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Handle a request."""
        with self._counter:
            return self._application(environ, start_response)


class CountedAsgi:
    """An ASGI application whose requests and websockets are counted, and its lifespan is not."""

    def __init__(self, application: AsgiApplication) -> None:
        self._application = application
        self._counter = RequestCounter()

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        """Handle a connection's scope."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        with self._counter:
            await self._application(scope, receive, send)
