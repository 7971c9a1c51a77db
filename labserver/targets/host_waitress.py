"""The server of a WSGI application: waitress."""

from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.server import create_server
from waitress.task import ThreadedTaskDispatcher

_LOOP_TIMEOUT_S = 1.0
_CONNECTIONS = 10_000
_IN_MEMORY = 2**27


class Waitress:
    """waitress, in the thread that calls `run`.

    Args:
        application: what takes `environ` and `start_response`.
        threads: requests that are handled at the same time.

    Attributes:
        port: on the loopback interface.
    """

    def __init__(self, application: Callable[..., Any], threads: int) -> None:
        self._stopping = False
        self._channels: dict[int, Any] = {}
        dispatcher = _Pool()
        dispatcher.set_thread_count(threads)
        self._server = create_server(
            application,
            map=self._channels,
            _dispatcher=dispatcher,
            host="127.0.0.1",
            port=0,
            connection_limit=_CONNECTIONS,
            # Bodies stay in memory: a temporary file would be one more thing that a broken connection leaves.
            inbuf_overflow=_IN_MEMORY,
            outbuf_overflow=_IN_MEMORY,
            log_socket_errors=False,  # users that are cut off are part of a load
            clear_untrusted_proxy_headers=True,
        )
        self.port: int = self._server.effective_port

    def connections(self) -> int:
        """How many connections the clients have open."""
        return len(self._server.active_channels)

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until `stop`; call back when that begins."""
        ready()
        while not self._stopping:
            wasyncore.loop(timeout=_LOOP_TIMEOUT_S, use_poll=True, map=self._channels, count=1)
        self._server.close()

    def stop(self) -> None:
        """End `run`, from another thread."""
        self._stopping = True
        self._server.pull_trigger()


class _Pool(ThreadedTaskDispatcher):  # type: ignore[misc]  # waitress has no types
    """waitress's request threads; one that waits for work must not keep its last request alive meanwhile."""

    def add_task(self, task: Any) -> None:
        """Hand a request to a thread."""
        super().add_task(_Once(task))


class _Once:
    """A task that is let go of when it is done."""

    def __init__(self, task: Any) -> None:
        self._tasks = [task]

    def service(self) -> None:
        self._tasks.pop().service()

    def cancel(self) -> None:
        self._tasks.pop().cancel()
