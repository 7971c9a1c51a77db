"""One call of `Py_AddPendingCall(PyRun_SimpleString, text)` by the main thread of a process, from outside.

The main thread alone is stopped, for about a millisecond; all others run on. It calls the function on a stack of its
own, with its signals blocked, so that they wait in the kernel as they came, and goes on with all registers as they
were: also in the midst of a system call, which the kernel restarts as it does after every stop. The call takes no lock
but that of the pending calls, allocates nothing, and needs no global lock; the interpreter runs the text at the main
thread's next boundary between two bytecodes.

Not `PyGILState_Ensure` and `PyRun_SimpleString` at once, as debuggers do it: the thread stands anywhere, also in malloc
and in the collector, and Python must not run there.
"""

import contextlib
import errno
import mmap
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from labserver.targets.attach.interpreter import Interpreter
from labserver.targets.attach.machine import MACHINES, Call, Machine
from labserver.targets.attach.maps import Mapping, Memory, mappings_of
from labserver.targets.attach.ptrace import Gone, Late, Tracee, all_but
from labserver.targets.attach.refusal import CannotAttach, NotAttachable


class Page(NamedTuple):
    """Memory that the process was given for the text, and that it may give back when the text has run."""

    address: int
    size: int


_TEXT_BYTES, _STACK_BYTES = max(16_384, mmap.PAGESIZE), 4 * 65_536
_READ_WRITE, _PRIVATE_ANONYMOUS, _NO_FILE = 3, 0x22, -1
_TEXT_READ_BYTES = 8 * 2**20
_DISTURBING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
_NOTHING = Page(0, 0)  # to give that back is an error that changes nothing
_FULL = -1  # what `Py_AddPendingCall` returns where its queue is full


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds and tries.

    Attributes:
        call_s: until a call returns. Microseconds, unless another thread holds the lock.
        tries: how often it is stopped anew where it stands in an unlucky place.
        between_s: that it runs between two of them.
        settle_s: until it stands again after a call. It goes on in an unknown state otherwise, so there is no hurry.
    """

    call_s: float = 2.0
    tries: int = 50
    between_s: float = 0.0005
    settle_s: float = 60.0


PATIENCE = Patience()


class Injected(NamedTuple):
    """What was done: where the text is, and for how many seconds the main thread stood."""

    page: Page
    pause_s: float


class _Stuck(Exception):  # noqa: N818 - a result, and no mistake
    """A call did not return."""


def machine_of(interpreter: Interpreter) -> Machine:
    """The processor that this is done on.

    Raises:
        NotAttachable: it is none of those that are known, or the process is built for another one.
    """
    machine = MACHINES.get(platform.machine())
    if machine is None or machine.elf != interpreter.machine:
        raise NotAttachable(
            f"On {platform.machine()} no agent is put into process {interpreter.pid}: that takes x86-64 or aarch64."
        )
    return machine


Text = Callable[[Page], bytes]
"""Makes the text, a C string without a zero in it, for the place where it will stand."""


def inject(interpreter: Interpreter, text: Text, within_s: float) -> Injected:
    """Have the main thread run Python text when it next can.

    Args:
        interpreter: of the process, CPython 3.11 to 3.13.
        text: gives the text.
        within_s: seconds until the thread stands: it may wait for a disk, or for a child that it started with vfork(2).

    Raises:
        NotAttachable: the processor is not known.
        CannotAttach: it did not work, and the process runs on as before.
    """
    machine = machine_of(interpreter)
    done: list[Injected | BaseException] = []

    def work() -> None:
        _go_first()
        try:
            done.append(_inject(interpreter, machine, text, within_s))
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that asked
            done.append(error)

    # In a thread: Ctrl-C does not cut it off, and the kernel lets go of the process when the thread has ended.
    thread = threading.Thread(target=work, name="labserver-attach")
    with _undisturbed():
        thread.start()
        thread.join()
    (result,) = done
    if isinstance(result, BaseException):
        raise result
    return result


def _go_first() -> None:
    """Let this thread run before all others, where this user may: on a busy machine the pause is then a tenth."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # type: ignore[attr-defined,unused-ignore] # Linux


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Be neither stopped nor ended from the keyboard for the length of the block: another process would stand still."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _DISTURBING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _inject(interpreter: Interpreter, machine: Machine, text: Text, within_s: float) -> Injected:
    pid = interpreter.pid
    try:
        with Memory(pid, writable=True) as memory:
            instruction = _syscall_instruction(machine, mappings_of(pid), memory)
            with _stopped(pid, machine, memory, interpreter.locking, within_s) as stopped:
                page = _Visit(stopped, machine, memory, instruction).plant(interpreter, text)
            return Injected(page, time.monotonic() - stopped.since)
    except Gone:
        raise CannotAttach(f"Process {pid} has ended.") from None
    except Late:
        raise CannotAttach(
            f"The main thread of process {pid} did not stop within {within_s:g} s (does it wait for a disk?); "
            "it runs on as before."
        ) from None
    except _Stuck:
        raise CannotAttach(f"The main thread of process {pid} was in an unlucky place; try again.") from None
    except OSError as error:
        raise CannotAttach(f"Process {pid} cannot be attached to ({error.strerror}).") from None


