"""A server that a command line starts, and everything that belongs to it: found, waited for, asked, ended."""

import contextlib
import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psutil

from labserver.errors import CannotRun, UsageError
from labserver.processes.helper import spawn
from labserver.processes.leftovers import TARGET, Mark
from labserver.processes.output import Output
from labserver.processes.running import runs
from labserver.targets.child import SERVED, how_it_ended
from labserver.targets.listeners import accepting, ports_of, served_connections
from labserver.targets.server.answering import answers
from labserver.targets.server.calm import Calm
from labserver.targets.server.command_line import CommandLine
from labserver.targets.server.gathering import Gathering
from labserver.targets.server.site_folder import SiteFolder
from labserver.targets.serving import Serving, serving
from labserver.targets.workers import Workers

_POLL_S = 0.1
_TERMINATED_S = 4.0  # a server's own end, in good order
_AGE_S = 2.0  # from which on a process that opens no port counts: others are helpers that come and go
NO_ADDRESS = "http://nobody.invalid"
"""What a journey is given for an address where a command opens no port."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """When a server counts as ready.

    Attributes:
        within_s: seconds that it has.
        path: what answers then with less than 400; None where it is enough that a process takes a connection.
        needs_port: whether it has to open a port: a worker that gets its tasks elsewhere has none.
    """

    within_s: float
    path: str | None = None
    needs_port: bool = True


class Server(Workers):
    """Made by `server`, and to be closed.

    Args:
        line: what starts it.
        attach_s: seconds to put an agent into a process that has not come by itself; None not to.

    Attributes:
        url: where it answers, without a trailing slash; `NO_ADDRESS` where it opens no port.
        pid: the process that the line has started.
    """

    def __init__(self, line: CommandLine, *, attach_s: float | None) -> None:
        super().__init__("The command", attach_s=attach_s)
        self.url = NO_ADDRESS
        self._line = line
        self._now: Serving | None = None
        self._mark = Mark(TARGET)
        with ExitStack() as stack:
            self._output = Output()
            stack.callback(self._output.close)
            self._folder = SiteFolder()
            stack.callback(self._folder.close)
            self._gathering = Gathering(self._folder.meeting)
            stack.callback(self._gathering.close)
            self._waiting = self._gathering.agent_of
            stack.callback(_end_guard, _guard(self._mark, self._folder))
            self._process = self._started()
            stack.callback(self._end)
            stack.callback(self._let_go)
            self._stack = stack.pop_all()
        self.pid = self._process.pid
        self._seen = psutil.Process(self.pid)

    def start(self, ready: Readiness) -> None:
        """Return when it serves.

        Raises:
            UsageError: it is no Python, or wants a port that is taken, or opens several.
            CannotRun: it ends, or does not serve in time.
        """
        deadline = time.monotonic() + ready.within_s
        calm = Calm(self._mark.processes)
        while not self._is_ready(ready, calm):
            if not self._mark.processes():
                self._require_the_port()
                raise self.death()
            if time.monotonic() > deadline:
                raise CannotRun(f"The command {self._lateness(ready)}{self.last_output()}.")
            time.sleep(_POLL_S)
        self._gather(self._steady(deadline))
        if self.without:
            self._note_strangers()

    def death(self) -> CannotRun:
        """Why it is gone, with its own last words."""
        if runs(self._seen) and not all(map(runs, self.members)):
            return CannotRun(f"The command serves no longer{self.last_output()}.")
        return CannotRun(f"The command {how_it_ended(self._process.poll())}{self.last_output()}.")

    def last_output(self) -> str:
        """What it printed last, ready to be appended to a sentence."""
        return self._output.last(lines=3)

    def overhear(self) -> Callable[[], str]:
        """What it prints from now on."""
        return self._output.overhear()

    def close(self) -> None:
        """End it with all that it started, and leave nothing; may be called again."""
        self._stack.close()

    def _started(self) -> "subprocess.Popen[bytes]":
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONTRACEMALLOC"}
        environment = {**inherited, **SERVED, **self._line.environment, **self._mark.environment}
        try:
            return subprocess.Popen(  # noqa: S603 - it is what the user wants to run
                self._line.arguments,
                stdin=subprocess.DEVNULL,
                stdout=self._output.file,
                stderr=self._output.file,
                env=environment | self._folder.environment(environment.get("PYTHONPATH")),
                start_new_session=True,  # Ctrl-C on the terminal is this process's to handle
            )
        except OSError as error:
            raise UsageError(
                f"The command could not be started ({error.strerror}): {self._line.arguments[0]}"
            ) from None

    def _is_ready(self, ready: Readiness, calm: Calm) -> bool:
        ports = self._ports()
        if self._line.port is not None:
            ports = {port: host for port, host in ports.items() if port == self._line.port}
        if not ports:
            return not ready.needs_port and self._line.port is None and calm.has_come()
        (port, host), *others = ports.items()
        found = self._having(port)
        taker = accepting(host, port, found)
        if taker is None or (ready.path is not None and not answers(host, port, ready.path)):
            return False
        if others:
            known = ", ".join(map(str, sorted(ports)))
            raise UsageError(f"The command listens on the ports {known}: write {{port}} for the one to load.")
        self._host, self._port = host, port
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._now = serving(host, port, found, taker=taker)
        return True

    def _require_the_port(self) -> None:
        if self._line.port is None and os.strerror(errno.EADDRINUSE) in self._output.last(lines=20):
            said = self.last_output()
            raise UsageError(f"The command wants a port that is taken: write {{port}} in its place{said}.")

    def _lateness(self, ready: Readiness) -> str:
        within = f"within {ready.within_s:.0f} s"
        ports = self._ports()
        if self._line.port is not None and ports and self._line.port not in ports:
            return f"did not listen on {{port}} {within}, but on {', '.join(map(str, sorted(ports)))}"
        if not ports:
            return f"did not listen on any port {within}"
        return f"did not answer {ready.path} {within}" if ready.path else f"took no connection {within}"

    def _steady(self, deadline: float) -> list[psutil.Process]:
        """Those that serve, when they stay the same.

        Raises:
            CannotRun: they never do.
        """
        found: list[psutil.Process] = []
        while not found and time.monotonic() < deadline:
            found = self._steadily_serving()
        if not found:
            raise CannotRun(f"The command did not keep its processes for half a second{self.last_output()}.")
        return found

    def _note_strangers(self) -> None:
        if not self._gathering.has_met_any:
            raise UsageError(
                "The command starts no Python process that labserver could look into: give the line that starts the "
                f"server itself, without -I, -E and -S{self.last_output()}."
            )
        pids = ", ".join(map(str, self.without))
        note = (
            f"Not all processes that serve could be looked into ({pids}), so their private memory was read from "
            f"outside, in whole pages. {self.missing}"
        )
        self.notes.append(note)

    def _ports(self) -> dict[int, str]:
        return {port: host for process in self._mark.processes() for port, host in ports_of(process).items()}

    def _having(self, port: int) -> list[psutil.Process]:
        return [process for process in self._mark.processes() if port in ports_of(process)]

    def _serving(self) -> list[psutil.Process]:
        if self._now is None:
            return self._grown_up()
        found = self._having(self._port)
        self._now = serving(self._host, self._port, found, master=self._now.master)
        return list(self._now.workers)

    def _grown_up(self) -> list[psutil.Process]:
        """Of a command without a port, the Python processes that are no short-lived helpers."""
        pids = self._gathering.present | {one.pid for one in self.members}
        latest = time.time() - _AGE_S
        found = (one for one in self._mark.processes() if one.pid in pids and one.create_time() <= latest)
        return sorted(found, key=lambda process: process.pid)

    def _are_the_same(self, members: Sequence[psutil.Process]) -> bool:
        if self._now is not None:
            return set(members) == set(self._now.workers) and self._now.is_the_same()
        return not self._gathering.present or set(self._grown_up()) == set(members)

    def _require_the_same(self) -> None:
        self._output.bound()
        super()._require_the_same()

    def _may_come_back(self) -> bool:
        return bool(self._mark.processes())

    def _printing(self) -> dict[str, Callable[[], str]]:
        return {"last_output": self.last_output}

    def _connections(self) -> int:
        if self._now is None:
            return 0
        return sum(served_connections(process, self._port) for process in self.members)

    def _end(self) -> None:
        """Let it end in good order, or else without it."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGTERM)
            deadline = time.monotonic() + _TERMINATED_S
            while time.monotonic() < deadline and self._mark.processes():
                time.sleep(_POLL_S)
            # Not reaped by now, so that no other process has its group's number.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        self._mark.end()


def _guard(mark: Mark, folder: SiteFolder) -> "subprocess.Popen[bytes]":
    """What ends the command's processes where this one cannot, since it is killed."""
    return spawn(
        "labserver.targets.server.guard",
        mark.token,
        str(folder.meeting.parent),
        what="The guard of the command",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _end_guard(guard: "subprocess.Popen[bytes]") -> None:
    guard.kill()
    guard.wait()
    if guard.stdin is not None:
        guard.stdin.close()


@contextmanager
def server(text: str, *, ready: Readiness, attach_s: float | None = None) -> Iterator[Server]:
    """Start a server by its own command line, and leave nothing behind.

    Args:
        text: the line, in which `{port}` stands for a free port; no shell runs it.
        ready: when it counts as ready.
        attach_s: seconds to put an agent into a process that has not come by itself; None not to.

    Yields:
        The server, once it serves.

    Raises:
        UsageError: the line makes no sense, is of no Python, or wants a port that is taken.
        CannotRun: it ends, or does not serve in time.
    """
    process = Server(CommandLine.parse(text), attach_s=attach_s)
    try:
        process.start(ready)
        yield process
    finally:
        process.close()
