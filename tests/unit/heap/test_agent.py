import socket
import tracemalloc

import pytest

from labserver.errors import CannotRun
from labserver.heap import agent, meters
from labserver.heap.agent import Agent, memory_commands
from labserver.heap.protocol import Closed, Lines, Silent


def broken():
    raise ValueError("no heap today")


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "s"
    Agent(path, {**memory_commands(lambda: 0), "add": lambda *, a, b: a + b, "broken": broken})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        yield Lines(connection)


def ask(lines, **message):
    lines.send(message)
    return lines.receive(120)


def test_commands_are_answered_and_errors_too(lines):
    assert ask(lines, command="add", a=1, b=2) == {"result": 3}
    assert ask(lines, command="broken") == {"error": "ValueError: no heap today"}
    assert ask(lines, command="eval", code="1") == {"error": "there is no command 'eval'"}
    assert "TypeError" in ask(lines, command="add", a=1)["error"]
    assert ask(lines, command="add", a="x", b="y") == {"result": "xy"}


def test_a_floor_is_read_and_tracing_switched(lines):
    floor = ask(lines, command="floor")["result"]
    assert floor["heap_bytes"] > 1_000_000
    assert floor["traced_bytes"] is None
    assert floor["collecting"] is True
    assert ask(lines, command="trace", frames=2) == {"result": True}
    try:
        assert tracemalloc.get_traceback_limit() == 2
        assert ask(lines, command="floor")["result"]["traced_bytes"] > 0
    finally:
        assert ask(lines, command="trace", frames=0) == {"result": False}


def test_what_the_application_traces_itself_goes_on_as_it_is(lines):
    tracemalloc.start(3)
    try:
        kept = bytearray(100)
        assert ask(lines, command="trace", frames=10) == {"result": True}
        assert ask(lines, command="trace", frames=0) == {"result": True}
        assert tracemalloc.get_traceback_limit() == 3
        assert tracemalloc.get_object_traceback(kept) is not None
    finally:
        tracemalloc.stop()


def test_without_books_the_process_is_traced_from_the_start(monkeypatch):
    monkeypatch.setattr(agent, "heap_bytes", lambda: None)
    monkeypatch.setattr(meters, "heap_bytes", lambda: None)
    floor = memory_commands(lambda: 0)["floor"]
    try:
        assert floor()["traced_bytes"] > 0
        assert floor()["heap_bytes"] is None
    finally:
        tracemalloc.stop()


def test_where_the_application_wraps_the_allocators_after_the_start_it_is_traced_from_the_first_floor(monkeypatch):
    floor = memory_commands(lambda: 0)["floor"]
    monkeypatch.setattr(agent, "heap_bytes", lambda: None)
    monkeypatch.setattr(meters, "heap_bytes", lambda: None)
    try:
        assert floor()["traced_bytes"] > 0
    finally:
        tracemalloc.stop()


def test_without_books_and_without_traces_the_reason_is_said(monkeypatch):
    monkeypatch.setattr(agent, "heap_bytes", lambda: None)
    monkeypatch.setattr(meters, "heap_bytes", lambda: None)
    floor = memory_commands(lambda: 0)["floor"]
    tracemalloc.stop()  # as the application may
    with pytest.raises(CannotRun, match="The application has stopped tracemalloc"):
        floor()


def test_the_end_and_the_silence_of_the_other_side_are_told_apart():
    here, there = socket.socketpair()
    with here, there:
        lines = Lines(here)
        with pytest.raises(Silent):
            lines.receive(0.05)
        there.sendall(b'{"a": ')
        there.sendall(b'1}\n{"b": 2}\n')
        assert [lines.receive(60), lines.receive(60)] == [{"a": 1}, {"b": 2}]
        there.close()
        with pytest.raises(Closed):
            lines.receive(60)
        lines.close()
        with pytest.raises(Closed):
            lines.send({})