class _Stopped(NamedTuple):
    """A thread that stands, as it stood."""

    thread: Tracee
    registers: dict[str, int]
    since: float
    stray: list[int]


@contextmanager
def _stopped(
    pid: int, machine: Machine, memory: Memory, locking: tuple[tuple[int, int], ...], within_s: float
) -> Iterator[_Stopped]:
    """The main thread, standing for the length of the block; afterwards it goes on with all that it had."""
    thread = Tracee(pid, machine)
    since = _halt(thread, machine, memory, locking, within_s)
    registers, (kind, vectors), mask = thread.registers, thread.vectors(), thread.mask()
    stray: list[int] = []
    try:
        thread.set_mask(all_but(mask))
        yield _Stopped(thread, registers, since, stray)
    finally:
        # Where it stands now, the kernel would not restart a system call: only after a stop of this kind it does.
        _settle(thread, stray)
        thread.registers = machine.uninterrupted(registers)
        thread.set_vectors(kind, vectors)
        thread.set_mask(mask)
        thread.detach()
        for number in stray:
            with contextlib.suppress(OSError):
                os.kill(pid, number)


def _halt(
    thread: Tracee, machine: Machine, memory: Memory, locking: tuple[tuple[int, int], ...], within_s: float
) -> float:
    """Stop the thread where it may be used; since when it stands, by the monotonic clock."""
    for _ in range(PATIENCE.tries):
        thread.interrupt()
        stop = thread.wait(within_s)
        since = time.monotonic()
        while not stop.is_ours:  # a signal is on its way: it is delivered as without us
            thread.interrupt()  # again: any other stop makes the kernel forget it
            thread.resume(signal=stop.signal)
            stop = thread.wait(within_s)
            since = time.monotonic()
        if stop.signal != signal.SIGTRAP:
            thread.detach()
            raise CannotAttach(f"Process {thread.tid} is being stopped: continue it first (kill -CONT {thread.tid}).")
        registers = thread.registers
        place = machine.place(registers)
        if not machine.ordinary(registers):
            thread.detach()
            raise CannotAttach(f"The main thread of process {thread.tid} does not run in the mode of 64 bits.")
        if not any(begin <= place < end for begin, end in locking) and not _in_sequence(thread, memory, place):
            return since
        thread.resume()
        time.sleep(PATIENCE.between_s)
    raise _Stuck  # the kernel lets go of it when this thread ends


def _in_sequence(thread: Tracee, memory: Memory, place: int) -> bool:
    """Whether the thread stands within a restartable sequence, which the kernel could then not begin anew."""
    area = thread.rseq()
    section = int.from_bytes(memory.read(area + 8, 8), "little") if area else 0
    if not section:
        return False
    begin, size = (int.from_bytes(memory.read(section + at, 8), "little") for at in (8, 16))
    return begin <= place < begin + size


def _settle(thread: Tracee, stray: list[int]) -> None:
    """Bring a thread that may stand or run to a stop of our own, without an instruction of its own in between."""
    while True:
        with contextlib.suppress(ProcessLookupError):  # it has ended, as the wait will say
            thread.interrupt()  # each time: any other stop makes the kernel forget it
            if thread.stands:
                thread.resume()
        stop = thread.wait(PATIENCE.settle_s)
        if stop.is_ours:
            return
        if not stop.is_at_syscall:
            stray.append(stop.signal)


