import asyncio
import contextlib
import socket
import threading

import pytest
import requests

from labserver.heap.meters import wait_until
from labserver.targets.asgi import Lifespan
from labserver.targets.host_uvicorn import Uvicorn


@contextlib.contextmanager
def served(application):
    ready = threading.Event()
    server = Uvicorn(Lifespan("shop:app", application))
    thread = threading.Thread(target=server.run, args=(ready.set,))
    thread.start()
    try:
        assert ready.wait(60)
        yield server
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive()


class App:
    def __init__(self):
        self.options = []
        self.may_end = None

    async def __call__(self, scope, _, send):
        if scope["type"] == "lifespan":
            raise NotImplementedError
        transports = [connection.transport for connection in self.server._server.server_state.connections]
        sockets = [transport.get_extra_info("socket") for transport in transports]
        self.options += [each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in sockets]
        self.may_end = asyncio.Event()
        headers = [(b"content-length", b"2"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})
        if scope["path"] == "/after":
            await self.may_end.wait()


@pytest.fixture
def app():
    return App()


def test_no_part_of_an_answer_waits_for_the_receipt_of_the_one_before(app):
    with served(app) as app.server:
        assert requests.get(f"http://127.0.0.1:{app.server.port}/", timeout=60).text == "ok"
    assert app.options
    assert all(app.options)


def test_what_runs_after_an_answer_counts_as_long_as_it_runs(app):
    with served(app) as server:
        app.server = server
        assert server.connections() == 0
        assert requests.get(f"http://127.0.0.1:{server.port}/after", timeout=60).text == "ok"
        assert wait_until(lambda: not server._server.server_state.connections, timeout_s=60)
        assert server.connections() == 1
        server._lifespan.loop.call_soon_threadsafe(app.may_end.set)
        assert wait_until(lambda: server.connections() == 0, timeout_s=60)


def test_a_server_that_has_not_begun_has_no_connections(app):
    server = Uvicorn(Lifespan("shop:app", app))
    assert server.connections() == 0
    server._socket.close()
