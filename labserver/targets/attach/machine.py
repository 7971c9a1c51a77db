"""What differs between the processors: the layout of the registers, and how a function and the kernel are called."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

_WORD = 2**64
_ORIG_RAX_NONE = _WORD - 1  # no system call is under way, so that the kernel restarts none
_DIRECTION, _SINGLE_STEP = 0x400, 0x100  # flags that a function does not expect
_EINTR, _ERESTARTNOHAND = 4, 514
_X86_ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")


class Call(NamedTuple):
    """A system call by its number, with up to six arguments."""

    number: int
    arguments: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor on Linux.

    Attributes:
        elf: its number in ELF files.
        names: of the general registers, in the kernel's order (NT_PRSTATUS).
        syscall: the instruction that calls the kernel.
        width: that instructions are aligned to.
        vectors: the sets of vector registers, the most complete first; of these the first that the kernel has is kept.
        numbers: of the system calls that are needed.
        number_set: the set of registers that holds a system call's number before it is made; None where it is a general
            one.
    """

    elf: int
    names: tuple[str, ...]
    syscall: bytes
    width: int
    vectors: tuple[int, ...]
    numbers: Mapping[str, int]
    number_set: int | None = None

    def unpack(self, block: bytes) -> dict[str, int]:
        """The general registers by name."""
        return dict(zip(self.names, struct.unpack(f"<{len(self.names)}Q", block), strict=True))

    def pack(self, registers: Mapping[str, int]) -> bytes:
        """The kernel's form of them."""
        return struct.pack(f"<{len(self.names)}Q", *(registers[name] % _WORD for name in self.names))

    def place(self, registers: Mapping[str, int]) -> int:
        """The address of the next instruction."""
        raise NotImplementedError

    def top(self, registers: Mapping[str, int]) -> int:
        """The top of the stack."""
        raise NotImplementedError

    def ordinary(self, registers: Mapping[str, int]) -> bool:
        """Whether the thread runs in the ordinary mode of 64 bits."""
        raise NotImplementedError

    def calling_kernel(self, registers: Mapping[str, int], at: int, call: Call) -> dict[str, int]:
        """The registers with which the instruction at an address makes a system call."""
        raise NotImplementedError

    def changed(self, registers: Mapping[str, int], call: Call) -> dict[str, int]:
        """The registers of a thread that stands before a system call, with which it makes another one."""
        raise NotImplementedError

    def calling(
        self, registers: Mapping[str, int], function: int, arguments: tuple[int, ...], top: int
    ) -> dict[str, int]:
        """The registers with which a function begins.

        Args:
            registers: as they were.
            function: its address.
            arguments: at most two.
            top: end of its stack, where the address that it returns to has been written; aligned to 16 bytes.
        """
        raise NotImplementedError

    def returning(self, registers: Mapping[str, int], at: int) -> dict[str, int]:
        """The same, where the address to return to is kept in a register."""
        raise NotImplementedError

    def result(self, registers: Mapping[str, int]) -> int:
        """What a system call has answered: negative for an error."""
        raise NotImplementedError

    def returned(self, registers: Mapping[str, int]) -> int:
        """The `int` that a function has returned, seen where the instruction after it calls the kernel."""
        raise NotImplementedError

    def uninterrupted(self, registers: Mapping[str, int]) -> dict[str, int]:
        """The registers with which a wait without end goes on that our stop has ended with EINTR."""
        raise NotImplementedError