class _Visit:
    """What is done while the thread stands.

    Args:
        stopped: the thread.
        machine: its processor.
        memory: of its process.
        instruction: the address of an instruction that calls the kernel.
    """

    def __init__(self, stopped: _Stopped, machine: Machine, memory: Memory, instruction: int) -> None:
        self._thread, self._registers, _, self._stray = stopped
        self._machine = machine
        self._memory = memory
        self._instruction = instruction

    def plant(self, interpreter: Interpreter, text: Text) -> Page:
        """Give the process the text, and have the call made."""
        # Few stops: each one costs two changes of the running thread.
        page = Page(self._allocate(_TEXT_BYTES + _STACK_BYTES), _TEXT_BYTES)
        stack = Page(page.address + _TEXT_BYTES, _STACK_BYTES)
        block = text(page) + b"\0"
        if len(block) > page.size:
            raise OSError(errno.E2BIG, "the text is too long")
        self._memory.write(page.address, block)
        functions = interpreter.functions
        if not self._call(functions["Py_IsInitialized"], (), stack, _NOTHING):
            self._free(Page(page.address, page.size + stack.size))
            raise CannotAttach(f"The interpreter of process {interpreter.pid} is not ready; try again.")
        planted = (functions["PyRun_SimpleString"], page.address)
        added = self._call(functions["Py_AddPendingCall"], planted, stack, stack)
        if added == _FULL:
            self._free(page)
            raise CannotAttach(f"The main thread of process {interpreter.pid} has no room for a further pending call.")
        return page

    def _allocate(self, size: int) -> int:
        arguments = (0, size, _READ_WRITE, _PRIVATE_ANONYMOUS, _NO_FILE, 0)
        address = self._kernel(Call(self._machine.numbers["mmap"], arguments))
        if address < 0:
            raise OSError(-address, os.strerror(-address))
        return address

    def _free(self, page: Page) -> None:
        self._kernel(Call(self._machine.numbers["munmap"], page))

    def _kernel(self, call: Call) -> int:
        """Have a system call made."""
        self._thread.registers = self._machine.calling_kernel(self._registers, self._instruction, call)
        for _ in ("before", "after"):
            self._thread.resume(to_syscall=True)
            if not self._at_syscall(PATIENCE.call_s):
                raise _Stuck
        return self._machine.result(self._thread.registers)

    def _call(self, function: int, arguments: tuple[int, ...], stack: Page, afterwards: Page) -> int:
        """Have a function called, then memory given back, and return what the function returns."""
        top = stack.address + stack.size - 64
        # It returns to an instruction that calls the kernel, where the thread stands before anything is done.
        self._memory.write(top - 8, self._instruction.to_bytes(8, "little"))
        begun = self._machine.calling(self._registers, function, arguments, top)
        self._thread.registers = self._machine.returning(begun, self._instruction)
        deadline = time.monotonic() + PATIENCE.call_s
        after = self._instruction + len(self._machine.syscall)
        while True:
            self._thread.resume(to_syscall=True)
            if not self._at_syscall(max(deadline - time.monotonic(), 0.0)):
                raise _Stuck
            registers = self._thread.registers
            if self._machine.place(registers) == after and self._machine.top(registers) == top:
                self._thread.change_syscall(Call(self._machine.numbers["munmap"], afterwards))
                self._thread.resume(to_syscall=True)
                if not self._at_syscall(PATIENCE.call_s):
                    raise _Stuck
                return self._machine.returned(registers)

    def _at_syscall(self, within_s: float) -> bool:
        """Whether the thread comes to a system call, or to its end, within these seconds."""
        try:
            stop = self._thread.wait(within_s)
            while stop.is_ours or stop.signal == signal.SIGSTOP:  # the process is to be stopped: afterwards it will be
                if not stop.is_ours:
                    self._stray.append(stop.signal)
                self._thread.resume(to_syscall=True)
                stop = self._thread.wait(within_s)
        except Late:
            return False
        return stop.is_at_syscall


def _syscall_instruction(machine: Machine, mappings: list[Mapping], memory: Memory) -> int:
    """The address of one, in the kernel's own page or in the C library.

    Raises:
        OSError: there is none.
    """
    likely = [one for one in mappings if one.path == "[vdso]"]
    likely += [one for one in mappings if "libc" in one.path or "ld-" in one.path]
    likely += [one for one in mappings if one.path.startswith("/")]
    for one in likely:
        if "x" not in one.rights:
            continue
        block = memory.read(one.start, min(one.end - one.start, _TEXT_READ_BYTES))
        at = block.find(machine.syscall)
        while at >= 0:
            if at % machine.width == 0:
                return one.start + at
            at = block.find(machine.syscall, at + 1)
    raise OSError(errno.ENOSYS, "no system call was found in its code")
