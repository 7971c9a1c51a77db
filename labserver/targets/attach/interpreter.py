"""Which CPython runs in a process, and where its functions are: by what it has mapped and by the ELF files of these.

The files are those of the process's own mount namespace, below `/proc/N/root`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

from labserver.targets.attach.elf import Elf, NotElf, Symbol, read_elf
from labserver.targets.attach.maps import Mapping, Memory, mappings_of
from labserver.targets.attach.refusal import NotAttachable

_VERSION = "Py_Version"  # since 3.11
_FUNCTIONS = ("Py_IsInitialized", "Py_AddPendingCall", "PyRun_SimpleString")
# Static ones that hold the lock of the pending calls for some instructions; only a file with all symbols has them.
_LOCKING = ("make_pending_calls", "_make_pending_calls", "Py_MakePendingCalls", "_Py_HandlePending", "handle_pending")
_PAGE = 4096
_COMPARED_BYTES = 64
_PYTHONS = re.compile(r"(lib)?python\d")
_DELETED = " (deleted)"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The CPython in a process.

    Attributes:
        pid: the process.
        version: major, minor and micro.
        machine: the ELF number of its architecture.
        functions: addresses in the process's memory, by name.
        locking: the ranges of addresses, begin and end, in which it may hold the lock of its pending calls.
    """

    pid: int
    version: tuple[int, int, int]
    machine: int
    functions: dict[str, int]
    locking: tuple[tuple[int, int], ...]

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version."""
        return self.version[:2]


def interpreter_of(pid: int) -> Interpreter:
    """Find the interpreter.

    Raises:
        NotAttachable: there is none, it is older than 3.11, or its file is another one by now.
    """
    try:
        mappings = mappings_of(pid)
        with Memory(pid) as memory:
            for path in _candidates(mappings, _link(pid)):
                found = _interpreter_in(pid, path, mappings, memory)
                if found is not None:
                    return found
    except OSError:
        raise NotAttachable(f"Process {pid} has ended, or may not be looked at.") from None
    raise NotAttachable(f"Process {pid} runs no CPython whose functions can be found.")


def _interpreter_in(pid: int, path: str, mappings: list[Mapping], memory: Memory) -> Interpreter | None:
    with _opened(pid, path, mappings) as file:
        try:
            elf = read_elf(file, frozenset((_VERSION, *_FUNCTIONS, *_LOCKING)))
        except NotElf:
            return None
        if not elf.symbols.keys() >= set(_FUNCTIONS):
            return None
        if _VERSION not in elf.symbols:
            raise NotAttachable(f"Process {pid} runs a CPython before 3.11, which labserver does not know.")
        bias = _bias(elf, [one for one in mappings if one.path == path])
        if bias is None or not _same(elf, file, memory, bias):
            raise NotAttachable(
                f"{path.removesuffix(_DELETED)} is not the file any more that process {pid} runs (an upgrade?): start "
                "the service anew."
            )
    number = int.from_bytes(memory.read(elf.symbols[_VERSION].value + bias, 8), "little")
    locking = (elf.symbols[name] for name in _LOCKING if name in elf.symbols)
    return Interpreter(
        pid,
        (number >> 24 & 255, number >> 16 & 255, number >> 8 & 255),
        elf.machine,
        {name: elf.symbols[name].value + bias for name in _FUNCTIONS},
        tuple((one.value + bias, one.value + bias + one.size) for one in locking),
    )


def _candidates(mappings: list[Mapping], executable: str) -> Iterator[str]:
    """The files that may hold it, the likeliest first."""
    paths = dict.fromkeys(one.path for one in mappings if one.path.startswith("/") and "x" in one.rights)
    named = [path for path in paths if _PYTHONS.match(PurePath(path).name)]
    yield from sorted(named, key=lambda path: not PurePath(path).name.startswith("lib"))
    if executable in paths and executable not in named:
        yield executable


def _opened(pid: int, path: str, mappings: list[Mapping]) -> BinaryIO:
    """The very file that is mapped, where this user may ask for it, else the one of that name."""
    mapped = next(one for one in mappings if one.path == path)
    try:
        return Path(f"/proc/{pid}/map_files/{mapped.start:x}-{mapped.end:x}").open("rb")
    except OSError:
        return Path(f"/proc/{pid}/root", path.removesuffix(_DELETED).lstrip("/")).open("rb")


def _bias(elf: Elf, mappings: list[Mapping]) -> int | None:
    """What is added to the file's addresses; None where its first part is not mapped."""
    if not elf.segments:
        return None
    first = elf.segments[0]
    begin = first.offset - first.offset % _PAGE
    found = [one.start for one in mappings if one.offset == begin]
    return min(found) - (first.address - first.address % _PAGE) if found else None


def _same(elf: Elf, file: BinaryIO, memory: Memory, bias: int) -> bool:
    """Whether the functions' first bytes are the same in the file and in the memory."""

    def same(symbol: Symbol) -> bool:
        offset = elf.offset_of(symbol)
        if offset is None:
            return False
        file.seek(offset)
        size = min(symbol.size or _COMPARED_BYTES, _COMPARED_BYTES)
        return file.read(size) == memory.read(symbol.value + bias, size)

    return all(same(elf.symbols[name]) for name in (*_FUNCTIONS, _VERSION))


def _link(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""
