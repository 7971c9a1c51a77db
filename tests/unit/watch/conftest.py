import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

# As Spring Boot 3 answers, word for word but for the figures.
HEAP = {
    "name": "jvm.memory.used",
    "description": "The amount of used memory",
    "baseUnit": "bytes",
    "measurements": [{"statistic": "VALUE", "value": 5.1380224e7}],
    "availableTags": [{"tag": "id", "values": ["G1 Survivor Space", "G1 Old Gen", "G1 Eden Space"]}],
}
START = {
    "name": "process.start.time",
    "description": "Start time of the process since unix epoch.",
    "baseUnit": "seconds",
    "measurements": [{"statistic": "VALUE", "value": 1.7e9}],
    "availableTags": [],
}


class Scripted:
    """A service whose answers are given by path; one may be a status, a text, a JSON value or a callable of these."""

    HEAP, START = HEAP, START

    def __init__(self):
        self.answers, self.asked, self.url = {}, [], ""
        self.dribble_s = 0.0  # after each byte of a body
        self.connections = 0

    def actuator(self, root="/actuator"):
        self.answers[f"{root}/metrics/jvm.memory.used?tag=area:heap"] = HEAP
        self.answers[f"{root}/metrics/process.start.time"] = START
        return self

    def answer(self, path):
        self.asked.append(path)
        answer = self.answers.get(path, 404)
        answer = answer() if callable(answer) else answer
        if isinstance(answer, int):
            return answer, b"{}"
        return 200, answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()


@pytest.fixture
def scripted():
    service = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            super().setup()
            service.connections += 1

        def do_GET(self):
            status, body = service.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                for piece in [body] if not service.dribble_s else [body[n : n + 1] for n in range(len(body))]:
                    self.wfile.write(piece)
                    time.sleep(service.dribble_s)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_port}"
    service.stop = server.shutdown
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield service
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def slow():
    def answering(answer, seconds):
        def late():
            time.sleep(seconds)
            return answer

        return late

    return answering
