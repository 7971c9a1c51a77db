"""The process of an application under test, started by `labserver.targets.child`.

It serves the application on a loopback port, a WSGI one with waitress and an ASGI one with uvicorn, answers the
instruments' commands on a private socket, and ends as soon as its parent is gone.
"""

import contextlib
import importlib
import json
import os
import shutil
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep  # by name: not those that an application puts in their place
from typing import Any, Protocol

from labserver.errors import CannotRun
from labserver.heap.agent import Agent, memory_commands
from labserver.heap.at_fork import find_hooks
from labserver.heap.interpreter import require_global_lock
from labserver.heap.origin import declare_application
from labserver.heap.precedence import declare_serving
from labserver.heap.protocol import SOCKET
from labserver.processes.leftovers import TARGET, Mark
from labserver.processes.lifeline import Lifeline
from labserver.targets.application import Application, in_one_line, load_application, place_of
from labserver.targets.asgi import Lifespan
from labserver.targets.asgi_bridge import Bridge
from labserver.targets.commands import instruments_of
from labserver.targets.host_waitress import Waitress

END_WITHIN_S = 2.0
_POLL_S = 0.01


class Server(Protocol):
    """What serves an application.

    Attributes:
        port: on the loopback interface.
    """

    port: int

    def connections(self) -> int:
        """How many connections the clients have open."""
        ...

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until `stop`; call back when that begins."""
        ...

    def stop(self) -> None:
        """End `run`, from another thread."""
        ...


class Host:
    """The application and its server.

    Args:
        target: `module:attribute`.
        http_threads: requests that a WSGI application handles at the same time.
    """

    def __init__(self, target: str, http_threads: int) -> None:
        self._target = target
        self._http_threads = http_threads
        # Flags that are looked at: an application that patches `threading` (gevent) breaks events that are waited for.
        self._started = False
        self._stopping = False
        self._failure: str | None = None
        self._notes: list[str] = []
        self._here = Path.cwd()
        self._server: Server | None = None

    def connections(self) -> int:
        """How many connections the clients have open."""
        return 0 if self._server is None else self._server.connections()

    def start(self, *, within_s: float) -> dict[str, Any]:
        """The command `start`: wait until the application is served, and say where or why it is not."""
        deadline = monotonic() + within_s
        while not self._started and monotonic() < deadline:
            sleep(_POLL_S)
        if not self._started:
            frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - nothing else tells
            return {"busy": place_of(frame, self._here)}
        if self._failure is not None or self._server is None:
            return {"failure": self._failure}
        return {"port": self._server.port, "notes": self._notes}

    def quit(self) -> bool:
        """The command `quit`: end in good order, or else without it."""
        self._stopping = True
        if self._server is not None:
            self._server.stop()
        # An application's thread that is no daemon, or an exit handler that hangs, must not keep the process.
        watchdog = threading.Timer(END_WITHIN_S, os._exit, (0,))
        watchdog.daemon = True
        watchdog.start()
        return True

    def run(self) -> None:
        """Serve until told to quit."""
        with ExitStack() as stack:
            try:
                require_global_lock()
                declare_serving(sys.modules)
                application = load_application(self._target)
                declare_application(self._target.partition(":")[0])
                lifespan = Lifespan(application.name, application.call) if application.is_asgi else None
                self._server = self._wsgi(application, stack) if lifespan is None else self._asgi(lifespan, stack)
                self._server.run(lambda: self._ready(application, lifespan))
            except CannotRun as error:
                self._failure = str(error)
                self._started = True
                while not self._stopping:
                    sleep(_POLL_S)

    def _wsgi(self, application: Application, stack: ExitStack) -> Server:
        for part in _parts(application.call):
            _start(part, stack)
        return Waitress(application.call, self._http_threads)

    def _asgi(self, lifespan: Lifespan, stack: ExitStack) -> Server:
        """uvicorn, which starts and ends the application itself, or else waitress behind a bridge."""
        before = set(sys.modules)
        with contextlib.suppress(ImportError):
            uvicorn = importlib.import_module("labserver.targets.host_uvicorn").Uvicorn
            declare_serving(set(sys.modules) - before)
            return uvicorn(lifespan)  # type: ignore[no-any-return]
        bridge = Bridge(lifespan)
        self._notes.append(f"{lifespan.name} is an ASGI application: a2wsgi served it, for want of uvicorn.")
        _start(bridge, stack)
        return Waitress(bridge, self._http_threads)

    def _ready(self, application: Application, lifespan: Lifespan | None) -> None:
        parts: dict[str, Any] = {"application": application.call}
        if lifespan is not None:
            parts |= {"loop": lifespan.loop, "state": lifespan.state}
            if lifespan.refusal:
                self._notes.append(f"It refused to have a lifespan, and was served without: {lifespan.refusal}.")
        _show_to_instruments(self._target, parts)
        self._started = True


def _show_to_instruments(target: str, parts: dict[str, Any]) -> None:
    """Name the application by a module of its own.

    What a factory returns is known to the server's frames alone; a chain that begins with the target says more.
    """
    module = types.ModuleType(target)
    module.__dict__.update(parts)
    sys.modules[target] = module


def _parts(application: Any) -> Iterator[Any]:
    """What the application has for its host to start and close: Flask extensions with `start()` and `close()`."""
    extensions = getattr(application, "extensions", None)
    for part in list(extensions.values()) if isinstance(extensions, dict) else []:
        if callable(getattr(part, "start", None)) and callable(getattr(part, "close", None)):
            yield part


def _start(part: Any, stack: ExitStack) -> None:
    name = type(part).__qualname__
    try:
        part.start()
    except CannotRun:
        raise
    except Exception as error:  # foreign code may fail in any way
        raise CannotRun(f"{name}.start() fails: {in_one_line(error)}.") from error
    stack.callback(_close, part)


def _close(part: Any) -> None:
    with contextlib.suppress(Exception):  # the process ends anyway
        part.close()


def end_with_parent(lifeline: Lifeline, directory: Path, mark: Mark) -> None:
    """End this process, and all it started, when the parent is gone."""

    def watch() -> None:
        lifeline.wait()
        shutil.rmtree(directory, ignore_errors=True)
        mark.end()
        with contextlib.suppress(OSError):
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, name="labserver-lifeline", daemon=True).start()


def main() -> None:
    """Set up the instruments, then the application."""
    config = json.loads(sys.argv[1])
    directory = Path(config["directory"])
    # A copy: the standard input is what the application takes for its own.
    end_with_parent(Lifeline(os.dup(0)), directory, Mark(TARGET, config["token"]))
    _leave_no_trace()
    host = Host(config["target"], config["http_threads"])
    commands = memory_commands(host.connections) | instruments_of(config["instruments"])
    find_hooks()  # before there is a large heap
    sys.path.insert(0, str(Path.cwd()))  # after our own imports, which it must not answer
    Agent(directory / SOCKET, {**commands, "start": host.start, "quit": host.quit})
    host.run()


def _leave_no_trace() -> None:
    """Make the process look to the application as if nobody had started it in a special way."""
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is wanted, for the standard input
        os.dup2(nothing.fileno(), 0)
    os.environ.pop("GLIBC_TUNABLES", None)
    sys.argv = ["labserver"]
