"""The gateway's client against servers that misbehave in every way a socket allows."""

import contextlib
import gc
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse

import pytest

from labserver.errors import UsageError
from labserver.incident.service.face import BadPhoto, Closing
from labserver.incident.service.face_client import FaceApiError, FaceApiTimeout, FaceClient

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"


class StandIn:
    """A server that reads each request to its end and then does what it was told to."""

    def __init__(self, behave):
        self.accepted = 0
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError):
            while self._read_request(connection):
                self._behave(connection)

    @staticmethod
    def _read_request(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            block = connection.recv(65536)
            if not block:
                return False
            data += block
        head, _, body = data.partition(b"\r\n\r\n")
        (length,) = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        while len(body) < length:
            body += connection.recv(65536)
        return True

    def close(self):
        # A thread that waits in `accept` keeps a closed listener alive.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@pytest.fixture
def call():
    """Call a server that behaves so; the client, the server and what came of it."""
    made = []

    def make(behave, **options):
        server = StandIn(behave)
        client = FaceClient(
            server.url, **({"timeout_s": 60.0, "max_image_bytes": 500_000, "max_pixels": 10**6} | options)
        )
        made.extend([client, server])
        return client, server

    yield make
    for part in made:
        part.close()


def whole(png, *, headers=b""):
    def behave(connection):
        connection.sendall(HEAD + headers + b"Content-Length: %d\r\n\r\n" % len(png) + png)

    return behave


def test_the_face_comes_back_and_the_connection_is_used_again(call, png_of_size):
    png = png_of_size(20, 30)
    client, server = call(whole(png))
    assert [client.compose(b"a", b"b") for _ in range(5)] == [png] * 5
    assert server.accepted == 1


@pytest.mark.parametrize("framing", ["chunks", "until the end"])
def test_other_framings_are_understood(call, png_of_size, framing):
    png = png_of_size(20, 30)

    def behave(connection):
        if framing == "chunks":
            connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(png) + png + b"\r\n0\r\n\r\n")
        else:
            connection.sendall(HEAD + b"Connection: close\r\n\r\n" + png)
            connection.shutdown(socket.SHUT_RDWR)

    client, server = call(behave)
    assert client.compose(b"a", b"b") == client.compose(b"a", b"b") == png
    assert server.accepted == (1 if framing == "chunks" else 2)


def test_a_connection_that_the_server_closed_is_not_used_again(call, png_of_size):
    png, hung_up = png_of_size(20, 30), threading.Event()

    def behave(connection):
        whole(png)(connection)
        connection.shutdown(socket.SHUT_RDWR)
        hung_up.set()

    client, server = call(behave)
    for _ in range(3):
        assert client.compose(b"a", b"b") == png
        assert hung_up.wait(60)
        hung_up.clear()
    assert server.accepted == 3


def test_connections_that_have_been_idle_are_closed_though_another_is_used_again(call, png_of_size):
    png, together, met = png_of_size(20, 30), threading.Barrier(3), threading.Event()

    def behave(connection):
        if not met.is_set():
            together.wait(60)
        whole(png)(connection)

    client, server = call(behave)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: client.compose(b"a", b"b"), range(3)))
    old, older = client._idle[:2] = [(since - 60, connection) for since, connection in client._idle[:2]]
    met.set()
    assert client.compose(b"a", b"b") == png
    assert server.accepted == 3
    assert [connection.sock for _, connection in (old, older)] == [None, None]


def status(line, body=b"", headers=b""):
    return lambda connection: connection.sendall(
        b"HTTP/1.1 " + line + b"\r\n" + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body
    )


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (status(b"500 Oops"), "The face-api failed (HTTP 500)."),
        (status(b"404 Not Found"), "The face-api failed (HTTP 404)."),
        (status(b"503 Busy"), "The face-api takes no photographs at the moment (HTTP 503)."),
        (
            status(b"302 Found", headers=b"Location: http://127.0.0.1:1/\r\n"),
            "The face-api answered with a redirect (HTTP 302), which is not followed.",
        ),
        (status(b"200 OK", b"<html>"), "The face-api's answer is not a PNG image."),
        (status(b"200 OK", b"x" * 600_000), "The face-api's answer is too large."),
        (status(b"204 No Content"), "The face-api failed (HTTP 204)."),
        (lambda connection: connection.sendall(b"\x00\xff nonsense\r\n\r\n"), "The face-api broke the connection off."),
        (lambda connection: connection.shutdown(socket.SHUT_RDWR), "The face-api broke the connection off."),
    ],
)
def test_what_is_no_face_is_a_failure_with_a_reason(call, behave, reason):
    client, _ = call(behave)
    with pytest.raises(FaceApiError) as raised:
        client.compose(b"a", b"b")
    assert str(raised.value) == reason


