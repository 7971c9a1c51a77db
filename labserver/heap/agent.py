"""The instruments inside a process under test, reached over a private Unix socket.

Whatever a command does, it answers: an instrument that fails must not take the application with it.
"""

import contextlib
import gc
import socket
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from labserver.errors import CannotLook, CannotRun
from labserver.heap.meters import SETTLING, Settling, take_floor, wait_until
from labserver.heap.process_memory import heap_bytes
from labserver.heap.protocol import Closed, Lines
from labserver.heap.wire import Collected, MemoryNow

Command = Callable[..., Any]
"""Takes keyword arguments and gives back plain JSON values."""


class Agent:
    """Answers commands from a thread of its own.

    Args:
        path: where to listen; its directory is private to the user.
        commands: what can be asked for, by name.
    """

    def __init__(self, path: Path, commands: dict[str, Command]) -> None:
        self._commands = commands
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        threading.Thread(target=self._serve, name="labserver-agent", daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                converse(Lines(connection), lambda: self._commands)


def converse(
    lines: Lines, commands: Callable[[], dict[str, Command]], at_once: dict[str, Command] | None = None
) -> None:
    """Answer one command after another until the other side has gone.

    Args:
        lines: the connection.
        commands: gives what can be asked for, by name; called when there is a first question for it.
        at_once: what is answered without it: whoever only watches must not make the process import instruments.
    """
    at_once = at_once or {}
    known: dict[str, Command] | None = None
    with contextlib.suppress(Closed, ValueError):  # whoever does not speak JSON is not answered
        while True:
            message = lines.receive()
            try:
                if message.get("command") in at_once:
                    answer = _answer(at_once, message)
                else:
                    known = commands() if known is None else known
                    answer = _answer(known, message)
            except CannotLook as error:
                answer = {"unseen": str(error)}
            except Exception as error:  # noqa: BLE001 - see the module's docstring
                answer = {"error": f"{type(error).__name__}: {error}"}
            lines.send(answer)


def _answer(commands: dict[str, Command], message: dict[str, Any]) -> dict[str, Any]:
    name = message.pop("command", None)
    if name not in commands:
        return {"error": f"there is no command {name!r}"}
    return {"result": commands[name](**message)}


def memory_commands(
    connections: Callable[[], int], settling: Callable[[], Settling] = lambda: SETTLING
) -> dict[str, Command]:
    """The commands `floor`, `trace` and `collect`.

    Args:
        connections: how many connections the clients have open.
        settling: how the next floor waits for memory to come to rest.
    """
    ours = False

    def trace(*, frames: int) -> bool:
        """Trace allocations with that many frames, or not at all for 0; what the application traces goes on."""
        nonlocal ours
        if tracemalloc.is_tracing() and not ours:
            return True
        tracemalloc.stop()
        if frames:
            tracemalloc.start(frames)
        ours = bool(frames)
        return ours

    if heap_bytes() is None:  # no books to read: trace from the start, which costs more
        trace(frames=1)

    def floor(*, threads: int | None = None, settle_s: float | None = None) -> dict[str, Any]:
        """The memory at rest: see `take_floor`."""
        if heap_bytes() is None and not tracemalloc.is_tracing():
            if ours:
                raise CannotRun("The application has stopped tracemalloc, and nothing else here tells its memory.")
            trace(frames=1)  # it has loaded a profiler that wraps Python's allocators, which then keep no books
        wanted = settling()
        patience_s = wanted.drain_s if settle_s is None else settle_s
        wait_until(lambda: connections() == 0, timeout_s=patience_s)
        return take_floor(threads=threads, settle_s=settle_s, settling=wanted).to_json()

    return {"floor": floor, "trace": trace, "collect": _collect}


def light_commands() -> dict[str, Command]:
    """The command `reading`: the memory now, in use by the allocators' books, as it is and without a collection."""
    process = psutil.Process()

    def reading() -> dict[str, Any]:
        return MemoryNow(heap_bytes=heap_bytes(), resident_bytes=process.memory_info().rss).to_json()

    return {"reading": reading}


def _collect() -> dict[str, Any]:
    """Collect garbage once, and tell the objects and bytes that it freed."""
    before = heap_bytes()
    objects = gc.collect()
    after = heap_bytes()
    return Collected(objects, None if before is None or after is None else before - after).to_json()
