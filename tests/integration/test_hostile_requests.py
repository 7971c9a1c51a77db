"""Hostile requests over raw sockets: no error of the server's, no thread, descriptor or byte is left of them."""

import contextlib
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest

import labserver
from labserver.diagnosis import Verdict, leak_check
from labserver.diagnosis.measure import check
from labserver.diagnosis.measure.heuristics import Expiry, Heuristics
from labserver.incident.hosting import embedded as embedding
from labserver.incident.hosting.embedded import embedded
from labserver.incident.service import problems
from labserver.incident.service.face import largest_png_bytes
from labserver.incident.service.jobs import JobResult, JobState

PHOTO = (Path(labserver.__file__).parent / "load" / "photos" / "astronaut.jpg").read_bytes()
_CHUNK = b"\x00\x00\x00\x0dIHDR" + (60_000).to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"
BOMB = b"\x89PNG\r\n\x1a\n" + _CHUNK + zlib.crc32(_CHUNK[4:]).to_bytes(4)
WITHIN_S = 60


def head(line, *headers, then="close", host="127.0.0.1", version="1.1"):
    return "\r\n".join([f"{line} HTTP/{version}", f"Host: {host}", f"Connection: {then}", *headers, "", ""]).encode(
        "latin-1"
    )


def upload(*parts, boundary="b", length=None, path="/api/images/analyze", then="close"):
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\n\r\n%s\r\n' % part for part in parts
    )
    body += b"--b--\r\n"
    kind = f"Content-Type: multipart/form-data; boundary={boundary}"
    return head(f"POST {path}", kind, f"Content-Length: {len(body) if length is None else length}", then=then) + body


