"""An ASGI application as a WSGI one, by a2wsgi, whose event loop runs in a thread of its own."""

import asyncio
import importlib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from labserver.errors import CannotRun
from labserver.targets.asgi import Lifespan


class Bridge:
    """The application, to be called as WSGI has it between `start` and `close`.

    Args:
        lifespan: of the application.

    Raises:
        CannotRun: there is no a2wsgi.
    """

    def __init__(self, lifespan: Lifespan) -> None:
        try:
            middleware = importlib.import_module("a2wsgi").ASGIMiddleware
        except (ImportError, AttributeError):
            raise CannotRun(
                f"{lifespan.name} is an ASGI application, which is served only with uvicorn or a2wsgi beside it: "
                "pip install 'labserver[asgi]'."
            ) from None
        self._lifespan = lifespan
        self._wsgi = middleware(lifespan.serve)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve a request."""
        answer: Iterable[bytes] = self._wsgi(environ, start_response)
        return answer

    def start(self) -> None:
        """Let the application start.

        Raises:
            CannotRun: it says that it cannot.
        """
        self._await(self._lifespan.startup())

    def close(self) -> None:
        """Let the application end."""
        self._await(self._lifespan.shutdown())

    def _await(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._wsgi.loop).result()
