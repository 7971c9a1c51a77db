"""A forked child that works on a copy of this process, so that the process itself goes on serving.

A look at the whole heap takes a second; in a forked child it costs the parent the milliseconds of the fork. The child
has the parent's memory as it was, one thread, and nothing to lose: whatever goes wrong in it ends it, and only it.
"""

import _imp
import contextlib
import ctypes
import faulthandler
import gc
import json
import operator
import os
import re
import resource
import select
import signal
import sys
import time
import warnings
from _thread import RLock
from collections.abc import Callable, Sequence
from functools import cache
from itertools import repeat, tee
from pathlib import Path
from posix import fork, waitpid  # not those of `os`, which an application may have replaced (gevent)
from typing import Any

from labserver.errors import CannotLook
from labserver.heap.at_fork import take_gates_away, without_hooks

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_ENDING = (signal.SIGALRM, signal.SIGTERM, signal.SIGINT)
# From CPython 3.12 on a fork beside threads warns. The child here needs no lock that another thread could hold.
_NO_WARNING = ("ignore", None, DeprecationWarning, re.compile(re.escape(__name__)), 0)
_READY, _DONE, _FAILED = b"r", b"+", b"-"
_HEADER_BYTES = 9  # how it went, and the length of what follows
_READY_S = 20.0  # a child that is not at work by then hangs in the C library's handlers
_TOOLS = 6  # that `sys.monitoring` has room for
_one_at_a_time = RLock()


class ChildLost(CannotLook):
    """The child died or came late, for which another way may be better; what failed in it would fail again."""


def in_child(
    work: Callable[[], Any],
    *,
    within_s: float,
    keep: Sequence[int] = (),
    gently: bool = False,
    forked: Callable[[float], None] = lambda _: None,
) -> Any:
    """What `work` gives back, as JSON carries it. No at-fork hook of Python's runs, in neither process.

    Args:
        work: called in the child. Whatever it changes is lost; locks that other threads held stay locked.
        within_s: a child that takes longer is killed.
        keep: file descriptors that the work needs; all others that anybody else could notice are closed in the child.
        gently: no descriptor is closed and no handler of a C library runs either. The C library's own locks may then be
            held for ever in the child, so this is the second way, not the first.
        forked: called in the parent as soon as there is a child, with the seconds for which nothing else could run.

    Raises:
        ChildLost: it died, or took too long, or there could be none.
        CannotLook: the work failed.
    """
    ends: tuple[int, ...] = ()
    with _one_at_a_time:
        try:
            reading, writing = ends = os.pipe()
            with without_hooks():
                began = time.perf_counter()
                pid = _fork(gently=gently)
                if pid == 0:
                    _run_child(work, reading, writing, None if gently else [writing, *keep], within_s)
        except OSError as error:
            for end in ends:
                os.close(end)
            raise ChildLost(f"this process cannot be forked ({error.strerror})") from error
        held_up_s = time.perf_counter() - began
        child = _Child(pid)
    os.close(writing)
    forked(held_up_s)
    try:
        went_well, answer = _receive(reading, child, within_s)
    finally:
        os.close(reading)
        child.end()
    if not went_well:
        raise CannotLook(f"it failed ({answer.decode()})")
    return json.loads(answer)


def _fork(*, gently: bool) -> int:
    if _NO_WARNING not in warnings.filters:
        # Not by `filterwarnings`: each module would then forget which warnings it has shown, and what it kept of them.
        warnings.filters.insert(0, _NO_WARNING)  # type: ignore[attr-defined]
    # Until they have their plain meaning in the child, the application's handlers must not run there.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    pid = -1
    try:
        pid = _fork_without_handlers() if gently else fork()
    finally:
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return pid


def _fork_without_handlers() -> int:
    """Fork without what C libraries have registered with `pthread_atfork`, as `_Fork` of glibc 2.34 and musl does.

    Raises:
        OSError: there is no such function.
    """
    calls = _raw_calls()
    if calls is None:
        raise OSError(0, "the C library has no _Fork")
    fork, after_in_child = calls
    pids, again = tee(map(operator.call, [fork]))
    after = map({0: after_in_child}.get, again, repeat(_imp.release_lock))
    _imp.acquire_lock()  # as `os.fork` does; the child's part below lets go of it
    # All in one call of C code: until the child has set up the interpreter's lock anew, no bytecode may run in it.
    ((pid, _),) = list(zip(pids, map(operator.call, after), strict=True))
    if pid < 0:
        raise OSError(ctypes.get_errno(), "the process could not be forked")
    return int(pid)