def test_an_answer_without_a_length_is_bounded_too(call):
    def behave(connection):
        connection.sendall(HEAD + b"\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    client, _ = call(behave)
    with pytest.raises(FaceApiError, match="too large"):
        client.compose(b"a", b"b")


@pytest.mark.parametrize("length", [b"Content-Length: %d\r\n", b""])
def test_half_a_face_is_none(call, png_of_size, length):
    png = png_of_size(200, 300)

    def behave(connection):
        connection.sendall(HEAD + (length % len(png) if length else b"") + b"\r\n" + png[: len(png) // 2])
        connection.shutdown(socket.SHUT_RDWR)

    client, _ = call(behave)
    with pytest.raises(FaceApiError, match=r"broke the connection off|not a PNG"):
        client.compose(b"a", b"b")


def test_photographs_that_the_face_api_refuses_are_the_clients_to_mend(call):
    client, _ = call(status(b"422 No", b'{"detail": "No face in there."}'))
    with pytest.raises(BadPhoto, match="No face in there"):
        client.compose(b"a", b"b")


@pytest.mark.parametrize("detail", [b"<html>", b'{"detail": 3}', b'{"detail": "\\u001b[31m"}', b"[]", b""])
def test_a_refusal_without_a_sentence_gets_one(call, detail):
    client, _ = call(status(b"422 No", detail))
    with pytest.raises(BadPhoto, match="cannot use the photographs"):
        client.compose(b"a", b"b")


def dribble(connection):
    for byte in HEAD * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def dribble_a_body(connection):
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    dribble(connection)


def repeat_continue(connection):
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.02)


def say_nothing(connection):
    connection.recv(1)  # until the client goes; nothing sleeps on into other tests


@pytest.mark.parametrize("behave", [dribble, dribble_a_body, repeat_continue, say_nothing])
def test_the_deadline_is_one_for_the_whole_call(call, behave):
    client, _ = call(behave, timeout_s=0.4)
    began = time.monotonic()
    with pytest.raises(FaceApiTimeout, match=r"within 0.4 s"):
        client.compose(b"a", b"b")
    assert 0.3 < time.monotonic() - began < 20


def test_a_server_that_does_not_read_is_given_up_too():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = FaceClient(
            f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.4, max_image_bytes=1000, max_pixels=1000
        )
        with pytest.raises(FaceApiTimeout):
            client.compose(b"x" * 20_000_000, b"b")
        client.close()


def test_nobody_there_is_a_failure_at_once():
    with socket.socket() as taken:  # bound, so that nobody else listens there meanwhile
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        client = FaceClient(url, timeout_s=30, max_image_bytes=1000, max_pixels=1000)
        with pytest.raises(FaceApiError, match=r"cannot be reached\.$"):
            client.compose(b"a", b"b")
        client.close()


def test_closing_ends_a_call_under_way_and_all_later_ones(call):
    asked = threading.Event()

    def behave(connection):
        asked.set()
        say_nothing(connection)

    client, _ = call(behave, timeout_s=60)
    outcome = []

    def work():
        try:
            client.compose(b"a", b"b")
        except Exception as error:  # noqa: BLE001 - which one is what is looked at
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert asked.wait(60)
    client.close()
    thread.join(60)
    assert not thread.is_alive()
    assert isinstance(outcome[0], Closing)
    with pytest.raises(Closing):
        client.compose(b"a", b"b")


@pytest.mark.parametrize("behave", [status(b"500 Oops"), status(b"200 OK", b"x"), lambda c: c.shutdown(2)])
@pytest.mark.usefixtures("without_collector")
def test_a_failure_keeps_no_photograph(call, behave):
    client, _ = call(behave)
    photo = bytes(100_000)
    before = sys.getrefcount(photo)
    for _ in range(3):
        with contextlib.suppress(FaceApiError):
            client.compose(photo, photo)
    assert sys.getrefcount(photo) == before
    assert not [item for item in gc.get_objects() if issubclass(type(item), (HTTPConnection, HTTPResponse))]


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:80", "ftp://a", "http://", "http://a:0", "http://a:x", "http://u:p@a", "http://a b", "http://a?b"],
)
def test_an_address_that_is_none_is_a_sentence(url):
    with pytest.raises(UsageError, match="no address"):
        FaceClient(url, timeout_s=1, max_image_bytes=1, max_pixels=1)
