"""The server of an ASGI application: the uvicorn that is installed beside it, in the main thread, on one event loop."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import uvicorn

from labserver.targets.asgi import Lifespan

_CANCEL_AFTER_S = 0.5
_TIDY_WITHIN_S = 1.0
_TIMERS, _FAR_S = 256, 3600.0


class Uvicorn:
    """uvicorn with its defaults, but for its log and for the lifespan, whose failure and refusal it keeps to itself.

    Args:
        lifespan: of the application.

    Attributes:
        port: on the loopback interface.
    """

    def __init__(self, lifespan: Lifespan) -> None:
        # By its name: asyncio sends at once what goes to a connection that is known to be TCP, and delays it otherwise.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            lifespan.serve,
            interface="asgi3",
            lifespan="off",
            workers=1,  # whatever WEB_CONCURRENCY says
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_CANCEL_AFTER_S,
        )
        self._lifespan = lifespan
        self._server = _Server(config, lifespan)

    def connections(self) -> int:
        """How many connections the clients have open, or how many requests go on, some of them after their answer."""
        state = self._server.server_state
        found = max(len(state.connections), len(state.tasks))
        if not found and self._lifespan.loop is not None:
            with suppress(TimeoutError):  # the application blocks its loop
                asyncio.run_coroutine_threadsafe(_drop_cancelled_timers(), self._lifespan.loop).result(_TIDY_WITHIN_S)
        return found

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until `stop`; call back when that begins.

        Raises:
            CannotRun: the application says that it cannot start.
        """
        self._server.ready = ready
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """End `run`, from another thread."""
        self._server.should_exit = True


class _Server(uvicorn.Server):  # type: ignore[misc]  # it may not be installed
    """uvicorn's, which leaves the signals to the application, and its lifespan to us."""

    def __init__(self, config: Any, lifespan: Lifespan) -> None:
        super().__init__(config)
        self._lifespan = lifespan
        self.ready: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self._lifespan.startup()
        await super().startup(sockets=sockets)
        self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets=sockets)
        await self._lifespan.shutdown()

    def capture_signals(self) -> AbstractContextManager[None]:
        return nullcontext()

    def install_signal_handlers(self) -> None:
        """The same, as it was up to uvicorn 0.28."""


async def _drop_cancelled_timers() -> None:
    """Have asyncio clear away the timers that bounded the pauses between requests, each with its request's context.

    A cancelled timer stays until it would have been due, or until most of many timers are cancelled: here are many.
    """
    loop = asyncio.get_running_loop()
    for _ in range(_TIMERS):
        loop.call_later(_FAR_S, int).cancel()
    await asyncio.sleep(0)
