"""The server of a WSGI application: waitress."""

import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ThreadedTaskDispatcher

# Only the fallback for a wake-up that an interrupt swallowed.
_LOOP_TIMEOUT_S = 1.0
_IN_MEMORY = 2**27
_OPTIONS = {
    # Clients beyond the threads wait with their requests sent, as behind any server's listen queue.
    "connection_limit": 10_000,
    # Bodies stay in memory: a temporary file would be one more thing that a broken connection leaves.
    "inbuf_overflow": _IN_MEMORY,
    "outbuf_overflow": _IN_MEMORY,
    # Clients that go away are part of a load.
    "log_socket_errors": False,
}
# More users than threads are part of a load, and no news for anybody's log.
_queue_logger = logging.getLogger(f"{__name__}.queue")
_queue_logger.setLevel(logging.ERROR)


class Waitress:
    """waitress, in the thread that calls `run`.

    Args:
        application: what takes `environ` and `start_response`.
        threads: requests that are handled at the same time.
        listener: the socket that listens; a new one on the loopback interface if left out.
        channel: the class of its connections.
        logger: takes what waitress has to say; its own one if left out.
        thread_name: what the names of its threads begin with.
        **options: of waitress, in place of ours.

    Attributes:
        port: on the loopback interface.
    """

    def __init__(  # noqa: PLR0913 - by keyword, each with a default
        self,
        application: Callable[..., Any],
        threads: int,
        *,
        listener: socket.socket | None = None,
        channel: type[HTTPChannel] = HTTPChannel,
        logger: logging.Logger | None = None,
        thread_name: str = "waitress",
        **options: Any,
    ) -> None:
        self._stopping = False
        self._closed = False
        self._lock = threading.Lock()  # the trigger must not be pulled once its pipe is closed
        self._channels: dict[int, Any] = {}
        self._pool = _Pool(thread_name)
        address = {"host": "127.0.0.1", "port": 0} if listener is None else {"sockets": [listener]}
        try:
            self._pool.set_thread_count(threads)
            self._server = create_server(
                application, map=self._channels, _dispatcher=self._pool, **{**_OPTIONS, **address, **options}
            )
        except BaseException:
            self.close()
            raise
        self._server.channel_class = channel
        if logger is not None:
            self._server.logger = self._pool.logger = logger
        self.port: int = int(self._server.effective_port)

    def connections(self) -> int:
        """How many connections the clients have open."""
        return len(self._server.active_channels)

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until `stop`; call back when that begins."""
        ready()
        while not self._stopping:
            wasyncore.loop(timeout=_LOOP_TIMEOUT_S, use_poll=True, map=self._channels, count=1)
        # The socket that listens, and not yet the trigger, which the threads of requests under way pull.
        wasyncore.dispatcher.close(self._server)

    def stop(self) -> None:
        """End `run`, from another thread."""
        with self._lock:
            self._stopping = True
            if not self._closed:
                self._server.pull_trigger()

    def hang_up(self) -> None:
        """Close all connections, which also frees the threads that wait for a slow client."""
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()

    def close(self) -> None:
        """Wait for the threads, which end with the requests that they handle, and leave nothing open."""
        self._pool.end()
        with self._lock:
            self._closed = True
            wasyncore.close_all(self._channels, ignore_all=True)


class _Pool(ThreadedTaskDispatcher):  # type: ignore[misc]  # waitress has no types
    """waitress's request threads; one that waits for work must not keep its last request alive meanwhile."""

    queue_logger = _queue_logger

    def __init__(self, thread_name: str) -> None:
        super().__init__()
        self._thread_name = thread_name
        self._started: list[threading.Thread] = []

    def start_new_thread(self, target: Callable[[int], None], thread_no: int) -> None:
        thread = threading.Thread(
            target=target, args=(thread_no,), name=f"{self._thread_name}-{thread_no}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the system grants no more: nobody shall wait for this one's end
            self.threads.discard(thread_no)
            raise
        self._started.append(thread)

    def add_task(self, task: Any) -> None:
        """Hand a request to a thread."""
        super().add_task(_Once(task))

    def end(self) -> None:
        """Return when all threads have ended; requests without one are dropped."""
        self.shutdown()
        for thread in self._started:
            thread.join()


class _Once:
    """A task that is let go of when it is done."""

    def __init__(self, task: Any) -> None:
        self._tasks = [task]

    def service(self) -> None:
        self._tasks.pop().service()

    def cancel(self) -> None:
        self._tasks.pop().cancel()
