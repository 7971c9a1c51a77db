"""A stand-in for the image service, small enough to be wrong on purpose."""

import contextlib
import io
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


def png(side=16):
    stored = io.BytesIO()
    Image.new("RGB", (side, side), "teal").save(stored, format="PNG")
    return stored.getvalue()


@dataclass
class StandIn:
    """What the stand-in answers, to be changed by a test, and what it has seen."""

    submit_status: int = 202
    submit_body: dict = field(default_factory=lambda: {"jobId": "a/b 1"})
    retry_after: str | None = None
    statuses: tuple = ("RUNNING", "DONE")
    image: bytes = field(default_factory=png)
    latency_s: float = 0.0
    dribble_s: float = 0.0
    before_body: Callable[[float], object] = lambda _: None  # given the longest wait, seconds
    cut_body: bool = False
    seen: list = field(default_factory=list)
    connections: int = 0
    uploads: list = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5
    disable_nagle_algorithm = True
    wbufsize = -1
    polls = 0

    @property
    def stand_in(self):
        return self.server.stand_in

    def setup(self):
        super().setup()
        self.stand_in.connections += 1

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.stand_in.uploads.append((self.headers["Content-Type"], body))
        self.stand_in.seen.append(("POST", self.path))
        self.polls = 0
        time.sleep(self.stand_in.latency_s)
        extra = {"Retry-After": self.stand_in.retry_after} if self.stand_in.retry_after else {}
        self.answer(self.stand_in.submit_status, json.dumps(self.stand_in.submit_body).encode(), **extra)

    def do_GET(self):
        self.stand_in.seen.append(("GET", self.path))
        if "/status/" in self.path:
            statuses = self.stand_in.statuses
            status = statuses[min(self.polls, len(statuses) - 1)]
            self.polls += 1
            self.answer(200, json.dumps({"status": status}).encode())
        elif "/result/" in self.path:
            self.answer(200, self.stand_in.image, kind="image/png")
        else:
            self.answer(404, b"{}")

    def answer(self, status, body, kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.stand_in.cut_body:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            return
        pieces = 4 if self.stand_in.dribble_s else 1
        self.wfile.flush()
        self.stand_in.before_body(60)
        for piece in range(pieces):
            self.wfile.flush()
            time.sleep(self.stand_in.dribble_s)
            self.wfile.write(body[piece * len(body) // pieces : (piece + 1) * len(body) // pieces])
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that hangs up is what some tests are about."""


@contextlib.contextmanager
def serving():
    """A stand-in that listens for the length of the block."""
    server = Server(("127.0.0.1", 0), Handler)
    server.stand_in = StandIn(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def nobody():
    """An address where nobody listens, kept taken so that nobody will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