@cache
def _raw_calls() -> tuple[Callable[[], int], Callable[[], object]] | None:
    try:
        fork = ctypes.PYFUNCTYPE(ctypes.c_int)(("_Fork", ctypes.PyDLL(None)))
        return fork, ctypes.PYFUNCTYPE(None)(("PyOS_AfterFork_Child", ctypes.pythonapi))
    except (AttributeError, OSError):
        return None


def _run_child(
    work: Callable[[], Any], reading: int, writing: int, keep: Sequence[int] | None, within_s: float
) -> None:
    """Everything that the child does; it never returns. Where nothing is to be kept, nothing is closed."""
    try:
        _stop_watching()
        os.close(reading)  # where the parent has taken all descriptors, the child needs one
        if keep is not None:
            _close_all_but({0, 1, 2, *keep})
        _leave_the_parent_alone(within_s)
        os.write(writing, _READY)
        take_gates_away()
        try:
            answer, how = json.dumps(work()).encode(), _DONE
        except BaseException as error:  # noqa: BLE001 - the parent says what went wrong
            answer, how = f"{type(error).__name__}: {error}".encode(errors="replace"), _FAILED
        message = memoryview(how + len(answer).to_bytes(_HEADER_BYTES - 1) + answer)
        while message:
            message = message[os.write(writing, message) :]
    finally:
        os._exit(0)


def _leave_the_parent_alone(within_s: float) -> None:
    gc.disable()
    gc.unfreeze()  # what is frozen belongs to the heap as well
    faulthandler.disable()
    # The kernel ends a child that hangs in C code even when its parent is gone.
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    signal.set_wakeup_fd(-1)
    signal.setitimer(signal.ITIMER_REAL, within_s + _READY_S + 1)
    _say_nothing()
    _keep_freed_memory()
    for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        # The child's own arrays are no part of what the application may take.
        hard = resource.getrlimit(limit)[1]
        resource.setrlimit(limit, (hard, hard))
    with contextlib.suppress(OSError):
        # Where memory runs out the child goes, not the server.
        Path("/proc/self/oom_score_adj").write_text("1000")


def _stop_watching() -> None:
    """Profilers and debuggers get no more events."""
    sys.settrace(None)
    sys.setprofile(None)
    monitoring = getattr(sys, "monitoring", None)  # from CPython 3.12 on
    if monitoring is None:
        return
    events = [value for name, value in vars(monitoring.events).items() if not name.startswith("_") and value]
    for tool in range(_TOOLS):
        if monitoring.get_tool(tool) is not None:
            monitoring.set_events(tool, 0)
            for event in events:
                monitoring.register_callback(tool, event, None)


def _say_nothing() -> None:
    """What libraries print in a forked child is no output of the application's."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _close_all_but(keep: set[int]) -> None:
    """Close descriptors: a connection that the parent closes is closed for its peer only when no copy is left open.

    What no other process can notice stays, such as an event loop's own: threads that a C library starts in every child
    would die of its loss. Not up to the limit: it may be a billion, or have been lowered since some were opened.
    """
    for descriptor in {int(path.name) for path in Path("/proc/self/fd").iterdir()} - keep:
        with contextlib.suppress(OSError):  # the list's own
            if not str(Path(f"/proc/self/fd/{descriptor}").readlink()).startswith("anon_inode:"):
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
    poll = select.poll()
    # Looked at in this order: who has ended when it is looked at has written before the pipe is.
    if child.descriptor is not None:
        poll.register(child.descriptor, select.POLLIN)
    poll.register(reading, select.POLLIN)
    received = bytearray()

    def read_until(length: Callable[[], int], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while len(received) < length():
            left_s = deadline - time.monotonic()
            ready = [descriptor for descriptor, _ in poll.poll(max(0, left_s) * 1000)]
            if not ready:
                raise ChildLost(f"it took longer than {within_s:g} s and was stopped")
            data = os.read(reading, 1 << 20) if reading in ready else b""
            if not data:
                raise ChildLost("its process died")
            received.extend(data)

    read_until(lambda: len(_READY), _READY_S)
    del received[: len(_READY)]
    read_until(lambda: _HEADER_BYTES, within_s)
    read_until(lambda: _HEADER_BYTES + int.from_bytes(received[1:_HEADER_BYTES]), within_s)
    return received[:1] == _DONE, bytes(received[_HEADER_BYTES:])


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
            elif waitpid(self.pid, os.WNOHANG)[0] == 0:  # still ours: its number cannot have been given anew
                os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            waitpid(self.pid, 0)
        if self.descriptor is not None:
            os.close(self.descriptor)
