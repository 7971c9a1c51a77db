"""The lifespan of an ASGI application, and its requests, which find in their scope what the lifespan left for them.

Source: ASGI, Lifespan Protocol 2.0 (https://asgi.readthedocs.io/en/latest/specs/lifespan.html).
"""

import asyncio
from collections.abc import Awaitable, MutableMapping
from typing import Any

from labserver.errors import CannotRun
from labserver.targets.application import in_one_line

_END_WITHIN_S = 1.0


class Lifespan:
    """Starts and ends the application; all but the constructor is for the event loop that serves it.

    Args:
        name: the application's, for messages.
        application: what takes `scope`, `receive` and `send`.

    Attributes:
        name: the same.
        loop: on which it runs, from `startup` on.
        state: what its lifespan leaves for its requests.
        refusal: the error with which it refused to have a lifespan; empty where there was none.
    """

    def __init__(self, name: str, application: Any) -> None:
        self.name = name
        self.loop: asyncio.AbstractEventLoop | None = None
        self.state: dict[str, Any] = {}
        self.refusal = ""
        self._application = application
        self._failure = ""
        self._started = asyncio.Event()
        self._ending = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    def serve(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> Awaitable[None]:
        """The application's answer to a request; no coroutine of our own, whose frame would stand among its frames."""
        answer: Awaitable[None] = self._application({**scope, "state": self.state.copy()}, receive, send)
        return answer

    async def startup(self) -> None:
        """Let the application start.

        Raises:
            CannotRun: it says that it cannot.
        """
        self.loop = asyncio.get_running_loop()
        self._life = self.loop.create_task(self._live())
        await self._started.wait()
        if self._failure:
            raise CannotRun(f"{self.name} does not start: {self._failure}.")

    async def shutdown(self) -> None:
        """Let the application end."""
        self._ending.set()
        if self._life is not None:
            await asyncio.wait([self._life], timeout=_END_WITHIN_S)

    async def _live(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._application(scope, self._receive, self._send)
        except (SystemExit, KeyboardInterrupt) as error:  # would end the loop
            self._say(f"it raises {type(error).__name__}")
        except Exception as error:  # noqa: BLE001 - foreign code may fail in any way; such a one is to be served all the same
            self.refusal = in_one_line(error)
        self._say("")

    async def _receive(self) -> dict[str, str]:
        if not self._started.is_set():
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
        if not self._started.is_set():
            self._failure = failure
            self._started.set()
