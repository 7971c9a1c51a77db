"""Connecting to neighbours that are there, are not, or do not say."""

import contextlib
import errno
import itertools
import os
import socket
import threading

import pytest

from labserver.incident.service import connection as module
from labserver.incident.service.connection import open_connection
from labserver.incident.service.face import Closing
from labserver.incident.service.face_client import FaceClient


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def silent():
    """An address that leaves all who knock without an answer: its queue is full, and nobody takes from it."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(10):
            try:
                stack.enter_context(socket.create_connection(address, timeout=0.3))
            except TimeoutError:
                break
        else:
            pytest.skip("this system's queues are never full")
        yield address


@pytest.fixture
def named(monkeypatch):
    """Give a name some addresses."""

    def name(*addresses):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
        monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_, **__: found)

    return name


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_a_neighbour_is_reached_at_the_first_address_that_answers(listener, named):
    address = listener.getsockname()
    named(("127.0.0.1", free_port()), address)
    with open_connection(("neighbour", 80), 20) as reached:
        assert reached.getpeername() == address
        assert reached.gettimeout() == 20


def test_an_address_for_which_the_system_has_no_socket_is_passed_over(listener, monkeypatch):
    address = listener.getsockname()
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::1", address[1], 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", address),
    ]
    make = socket.socket

    def without_ipv6(family, *rest, **options):
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return make(family, *rest, **options)

    monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(module.socket, "socket", without_ipv6)
    with open_connection(("neighbour", 80), 20) as reached:
        assert reached.getpeername() == address


def test_nobody_there_is_said_at_once():
    with pytest.raises(ConnectionRefusedError):
        open_connection(("127.0.0.1", free_port()), 600)


def test_a_name_without_an_address_is_an_error_like_the_others(named):
    named()
    with pytest.raises(OSError, match="refused"):
        open_connection(("neighbour", 80), 600)


@pytest.mark.timeout(60)
def test_all_addresses_have_one_deadline(silent, named):
    named(*[silent] * 1000)
    with pytest.raises(TimeoutError):
        open_connection(("neighbour", 80), 0.3)


@pytest.mark.timeout(60)
def test_what_nobody_wants_any_more_is_given_up(silent):
    looks = itertools.count()
    with pytest.raises(TimeoutError):
        open_connection(silent, 600, unwanted=lambda: next(looks) >= 2)


def test_oneself_is_no_neighbour():
    port = free_port()
    with pytest.raises(ConnectionRefusedError):
        open_connection(("127.0.0.1", port), 20, ("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", port)):
        pass  # and the port is the neighbour's to take


def test_a_closing_client_does_not_wait_for_who_does_not_answer(silent, monkeypatch, wait_until):
    monkeypatch.setattr("labserver.incident.service.face_client._CONNECT_S", 600.0)
    client = FaceClient(f"http://127.0.0.1:{silent[1]}", timeout_s=600, max_image_bytes=1000, max_pixels=1000)
    outcome = []

    def call():
        try:
            client.compose(b"a", b"b")
        except Exception as error:  # noqa: BLE001 - which one is what is looked at
            outcome.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    wait_until(lambda: client._busy)
    client.close()
    thread.join(60)
    assert [type(error) for error in outcome] == [Closing]
