"""A process with an agent in it that somebody else has put there, for as long as the conversation lasts."""

import contextlib
import socket
import time

from labserver.heap.protocol import Closed, Lines, Silent
from labserver.targets.attach.bootstrap import bootstrap, movable
from labserver.targets.attach.injection import inject, machine_of
from labserver.targets.attach.interpreter import Interpreter, interpreter_of
from labserver.targets.attach.meeting import Meeting
from labserver.targets.attach.permission import require_permission
from labserver.targets.attach.refusal import CannotAttach
from labserver.targets.attach.remote_exec import require_same_minor, run_remotely

_REMOTE_EXEC = (3, 14)
_IMPORT_S = 60.0  # to import the instruments' packages on a slow machine
_GONE_S = 5.0
_REFUSED = {
    "threads": "its threads are replaced (by gevent or eventlet?), and an agent needs one of its own",
    "build": "it lacks {detail}, and the check's own is of another build of Python: install labserver in it",
    "files": "it lacks {detail}, and cannot read the check's own (are its files others?): install labserver in it",
    "older": "its own labserver is older than the check's: upgrade it",
    "failed": "the agent did not start there ({detail})",
}


class HungUp(CannotAttach):
    """The process has, without a word."""


class Attached:
    """Made by `attach`, and to be closed.

    Attributes:
        lines: the conversation.
        pause_s: for how long the main thread stood; None where it did not.
    """

    def __init__(self, connection: socket.socket, lines: Lines, pause_s: float | None) -> None:
        self._connection = connection
        self.lines = lines
        self.pause_s = pause_s

    def close(self) -> None:
        """Let the agent go, and wait for it to have gone, for some seconds; may be called again."""
        deadline = time.monotonic() + _GONE_S
        with contextlib.suppress(OSError, Closed, Silent):
            self._connection.shutdown(socket.SHUT_WR)
            while True:
                self.lines.receive(max(deadline - time.monotonic(), 0.0))
        self.lines.close()


def attach(pid: int, within_s: float) -> Attached:
    """Put the agent into a process.

    Args:
        pid: of a process of this user, or of any as root.
        within_s: seconds that its main thread gets to stand still, and then to run Python code.

    Raises:
        NotAttachable: something is missing, and nothing was touched.
        CannotAttach: it did not work; the process runs on as before, and nothing in it is pending.
    """
    require_permission(pid)
    interpreter = interpreter_of(pid)
    require_way(interpreter)
    meeting, ran = Meeting(pid), False
    try:
        pause_s = _have_run(interpreter, meeting, within_s)
        met = meeting.wait(within_s)
        ran = met is not None
    finally:
        meeting.close(but_script=not ran and interpreter.minor >= _REMOTE_EXEC)
    if met is None:
        raise CannotAttach(
            f"The main thread of process {pid} ran no Python code within {within_s:g} s, so no agent could be put into "
            "it (does it wait for something for ever?): give it longer with --attach-timeout, or call "
            "labserver.listen() in it."
        )
    attached = Attached(*met, pause_s)
    try:
        greet(pid, attached)
    except BaseException:
        attached.close()
        raise
    return attached


def require_way(interpreter: Interpreter) -> None:
    """Refuse where there is no way into such a process from here.

    Raises:
        NotAttachable: there is none.
    """
    if interpreter.minor >= _REMOTE_EXEC:
        require_same_minor(interpreter)
    else:
        machine_of(interpreter)


def _have_run(interpreter: Interpreter, meeting: Meeting, within_s: float) -> float | None:
    if interpreter.minor >= _REMOTE_EXEC:
        text = bootstrap(pid=meeting.pid, meeting=meeting.address, script=meeting.script)
        run_remotely(interpreter, meeting, text)
        return None
    return inject(interpreter, movable(pid=meeting.pid, meeting=meeting.address), within_s).pause_s


def greet(pid: int, attached: Attached) -> None:
    """Hear what the agent says first.

    Raises:
        HungUp: nothing, and the connection has ended.
        CannotAttach: that it cannot work there, or nothing for long.
    """
    try:
        said = attached.lines.receive(_IMPORT_S)
    except Closed:
        raise HungUp(f"Process {pid} let no agent in, for it may be asked by its own user and by root alone.") from None
    except (Silent, ValueError):
        raise CannotAttach(f"The agent in process {pid} did not answer within {_IMPORT_S:g} s.") from None
    if "refused" in said:
        reason = _REFUSED.get(str(said["refused"]), "{refused}").format(**said)
        raise CannotAttach(f"No agent could be put into process {pid}: {reason}.")
