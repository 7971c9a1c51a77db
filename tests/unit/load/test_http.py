import math
import socket
import threading
import time

import pytest
import requests

from labserver.heap.meters import wait_until
from labserver.load import http
from labserver.load.http import INCOMPLETE, INTERRUPTED, REFUSED, RESET, TIMED_OUT, path_name, timed_session


@pytest.fixture
def records():
    return []


@pytest.fixture
def timed(records):
    session, adapter = timed_session(records.append, timeout_s=5)
    with session:
        yield session, adapter


@pytest.fixture
def session(timed):
    return timed[0]


def test_duration_is_the_sum_of_its_phases_and_the_answer_is_whole(session, records, stand_in):
    answer = session.get(f"{stand_in.url}/result/1")
    (record,) = records
    assert answer.content == stand_in.image
    assert record.status == 200
    assert record.error is None
    assert record.duration == pytest.approx(record.sending + record.waiting + record.receiving, abs=1e-9)
    assert min(record.sending, record.waiting, record.receiving, record.connecting) > 0


def test_duration_leaves_a_slow_connect_out(session, records, stand_in, monkeypatch):
    connect = http.HTTPConnection._new_conn

    def slowly(self):
        time.sleep(0.2)
        return connect(self)

    monkeypatch.setattr(http.HTTPConnection, "_new_conn", slowly)
    began = time.monotonic()
    session.get(f"{stand_in.url}/result/1")
    assert records[0].connecting >= 0.2
    assert records[0].connecting + records[0].duration <= time.monotonic() - began


def test_duration_holds_a_dribbled_body(session, records, stand_in, monkeypatch):
    answered, getresponse = threading.Event(), http.HTTPConnection.getresponse

    def answering(self, *args, **kwargs):
        response = getresponse(self, *args, **kwargs)
        answered.set()
        return response

    monkeypatch.setattr(http.HTTPConnection, "getresponse", answering)
    stand_in.before_body = answered.wait  # so that all of the dribbling is received, and none of it waited for
    stand_in.dribble_s = 0.05
    session.get(f"{stand_in.url}/result/1")
    assert records[0].duration >= records[0].receiving >= 0.2


def test_waiting_holds_the_server_at_work(session, records, stand_in):
    stand_in.latency_s = 1.0
    session.post(f"{stand_in.url}/analyze", data=b"x")
    assert records[0].waiting > 0.5  # the rest is for a client that is late to note that all is sent


def test_a_kept_connection_has_no_connect_time(session, records, stand_in):
    for _ in range(3):
        session.get(f"{stand_in.url}/result/1")
    assert [record.connecting > 0 for record in records] == [True, False, False]
    assert stand_in.connections == 1


def test_bytes_are_those_on_the_wire(records):
    listening = socket.create_server(("127.0.0.1", 0))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
    request = []

    def answer():
        connection, _ = listening.accept()
        with connection:
            request.append(connection.recv(65536))
            connection.sendall(head + b"hello")

    thread = threading.Thread(target=answer)
    thread.start()
    session, _ = timed_session(records.append)
    with session, listening:
        session.get(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        thread.join()
    assert records[0].received == len(head) + 5
    assert records[0].sent == len(request[0])


def test_a_refused_connection_is_a_record_without_status(session, records, refused_url):
    with pytest.raises(requests.ConnectionError):
        session.get(refused_url)
    assert (records[0].status, records[0].error, records[0].duration) == (None, REFUSED, math.inf)


def test_a_silent_server_is_timed_out(records, stand_in):
    stand_in.latency_s = 10
    session, _ = timed_session(records.append, timeout_s=0.2)
    began = time.monotonic()
    with session, pytest.raises(requests.Timeout):
        session.post(f"{stand_in.url}/analyze", data=b"x")
    assert time.monotonic() - began < 8
    assert (records[0].error, records[0].duration) == (TIMED_OUT, math.inf)


def test_a_body_cut_off_is_no_answer(session, records, stand_in):
    stand_in.cut_body = True
    with pytest.raises(requests.RequestException):
        session.get(f"{stand_in.url}/result/1")
    assert records[0].error in {INCOMPLETE, RESET}
    assert records[0].duration == math.inf


def test_nothing_is_sent_twice(session, records):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        accepted = []

        def hang_up():
            while True:
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    return
                with connection:
                    accepted.append(connection.recv(65536))
                listening.settimeout(0.3)

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(requests.ConnectionError):
            session.get(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        thread.join()
    assert len(accepted) == 1
    assert [record.error for record in records] == [RESET]


def once_asked(stand_in, call, *arguments):
    """Call something from another thread as soon as a request has come."""

    def work():
        assert wait_until(lambda: stand_in.seen, timeout_s=60)
        call(*arguments)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_abort_ends_an_exchange_from_another_thread(timed, records, stand_in):
    session, adapter = timed
    stand_in.latency_s = 10
    once_asked(stand_in, adapter.abort, INTERRUPTED)
    began = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        session.post(f"{stand_in.url}/analyze", data=b"x")
    assert time.monotonic() - began < 8
    assert records[0].error == INTERRUPTED


def test_an_exchange_that_is_cut_off_as_overdue_is_a_timeout_to_its_user_too(timed, records, stand_in):
    session, adapter = timed
    stand_in.latency_s = 10
    once_asked(stand_in, adapter.abort, TIMED_OUT)
    with pytest.raises(requests.Timeout):
        session.post(f"{stand_in.url}/analyze", data=b"x")
    assert records[0].error == TIMED_OUT


def test_abort_leaves_a_young_exchange_alone(timed, records, stand_in):
    session, adapter = timed
    stand_in.latency_s = 0.5
    asked = once_asked(stand_in, adapter.abort, TIMED_OUT, 60.0)
    session.post(f"{stand_in.url}/analyze", data=b"x")
    asked.join()
    assert records[0].error is None


@pytest.mark.parametrize(
    ("path", "name"),
    [("/health", "GET /health"), ("/orders/17/lines", "GET /orders/{id}/lines"), ("/v/a1b2", "GET /v/{id}")],
)
def test_path_names_hide_ids(path, name):
    assert path_name("GET", path) == name
