"""Work on a copy of this process, so that the process itself goes on serving.

A look at the whole heap takes a second; in a forked child it costs the parent the milliseconds of the fork. The child
has the parent's memory as it was, one thread, and nothing to lose: whatever goes wrong in it ends it, and only it.
"""

import contextlib
import ctypes
import faulthandler
import gc
import json
import os
import re
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from labserver.errors import CannotRun
from labserver.heap.roots import Roots, gather_roots

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_ENDING = (signal.SIGALRM, signal.SIGTERM, signal.SIGINT)
# From CPython 3.12 on a fork beside threads warns. The child here needs no lock that another thread could hold.
_NO_WARNING = ("ignore", None, DeprecationWarning, re.compile(re.escape(__name__)), 0)
_HEADER_BYTES = 9  # how it went, and the length of what follows
_CAN_FORK = sys.platform.startswith("linux")  # elsewhere system libraries do not survive a fork without exec


def in_fork(work: Callable[[Roots], Any], *, within_s: float, keep: Sequence[int] = ()) -> Any:
    """What `work` gives back, as JSON carries it; where forking is unsafe it is done in place.

    Args:
        work: called in the child, with what a fork loses: the other threads' frames and state. Whatever it changes is
            lost; locks that other threads held stay locked.
        within_s: a child that takes longer is killed.
        keep: file descriptors that the work needs; all others are closed in the child.

    Raises:
        CannotRun: the work failed, died, or took too long.
    """
    roots = gather_roots()
    try:
        if not _CAN_FORK:
            return json.loads(json.dumps(work(roots)))
        return _ask_child(work, roots, within_s, keep)
    finally:
        roots.clear()


def _ask_child(work: Callable[[Roots], Any], roots: Roots, within_s: float, keep: Sequence[int]) -> Any:
    ends: tuple[int, ...] = ()
    try:
        reading, writing = ends = os.pipe()
        pid = _fork()
    except OSError as error:
        for end in ends:
            os.close(end)
        raise CannotRun(f"This process cannot be forked to look at its heap: {error.strerror}.") from error
    if pid == 0:
        _run_child(work, roots, reading, [writing, *keep], within_s)
    child = _Child(pid)
    os.close(writing)
    roots.clear()
    try:
        went_well, answer = _receive(reading, child, within_s)
    finally:
        os.close(reading)
        child.end()
    if not went_well:
        raise CannotRun(f"The look at the heap failed: {answer.decode()}.")
    return json.loads(answer)


def _fork() -> int:
    if _NO_WARNING not in warnings.filters:
        # Not by `filterwarnings`: each module would then forget which warnings it has shown, and what it kept of them.
        warnings.filters.insert(0, _NO_WARNING)  # type: ignore[attr-defined]
    # Until they have their plain meaning in the child, the application's handlers must not run there.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    pid = -1
    try:
        pid = os.fork()
    finally:
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return pid


def _run_child(work: Callable[[Roots], Any], roots: Roots, reading: int, keep: Sequence[int], within_s: float) -> None:
    """Everything that the child does; it never returns. The first descriptor to keep is that of the answer."""
    try:
        os.close(reading)  # where the parent has taken all descriptors, the child needs one
        _leave_the_parent_alone(keep, within_s)
        try:
            answer, went_well = json.dumps(work(roots)).encode(), b"+"
        except BaseException as error:  # noqa: BLE001 - the parent says what went wrong
            answer, went_well = f"{type(error).__name__}: {error}".encode(errors="replace"), b"-"
        message = memoryview(went_well + len(answer).to_bytes(_HEADER_BYTES - 1) + answer)
        while message:
            message = message[os.write(keep[0], message) :]
    finally:
        os._exit(0)


def _leave_the_parent_alone(keep: Sequence[int], within_s: float) -> None:
    gc.disable()
    sys.settrace(None)
    sys.setprofile(None)
    faulthandler.disable()
    # The kernel ends a child that hangs in C code even when its parent is gone.
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    signal.set_wakeup_fd(-1)
    signal.setitimer(signal.ITIMER_REAL, within_s + 1)
    _close_all_but({0, 1, 2, *keep})
    _keep_freed_memory()
    with contextlib.suppress(OSError):
        # Where memory runs out the child goes, not the server.
        Path("/proc/self/oom_score_adj").write_text("1000")


def _close_all_but(keep: set[int]) -> None:
    """Close descriptors: a connection that the parent closes is closed for its peer only when no copy is left open.

    Not up to the limit: it may be a billion, or have been lowered since some were opened.
    """
    for descriptor in {int(path.name) for path in Path("/proc/self/fd").iterdir()} - keep:
        with contextlib.suppress(OSError):  # the list's own
            os.close(descriptor)


def _keep_freed_memory() -> None:
    """Arrays come and go by the dozen; handed back to the kernel each time, their pages would cost a third of the work.

    glibc's own setting, for this process only; other C libraries have none.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)


def _receive(reading: int, child: "_Child", within_s: float) -> tuple[bool, bytes]:
    """The child's answer. Its end is watched too: a process forked meanwhile may hold the pipe open."""
    deadline = time.monotonic() + within_s
    poll = select.poll()
    # Looked at in this order: who has ended when it is looked at has written before the pipe is.
    if child.descriptor is not None:
        poll.register(child.descriptor, select.POLLIN)
    poll.register(reading, select.POLLIN)
    received = bytearray()
    while len(received) < _HEADER_BYTES or len(received) < _HEADER_BYTES + int.from_bytes(received[1:_HEADER_BYTES]):
        left_s = deadline - time.monotonic()
        ready = [descriptor for descriptor, _ in poll.poll(max(0, left_s) * 1000)]
        if not ready:
            raise CannotRun(f"The look at the heap took longer than {within_s:g} s, so it was stopped.")
        data = os.read(reading, 1 << 20) if reading in ready else b""
        if not data:
            raise CannotRun("The look at the heap ended without an answer: its process died.")
        received += data
    return received[:1] == b"+", bytes(received[_HEADER_BYTES:])


class _Child:
    """A forked process, which the application's own handlers may reap before us."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.descriptor: int | None = None
        with contextlib.suppress(OSError, AttributeError):  # an old kernel, a sandbox; already reaped
            self.descriptor = os.pidfd_open(pid)

    def end(self) -> None:
        """Kill it if it still runs, and leave no zombie."""
        with contextlib.suppress(OSError):
            if self.descriptor is not None:
                signal.pidfd_send_signal(self.descriptor, signal.SIGKILL)
            elif os.waitpid(self.pid, os.WNOHANG)[0] == 0:  # still ours: its number cannot have been given anew
                os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        if self.descriptor is not None:
            os.close(self.descriptor)
