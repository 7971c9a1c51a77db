"""One thread of another process, seized with ptrace(2).

All calls are made by the thread that made the object, as the kernel wants it. When that thread ends, the kernel lets
go of whatever it still holds.
"""

import ctypes
import os
import signal
import time
from typing import Any, NamedTuple

from labserver.targets.attach.machine import Call, Machine

_CONT, _DETACH, _SYSCALL = 7, 17, 24
_GETREGSET, _SETREGSET, _SEIZE, _INTERRUPT = 0x4204, 0x4205, 0x4206, 0x4207
_GETSIGMASK, _SETSIGMASK, _GET_RSEQ = 0x420A, 0x420B, 0x420F
_TRACE_SYSGOOD = 1
_WALL = 0x40000000
_EVENT_STOP = 128
_AT_SYSCALL = signal.SIGTRAP | 0x80
_NT_PRSTATUS = 1
_MOST_VECTOR_BYTES = 2**18
_MASK = 8
# Between two looks: who sleeps, however briefly, is woken before those who were running. Later it may be longer.
_PAUSE_S, _LATER_S, _LONG_S = 0.00002, 0.1, 0.001
# They tell of a mistake at this very instruction: a blocked one would end the process.
_BY_INSTRUCTION = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS)


class Gone(Exception):  # noqa: N818 - a result, and no mistake
    """The thread has ended."""


class Late(Exception):  # noqa: N818 - the same
    """It has not stopped in time."""


class Stop(NamedTuple):
    """Why the thread stands: a signal's number, and whether it is about to call the kernel or has just done so."""

    signal: int
    event: int

    @property
    def is_ours(self) -> bool:
        """Whether it stands because we asked it to, or because the whole process is being stopped."""
        return self.event == _EVENT_STOP

    @property
    def is_at_syscall(self) -> bool:
        """Whether it stands before or after a system call."""
        return self.signal == _AT_SYSCALL


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Rseq(ctypes.Structure):
    _fields_ = (
        ("address", ctypes.c_uint64),
        ("size", ctypes.c_uint32),
        ("signature", ctypes.c_uint32),
        ("rest", ctypes.c_uint64),
    )


class Tracee:
    """A seized thread; it runs on until it is interrupted.

    Attributes:
        tid: its number.
        stands: whether it was last seen to stand, and was not let run since.

    Args:
        tid: the thread.
        machine: the processor.

    Raises:
        OSError: it may not be traced, or is not there.
    """

    def __init__(self, tid: int, machine: Machine) -> None:
        self.tid = tid
        self.stands = False
        self._machine = machine
        self._ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        self._ptrace.restype = ctypes.c_long
        self._ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
        self._call(_SEIZE, data=_TRACE_SYSGOOD)

    def interrupt(self) -> None:
        """Ask it to stop, whatever it does."""
        self._call(_INTERRUPT)

    def resume(self, *, to_syscall: bool = False, signal: int = 0) -> None:
        """Let it run, until its next system call or without an end; a signal is delivered where it stands at one."""
        self._call(_SYSCALL if to_syscall else _CONT, data=signal)
        self.stands = False

    def detach(self) -> None:
        """Let it run, and let go of it."""
        self._call(_DETACH)

    def wait(self, within_s: float) -> Stop:
        """Wait for it to stand.

        Raises:
            Gone: it has ended.
            Late: it does not stand within these seconds.
        """
        began = time.monotonic()
        while True:
            try:
                found, status = os.waitpid(self.tid, os.WNOHANG | _WALL)
            except ChildProcessError:
                raise Gone from None
            if found and os.WIFSTOPPED(status):
                self.stands = True
                return Stop(status >> 8 & 0xFF, status >> 16)
            if found:
                raise Gone
            waited = time.monotonic() - began
            if waited > within_s:
                raise Late
            time.sleep(_PAUSE_S if waited < _LATER_S else _LONG_S)

    @property
    def registers(self) -> dict[str, int]:
        """The general registers by name."""
        return self._machine.unpack(self._regset(_NT_PRSTATUS, 8 * len(self._machine.names)))

    @registers.setter
    def registers(self, registers: dict[str, int]) -> None:
        self._set_regset(_NT_PRSTATUS, self._machine.pack(registers))

    def change_syscall(self, call: Call) -> None:
        """Have another system call made than the one that it stands before."""
        self.registers = self._machine.changed(self.registers, call)
        if self._machine.number_set is not None:
            self._set_regset(self._machine.number_set, call.number.to_bytes(4, "little"))

    def vectors(self) -> tuple[int, bytes]:
        """The vector registers at their full size, and which set of them it is."""
        last = OSError("no set of vector registers is known")
        for kind in self._machine.vectors:
            try:
                return kind, self._regset(kind, _MOST_VECTOR_BYTES)
            except OSError as error:
                last = error
        raise last

    def set_vectors(self, kind: int, block: bytes) -> None:
        """Put them back."""
        self._set_regset(kind, block)

    def mask(self) -> bytes:
        """The signals that it blocks."""
        block = ctypes.create_string_buffer(_MASK)
        self._call(_GETSIGMASK, address=_MASK, data=ctypes.addressof(block))
        return block.raw

    def set_mask(self, mask: bytes) -> None:
        """Let it block these."""
        block = ctypes.create_string_buffer(mask, _MASK)
        self._call(_SETSIGMASK, address=_MASK, data=ctypes.addressof(block))

    def rseq(self) -> int:
        """Where it tells the kernel of restartable sequences, an address; 0 where it does not."""
        block = _Rseq()
        try:
            self._call(_GET_RSEQ, address=ctypes.sizeof(block), data=ctypes.addressof(block))
        except OSError:
            return 0
        return int(block.address)

    def _regset(self, kind: int, size: int) -> bytes:
        buffer = ctypes.create_string_buffer(size)
        vector = _Vector(ctypes.addressof(buffer), size)
        self._call(_GETREGSET, address=kind, data=ctypes.addressof(vector))
        return buffer.raw[: vector.size]

    def _set_regset(self, kind: int, block: bytes) -> None:
        buffer = ctypes.create_string_buffer(block, len(block))
        vector = _Vector(ctypes.addressof(buffer), len(block))
        self._call(_SETREGSET, address=kind, data=ctypes.addressof(vector))

    def _call(self, request: int, *, address: Any = None, data: Any = None) -> None:
        if self._ptrace(request, self.tid, address, data) == -1:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))


def all_but(mask: bytes) -> bytes:
    """All signals blocked, except those of the running instruction, which stay as they are in a mask."""
    own = int.from_bytes(mask, "little")
    kept = sum(1 << (number - 1) for number in _BY_INSTRUCTION)
    return (~kept & (2**64 - 1) | own & kept).to_bytes(_MASK, "little")
