"""Its server and its client on a loop in a thread."""

# /// script
# dependencies = ["tornado"]
# [tool.libraries]
# kind = "event loop"
# ///

import asyncio
import threading

from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from using.pair import pair

loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


class Answer(RequestHandler):
    def get(self):
        self.write("x" * 3000)


async def start():
    (socket,) = bind_sockets(0, "127.0.0.1")
    HTTPServer(Application([("/", Answer)])).add_socket(socket)
    return socket.getsockname()[1]


async def fetch():
    return await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/")


def wait_for(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


port = wait_for(start())
leak, clean = pair(lambda _: wait_for(fetch()))
