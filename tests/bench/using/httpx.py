"""Its client and a server of this process."""

# /// script
# dependencies = ["httpx"]
# [tool.libraries]
# kind = "connection pool"
# ///

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from using.pair import pair


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "3000")
        self.end_headers()
        self.wfile.write(bytes(3000))

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False)
leak, clean = pair(lambda _: client.get("/"))
