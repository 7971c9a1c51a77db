"""Hostile requests over raw sockets: no error of the server's, no thread, descriptor or byte is left of them."""

import contextlib
import itertools
import os
import random
import re
import socket
import threading
import time
import zlib
from pathlib import Path

import pytest

import labserver
from labserver.diagnosis import Verdict, leak_check
from labserver.service import problems
from labserver.targets.embedded import embedded

PHOTO = (Path(labserver.__file__).parent / "load" / "photos" / "astronaut.jpg").read_bytes()
_CHUNK = b"\x00\x00\x00\x0dIHDR" + (60_000).to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"
BOMB = b"\x89PNG\r\n\x1a\n" + _CHUNK + zlib.crc32(_CHUNK[4:]).to_bytes(4)


def head(line, *headers, then="close"):
    return "\r\n".join([f"{line} HTTP/1.1", "Host: 127.0.0.1", f"Connection: {then}", *headers, "", ""]).encode(
        "latin-1"
    )


def upload(*parts, boundary="b", length=None, path="/api/images/analyze"):
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\n\r\n%s\r\n' % part for part in parts
    )
    body += b"--b--\r\n"
    kind = f"Content-Type: multipart/form-data; boundary={boundary}"
    return head(f"POST {path}", kind, f"Content-Length: {len(body) if length is None else length}") + body


BOTH = (b"parentA", PHOTO), (b"parentB", PHOTO)
ATTACKS = {
    "a good upload": upload(*BOTH),
    "another boundary": upload(*BOTH, boundary="other"),
    "no boundary": upload(*BOTH, boundary=""),
    "a truncated photograph": upload(BOTH[0], (b"parentB", PHOTO[:-500])),
    "a bomb": upload((b"parentA", BOMB), BOTH[1]),
    "a flood of parts": upload(*[(b"p%d" % number, b"x") for number in range(50)]),
    "an oversized upload": upload((b"parentA", bytes(400_000)), BOTH[1]),
    "a body that is cut off": upload(*BOTH)[:20_000],
    "a length far too large": upload(*BOTH, length=10**9),
    "a length that is no number": upload(*BOTH, length="-5"),
    "a huge header": head("GET /health", "X: " + "x" * 300_000),
    "a header of nothing": head("GET /health", ":"),
    "nonsense in chunks": head("POST /api/images/analyze", "Transfer-Encoding: chunked")
    + b"zz\r\nnonsense\r\n0\r\n\r\n",
    "two lengths": head("POST /api/images/analyze", "Content-Length: 3", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "pipelining": head("GET /health", then="keep-alive") * 4 + head("GET /health"),
    "no HTTP": os.urandom(300) + b"\r\n\r\n",
    "a path out of here": head("GET /api/images/result/../../../../etc/passwd"),
    "the same, encoded": head("GET /api/images/result/%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
    "a zero byte": head("GET /api/images/status/%00%ff%F0%9F%98%80"),
    "a forged id": head("GET /api/images/status/0a3f3c1f1c6f4d0d8d0c6ab0a1d5f3be.aSVUig.hG2sVY1fSCbVvUIHyJ0uK0nVdlk"),
    "a wrong method": head("DELETE /api/images/analyze"),
    "OPTIONS": head("OPTIONS /api/images/analyze"),
    "HEAD": head("HEAD /api/images/result/nobody"),
    "half a request": b"GET /hea",
}
# What waits for more gets no answer; it leaves.
SILENT = {"a body that is cut off", "half a request"}


def send(port, data, *, leaves=False):
    """Return the statuses that came, after the server has closed or the client has left."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as connection:
        answer = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
            if leaves:
                return []
            while block := connection.recv(65536):
                answer += block
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


def attack(server, chosen=ATTACKS):
    """Send each once, wait until the server is at rest, and return the statuses by attack."""
    seen = {name: send(server.port, ATTACKS[name], leaves=name in SILENT) for name in chosen}
    deadline = time.monotonic() + 20
    while server.connections() or not server.service.idle():
        assert time.monotonic() < deadline, "the server does not come to rest"
        time.sleep(0.002)
    server.service.expire()
    return seen


@pytest.fixture(params=["ttl", "byte-budget"])
def server(request):
    with embedded(store=request.param, result_px=32, max_upload_bytes=300_000, budget_bytes=2**18) as server:
        yield server


def descriptors():
    time.sleep(0.1)  # a connection is off the books a moment before its descriptor is
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_attack_is_an_error_of_the_servers(server):
    seen = attack(server)
    before = threading.active_count(), descriptors()
    names = list(ATTACKS)
    random.Random(1).shuffle(names)
    for _ in range(10):
        for name, statuses in attack(server, names).items():
            seen[name] += statuses
    assert not {name: found for name, found in seen.items() if [s for s in found if s >= 500 and s != 503]}
    assert 202 in seen["a good upload"]
    assert set(itertools.chain(*seen.values())) >= {200, 202, 400, 404, 405, 413, 422}
    assert (threading.active_count(), descriptors()) == before
    assert server.service.store.kept_bytes() == 0


@pytest.mark.parametrize(("planted", "verdict"), [(False, Verdict.NO_LEAK), (True, Verdict.LEAK)])
def test_the_verdict_on_attacks_finds_what_is_planted_and_nothing_else(monkeypatch, planted, verdict):
    kept = []

    def refuse(error):
        kept.append(bytes(1000))
        return refused(error)

    refused = problems.answer_problem
    if planted:
        monkeypatch.setattr(problems, "answer_problem", refuse)
    with embedded(store="ttl", result_px=32, max_upload_bytes=300_000) as server:
        names = ["no boundary"] if planted else ["no boundary", "a truncated photograph", "a body that is cut off"]
        assert leak_check(lambda: attack(server, names), fast=True).verdict is verdict