class _X86(Machine):
    __slots__ = ()

    def place(self, registers: Mapping[str, int]) -> int:
        return registers["rip"]

    def top(self, registers: Mapping[str, int]) -> int:
        return registers["rsp"]

    def ordinary(self, registers: Mapping[str, int]) -> bool:
        return registers["cs"] == 0x33

    def calling_kernel(self, registers: Mapping[str, int], at: int, call: Call) -> dict[str, int]:
        named = dict(zip(_X86_ARGUMENTS, call.arguments, strict=False))
        return {**registers, **named, "rip": at, "rax": call.number, "orig_rax": _ORIG_RAX_NONE}

    def changed(self, registers: Mapping[str, int], call: Call) -> dict[str, int]:
        return {**registers, **dict(zip(_X86_ARGUMENTS, call.arguments, strict=False)), "orig_rax": call.number}

    def calling(
        self, registers: Mapping[str, int], function: int, arguments: tuple[int, ...], top: int
    ) -> dict[str, int]:
        named = dict(zip(("rdi", "rsi"), arguments, strict=False))
        flags = registers["eflags"] & ~(_DIRECTION | _SINGLE_STEP)
        entry = {"rip": function, "rsp": top - 8, "rax": 0, "orig_rax": _ORIG_RAX_NONE, "eflags": flags}
        return {**registers, **named, **entry}

    def returning(self, registers: Mapping[str, int], at: int) -> dict[str, int]:  # noqa: ARG002 - it is on the stack
        return dict(registers)

    def result(self, registers: Mapping[str, int]) -> int:
        return _signed(registers["rax"])

    def returned(self, registers: Mapping[str, int]) -> int:
        return _signed(registers["orig_rax"], bits=32)

    def uninterrupted(self, registers: Mapping[str, int]) -> dict[str, int]:
        # Of all waits without a limit of time, the kernel restarts those of epoll alone not by itself. One with a limit
        # stays as it is: only the caller knows what is left of it.
        waits = registers["orig_rax"] in {self.numbers["epoll_wait"], self.numbers["epoll_pwait"]}
        if waits and _signed(registers["rax"]) == -_EINTR and _signed(registers["r10"], bits=32) < 0:
            return {**registers, "rax": -_ERESTARTNOHAND % _WORD}
        return dict(registers)


class _Arm(Machine):
    __slots__ = ()

    def place(self, registers: Mapping[str, int]) -> int:
        return registers["pc"]

    def top(self, registers: Mapping[str, int]) -> int:
        return registers["sp"]

    def ordinary(self, registers: Mapping[str, int]) -> bool:
        return not registers["pstate"] & 0x10  # set for 32 bits

    def calling_kernel(self, registers: Mapping[str, int], at: int, call: Call) -> dict[str, int]:
        return {**registers, **_numbered(call.arguments), "pc": at, "x8": call.number}

    def changed(self, registers: Mapping[str, int], call: Call) -> dict[str, int]:
        return {**registers, **_numbered(call.arguments)}  # the number has a set of its own

    def calling(
        self, registers: Mapping[str, int], function: int, arguments: tuple[int, ...], top: int
    ) -> dict[str, int]:
        return {**registers, **_numbered(arguments), "pc": function, "sp": top}

    def returning(self, registers: Mapping[str, int], at: int) -> dict[str, int]:
        return {**registers, "x30": at}

    def result(self, registers: Mapping[str, int]) -> int:
        return _signed(registers["x0"])

    def returned(self, registers: Mapping[str, int]) -> int:
        return _signed(registers["x0"], bits=32)

    def uninterrupted(self, registers: Mapping[str, int]) -> dict[str, int]:
        # The kernel has gone back to the instruction of a call that it restarts, and x0 is its first argument again.
        return dict(registers)


def _numbered(arguments: tuple[int, ...]) -> dict[str, int]:
    return {f"x{at}": value for at, value in enumerate(arguments)}


def _signed(value: int, *, bits: int = 64) -> int:
    value %= 2**bits
    return value - 2**bits if value >> (bits - 1) else value


_X86_NAMES = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base "
    "ds es fs gs"
)
_NT_FPREGSET, _NT_X86_XSTATE, _NT_ARM_SVE = 2, 0x202, 0x405
MACHINES: Mapping[str, Machine] = {
    "x86_64": _X86(
        elf=62,
        names=tuple(_X86_NAMES.split()),
        syscall=b"\x0f\x05",
        width=1,
        vectors=(_NT_X86_XSTATE, _NT_FPREGSET),
        numbers={"mmap": 9, "munmap": 11, "epoll_wait": 232, "epoll_pwait": 281},
    ),
    "aarch64": _Arm(
        elf=183,
        names=(*(f"x{number}" for number in range(31)), "sp", "pc", "pstate"),
        syscall=b"\x01\x00\x00\xd4",
        width=4,
        vectors=(_NT_ARM_SVE, _NT_FPREGSET),
        numbers={"mmap": 222, "munmap": 215},
        number_set=0x404,  # NT_ARM_SYSTEM_CALL
    ),
}
"""By the name that `platform.machine()` has for them."""