BOTH = (b"parentA", PHOTO), (b"parentB", PHOTO)
SUBMIT = "POST /api/images/analyze"
HEALTH = "GET /health"
ATTACKS = {
    "a good upload": upload(*BOTH),
    "another boundary": upload(*BOTH, boundary="other"),
    "no boundary": upload(*BOTH, boundary=""),
    "a boundary in no encoding": head(SUBMIT, "Content-Type: multipart/form-data; boundary*=no''%ff"),
    "a truncated photograph": upload(BOTH[0], (b"parentB", PHOTO[:-500])),
    "a bomb": upload((b"parentA", BOMB), BOTH[1]),
    "a flood of parts": upload(*[(b"p%d" % number, b"x") for number in range(50)]),
    "an oversized upload": upload((b"parentA", bytes(400_000)), BOTH[1]),
    "a body that is cut off": upload(*BOTH)[:20_000],
    "a slow upload": upload(*BOTH),
    "a slow upload that is given up": upload(*BOTH)[:700],
    "a slow head that is given up": head(HEALTH, "X: " + "x" * 300)[:200],
    "more uploads than are taken": upload(*BOTH, then="keep-alive") * 11 + upload(*BOTH),
    "a length far too large": upload(*BOTH, length=10**9),
    "a length that is no number": upload(*BOTH, length="-5"),
    "a length beyond all numbers": upload(*BOTH, length="9" * 5000),
    "a length twice": head(SUBMIT, "Content-Length: 3", "Content-Length: 3") + b"abc",
    "a length and another": head(SUBMIT, "Content-Length: 3", "Content-Length: 30") + b"abc",
    "two lengths": head(SUBMIT, "Content-Length: 3", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "a promised body that does not come": head(SUBMIT, "Content-Length: 3", "Expect: 100-continue"),
    "nonsense in chunks": head(SUBMIT, "Transfer-Encoding: chunked") + b"zz\r\nnonsense\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": head(SUBMIT, "Transfer-Encoding: chunked", version="1.0") + b"3\r\nabc\r\n0\r\n\r\n",
    "an unknown coding": head(SUBMIT, "Transfer-Encoding: gzip") + b"abc",
    "an unknown coding in chunks": head(SUBMIT, "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "HTTP/1.0": b"GET /health HTTP/1.0\r\n\r\n",
    "HTTP/0.9": b"GET /health\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a huge header": head(HEALTH, "X: " + "x" * 300_000),
    "a header of nothing": head(HEALTH, ":"),
    "a folded header": head(HEALTH, "X: a", "\tb"),
    "a fold without a header": b"GET /health HTTP/1.1\r\n folded: x\r\n\r\n",
    "a whole address": head("GET http://127.0.0.1/health"),
    "somebody else's address": head("GET http://elsewhere.example/health"),
    "half an address": head("GET http://[elsewhere/health"),
    "a tunnel": head("CONNECT elsewhere.example:443"),
    "a host that is none": head("GET /api//images/status/x", host="\xff bad:99999999"),
    "pipelining": head(HEALTH, then="keep-alive") * 4 + head(HEALTH),
    "no HTTP": random.Random(0).randbytes(300) + b"\r\n\r\n",
    "a path out of here": head("GET /api/images/result/../../../../etc/passwd"),
    "the same, encoded": head("GET /api/images/result/%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
    "a zero byte": head("GET /api/images/status/%00%ff%F0%9F%98%80"),
    "a forged id": head("GET /api/images/status/0a3f3c1f1c6f4d0d8d0c6ab0a1d5f3be.aSVUig.hG2sVY1fSCbVvUIHyJ0uK0nVdlk"),
    "a range that is none": head("GET /web/app.js", "Range: bytes=999999999-"),
    "a wrong method": head("DELETE /api/images/analyze"),
    "OPTIONS": head("OPTIONS /api/images/analyze"),
    "HEAD": head("HEAD /api/images/result/nobody"),
    "half a request": b"GET /hea",
}
# What waits for more gets no answer; it leaves.
SILENT = {
    "a body that is cut off",
    "a slow upload that is given up",
    "a slow head that is given up",
    "a promised body that does not come",
    "half a request",
}
# Bytes at a time.
SLOW = {"a slow upload": 2000, "a slow upload that is given up": 7, "a slow head that is given up": 3}
EXPIRED = "an expired id"
# Where waitress, not the service, says what it does not know.
NOT_IMPLEMENTED = {"an unknown coding", "an unknown coding in chunks"}
# So small that the uploads of one round already are too many for it.
SMALL = {
    "result_px": 32,
    "max_upload_bytes": 300_000,
    "budget_bytes": 2 * largest_png_bytes(32),
    "workers": 1,
    "queue_size": 2,
    "service_time_s": 0.005,
}
# The seconds after which waitress closes what is idle, and at which it looks.
IMPATIENT = {"channel_timeout": 1, "cleanup_interval": 1}


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return contextlib.closing(connection)


def read_all(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


def send(port, data, *, leaves=False, piece=2**20):
    """Return what was answered, after the server has closed or the client has left."""
    answer = b""
    with connect(port) as connection, contextlib.suppress(ConnectionError):
        for start in range(0, len(data), piece):
            connection.sendall(data[start : start + piece])
        while not leaves and (block := connection.recv(65536)):
            answer += block
    return answer


def statuses(answer):
    """Return the statuses of some answers, and make sure that each refusal says when to come back."""
    heads = re.findall(rb"HTTP/1\.[01] (\d{3}) (.*?\r\n)\r\n", answer, re.DOTALL)
    for status, headers in heads:
        assert status != b"503" or re.search(rb"\r\nRetry-After: \d+\r\n", headers), headers
    return [int(status) for status, _ in heads]


def ask(port, line):
    (status,) = statuses(send(port, head(line)))
    return status


def job_ids(answer):
    return [job_id.decode() for job_id in re.findall(rb'"jobId": ?"([^"]+)"', answer)]


def wait_until(condition):
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "the server does not come to rest"
        time.sleep(0.002)


def rest(server):
    wait_until(lambda: not server.connections() and server.service.idle())


def attack(server, chosen=ATTACKS):
    """Send each once, come back for the jobs when they are gone, and return the statuses by attack."""
    seen = {EXPIRED: []}
    jobs = []
    for name in chosen:
        answer = send(server.port, ATTACKS[name], leaves=name in SILENT, piece=SLOW.get(name, 2**20))
        seen[name] = statuses(answer)
        jobs += job_ids(answer)
    rest(server)
    server.service.expire()
    for job_id, what in itertools.product(jobs, ("status", "result")):
        seen[EXPIRED].append(ask(server.port, f"GET /api/images/{what}/{job_id}"))
    rest(server)
    return seen


def faults(seen):
    """Return what there was of errors of the server's, by attack, other than that it takes no more for now."""
    allowed = {name: {503, 501} if name in NOT_IMPLEMENTED else {503} for name in seen}
    return {name: found for name, found in seen.items() if {s for s in found if s >= 500} - allowed[name]}


@pytest.fixture(params=["ttl", "byte-budget"])
def server(request):
    with embedded(store=request.param, **SMALL) as server:
        yield server


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_attack_is_an_error_of_the_servers(server):
    seen = attack(server)
    time.sleep(0.1)  # a connection is off the books a moment before its descriptor is
    threads, files = threading.active_count(), descriptors()
    names = list(ATTACKS)
    random.Random(1).shuffle(names)
    for _ in range(3):
        for name, found in attack(server, names).items():
            seen[name] += found
    assert not faults(seen)
    assert not {name for name, found in seen.items() if not found} - SILENT
    assert 202 in seen["a good upload"]
    assert set(seen[EXPIRED]) == {410}
    assert all(set(seen[name]) == {501} for name in NOT_IMPLEMENTED)
    answers = {status for found in seen.values() for status in found}
    assert answers >= {200, 202, 400, 404, 405, 410, 413, 416, 422}
    assert not [status for status in answers if 300 <= status < 400]  # to wherever the client's `Host` says
    # Fewer: the collector may close what an earlier test has left.
    wait_until(lambda: threading.active_count() <= threads)
    wait_until(lambda: descriptors() <= files)
    assert server.service.store.kept_bytes() == 0


def test_an_error_of_the_servers_would_be_a_fault():
    seen = {"OPTIONS": [200, 500], "a bomb": [501], "an unknown coding": [501], "a good upload": [503], "HEAD": [404]}
    assert faults(seen) == {"OPTIONS": [200, 500], "a bomb": [501]}
    with pytest.raises(AssertionError):
        statuses(b"HTTP/1.1 503 SERVICE UNAVAILABLE\r\nContent-Length: 0\r\n\r\n")


def test_an_id_expires():
    with embedded(store="ttl", result_px=32) as server:
        (job_id,) = job_ids(send(server.port, ATTACKS["a good upload"]))
        paths = [f"GET /api/images/{what}/{job_id}" for what in ("status", "result")]
        rest(server)
        assert [ask(server.port, path) for path in paths] == [200, 200]
        server.service.expire()
        assert [ask(server.port, path) for path in paths] == [410, 410]


def test_a_full_queue_refuses_and_keeps_nothing_of_what_it_refuses():
    with embedded(store="ttl", result_px=32, workers=1, queue_size=1, service_time_s=3600) as server:
        service = server.service
        assert statuses(send(server.port, ATTACKS["a good upload"])) == [202]
        wait_until(lambda: service.queue.waiting() == (0, 0))
        assert statuses(send(server.port, ATTACKS["a good upload"])) == [202]
        kept = len(service.store), service.queue.waiting()
        for _ in range(10):
            answer = send(server.port, ATTACKS["a good upload"])
            assert (statuses(answer), b"/problems/queue-full" in answer) == ([503], True)
        assert (len(service.store), service.queue.waiting()) == kept == (2, (1, 2 * len(PHOTO)))


def test_a_full_store_refuses_until_something_is_read():
    with embedded(store="byte-budget", result_px=32, budget_bytes=largest_png_bytes(32)) as server:
        (job_id,) = job_ids(send(server.port, ATTACKS["a good upload"]))
        rest(server)
        for _ in range(10):
            answer = send(server.port, ATTACKS["a good upload"])
            assert (statuses(answer), b"/problems/store-full" in answer) == ([503], True)
        assert len(server.service.store) == 1
        assert ask(server.port, f"GET /api/images/result/{job_id}") == 200
        assert statuses(send(server.port, ATTACKS["a good upload"])) == [202]


def test_slow_clients_in_any_number_keep_nobody_waiting_and_are_served_in_the_end():
    requests = [ATTACKS["HTTP/1.0"], head(HEALTH), ATTACKS["no boundary"]]
    with embedded(store="ttl", http_threads=2) as server, contextlib.ExitStack() as stack:
        # Far more than threads, and than waitress accepts by itself.
        slow = [(stack.enter_context(connect(server.port)), request) for request in requests * 50]
        for connection, request in slow:
            connection.sendall(request[:10])
        wait_until(lambda: server.connections() == len(slow))
        assert ask(server.port, HEALTH) == 200
        for connection, request in slow:
            connection.sendall(request[10:20])
        assert ask(server.port, HEALTH) == 200
        finished, given_up = slow[::2], slow[1::2]
        for connection, request in finished:
            connection.sendall(request[20:])
        assert {status for connection, _ in finished for status in statuses(read_all(connection))} == {200, 400}
        for connection, _ in given_up:
            connection.close()
        rest(server)


def keep(service, size):
    """Keep a job with an image of so many bytes, and return the request for it."""
    job_id = service.ids.issue()
    service.store.put(job_id, JobResult(JobState.DONE, bytes(size), None, service.clock()))
    return f"GET /api/images/result/{job_id}"


def small_buffer(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return connection


def test_a_client_that_reads_nothing_of_what_it_asks_for_keeps_no_thread():
    with embedded(store="ttl", http_threads=1) as server, contextlib.ExitStack() as stack:
        greedy = head(keep(server.service, 1_000_000), then="keep-alive") * 40
        for _ in range(2):
            small_buffer(stack.enter_context(connect(server.port))).sendall(greedy)
        wait_until(lambda: server.connections() == 0)
        assert ask(server.port, HEALTH) == 200


def test_a_client_that_reads_nothing_is_hung_up_on_when_it_has_been_idle(monkeypatch):
    usual = embedding._limits
    monkeypatch.setattr(embedding, "_limits", lambda settings: usual(settings) | IMPATIENT)
    with embedded(store="ttl") as server, connect(server.port) as client:
        small_buffer(client).sendall(head(keep(server.service, 30_000_000), then="keep-alive"))
        wait_until(lambda: server.connections() == 0)


def test_a_client_that_reads_gets_all_that_it_asks_for():
    with embedded(store="ttl", http_threads=1) as server:
        line = keep(server.service, 300_000)
        answer = send(server.port, head(line, then="keep-alive") * 39 + head(line))
        assert statuses(answer) == [200] * 40
        assert len(answer) > 40 * 300_000


def test_connections_leave_the_process_descriptors_and_further_clients_wait():
    serve = 'ulimit -n 200; exec "$0" -m labserver serve --store ttl --port 0'
    with (
        subprocess.Popen(["sh", "-c", serve, sys.executable], stdout=subprocess.PIPE) as process,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(process.send_signal, signal.SIGTERM)
        port = int(re.search(rb":(\d+) ", process.stdout.readline())[1])
        clients = [stack.enter_context(connect(port)) for _ in range(250)]
        for client in clients:
            client.sendall(head("GET /web/app.js")[:-2])
        for client in clients:
            client.sendall(b"\r\n")
            assert statuses(read_all(client)) == [200]
            client.close()


def judge(planted):
    """Print the verdict on some attacks, without what it does not depend on."""
    kept = []
    refused = problems.answer_problem

    def refuse(error):
        kept.append(bytes(500))
        return refused(error)

    if planted:
        problems.answer_problem = refuse
    check.EXPLAINING = ()  # who holds it is not asked
    heuristics = Heuristics(expiry=Expiry(patience_s=0.0))  # nothing expires here
    names = ["no boundary", "a truncated photograph", "a body that is cut off"]
    with embedded(store="ttl", result_px=32, max_upload_bytes=300_000) as server:
        sys.stdout.write(leak_check(lambda: attack(server, names), heuristics=heuristics, fast=True).verdict)


@pytest.mark.parametrize(("planted", "verdict"), [(False, Verdict.NO_LEAK), (True, Verdict.LEAK)])
def test_the_verdict_on_attacks_finds_what_is_planted_and_nothing_else(planted, verdict):
    # In a process of its own: the time goes into looks at the heap, and that of the tests grows with each of them; and
    # without glibc's caches of what each thread has freed, which count as in use.
    command = [sys.executable, "-c", f"import runpy; runpy.run_path({__file__!r})['judge']({planted})"]
    environment = os.environ | {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=250, check=True)
    assert run.stdout == verdict
