"""An ASGI application as a WSGI one: a2wsgi serves its requests, and here is the lifespan, which that leaves out.

Source: ASGI, Lifespan Protocol 2.0 (https://asgi.readthedocs.io/en/latest/specs/lifespan.html).
"""

import asyncio
from collections.abc import Callable, Iterable, MutableMapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from labserver.errors import CannotRun

_END_WITHIN_S = 1.0


class AsgiApplication:
    """The application, to be called as WSGI has it after `start`.

    Args:
        spec: its name, for messages.
        application: what takes `scope`, `receive` and `send`.
        middleware: a2wsgi's.

    Attributes:
        application: the same.
        loop: on which it runs, in a thread of its own.
        state: what its lifespan leaves for its requests.
        refusal: the error with which it refused to have a lifespan; empty where there was none.
    """

    def __init__(self, spec: str, application: Any, middleware: Callable[..., Any]) -> None:
        self.application = application
        self._spec = spec
        self._wsgi = middleware(self._serve)
        self.loop: asyncio.AbstractEventLoop = self._wsgi.loop
        self.state: dict[str, Any] = {}
        self.refusal = ""
        self._started: Future[str] = Future()
        self._ending = asyncio.Event()
        self._life: Future[None] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve a request."""
        answer: Iterable[bytes] = self._wsgi(environ, start_response)
        return answer

    def start(self) -> None:
        """Let the application start.

        Raises:
            CannotRun: it says that it cannot.
        """
        self._life = asyncio.run_coroutine_threadsafe(self._live(), self.loop)
        failure = self._started.result()
        if failure:
            raise CannotRun(f"{self._spec} does not start: {failure}.")

    def close(self) -> None:
        """Let the application end."""
        if self._life is not None and not self._life.done():
            self.loop.call_soon_threadsafe(self._ending.set)
            with suppress(Exception):
                self._life.result(_END_WITHIN_S)

    async def _serve(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await self.application({**scope, "state": self.state.copy()}, receive, send)

    async def _live(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self.application(scope, self._receive, self._send)
        except (SystemExit, KeyboardInterrupt) as error:  # would end the loop's thread
            self._say(f"it raises {type(error).__name__}")
        except Exception as error:  # noqa: BLE001 - foreign code may fail in any way; such a one is to be served all the same
            self.refusal = " ".join(f"{type(error).__name__}: {error}".split())
        self._say("")

    async def _receive(self) -> dict[str, str]:
        if not self._started.done():
            return {"type": "lifespan.startup"}
        await self._ending.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "lifespan.startup.complete":
            self._say("")
        elif message["type"] == "lifespan.startup.failed":
            # Frameworks send a traceback; its last line says what went wrong.
            lines = str(message.get("message", "")).split("\n")
            said = [line.strip().rstrip(".") for line in lines if line.strip()]
            self._say(said[-1] if said else "it does not say why")

    def _say(self, failure: str) -> None:
        if not self._started.done():
            self._started.set_result(failure)
