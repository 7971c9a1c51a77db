"""One route, one counter."""

import asyncio
import contextlib
import inspect
import itertools
import os
import threading

from flask import Flask

SEED = int(os.environ.get("SEED", "0"))


def serve(work, *, alone=False):
    """An application whose `GET /work` calls `work(number of the request)`; an ASGI one where that is a coroutine."""
    if inspect.iscoroutinefunction(work):
        return serve_asynchronous(work)
    app, numbers = Flask("mode"), itertools.count()
    turn = threading.Lock() if alone else contextlib.nullcontext()

    @app.get("/work")
    def answer():
        with turn:
            work(next(numbers))
        return {"ok": True}

    return app


def serve_asynchronous(work):
    numbers = itertools.count()

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        await work(next(numbers))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    return application


def callable_of(work, runner=None):
    """The job as a function of one argument; a coroutine is run by the runner, or by one of its own."""
    if not inspect.iscoroutinefunction(work):
        return work
    runner = runner or asyncio.Runner()
    return lambda number: runner.run(work(number))
