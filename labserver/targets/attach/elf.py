"""The symbols of an ELF file of 64 bits, as far as finding some functions takes; see elf(5).

Not pyelftools: the core stays small, and two tables are all that is read.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_CLASS_64, _LITTLE_ENDIAN = 2, 1
_LOADED = 1  # PT_LOAD
_TABLES = (11, 2)  # SHT_DYNSYM, which a stripped file keeps, before SHT_SYMTAB
_INDIRECT = 10  # STT_GNU_IFUNC: its value is not the function
_MOST_BYTES = 64 * 2**20  # of one table


class NotElf(Exception):  # noqa: N818 - a result, and no mistake
    """It is no ELF file that can be read here."""


class Symbol(NamedTuple):
    """An address as the file counts it, and how many bytes lie there."""

    value: int
    size: int


class Segment(NamedTuple):
    """A part of the file that is mapped: where it stands in the file, its address there, and its bytes."""

    offset: int
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Elf:
    """What is known of a file.

    Attributes:
        machine: the architecture's number, such as 62 for x86-64 and 183 for aarch64.
        segments: those that are mapped, in their order.
        symbols: the wanted ones that the file itself defines.
    """

    machine: int
    segments: tuple[Segment, ...]
    symbols: dict[str, Symbol]

    def offset_of(self, symbol: Symbol) -> int | None:
        """Where in the file a symbol's bytes stand; None where it has none there."""
        for segment in self.segments:
            if segment.address <= symbol.value < segment.address + segment.size:
                return symbol.value - segment.address + segment.offset
        return None


def read_elf(file: BinaryIO, wanted: frozenset[str]) -> Elf:
    """The segments of a file, and the wanted symbols.

    Raises:
        NotElf: it is another kind of file, is of another width or byte order, or is cut off.
    """
    try:
        return _read(file, wanted)
    except (struct.error, OSError, ValueError, IndexError) as error:
        raise NotElf(str(error)) from None


def _read(file: BinaryIO, wanted: frozenset[str]) -> Elf:
    (ident, _, machine, _, _, segments_at, sections_at, _, _, segment_size, segment_count, section_size, count, _) = (
        _HEADER.unpack(_at(file, 0, _HEADER.size))
    )
    if ident[:4] != b"\x7fELF" or ident[4] != _CLASS_64 or ident[5] != _LITTLE_ENDIAN:
        raise NotElf("not an ELF file of 64 bits")
    segments = []
    for number in range(segment_count):
        kind, _, offset, address, _, size, _, _ = _SEGMENT.unpack(
            _at(file, segments_at + number * segment_size, _SEGMENT.size)
        )
        if kind == _LOADED:
            segments.append(Segment(offset, address, size))
    sections = [
        _SECTION.unpack(_at(file, sections_at + number * section_size, _SECTION.size)) for number in range(count)
    ]
    symbols: dict[str, Symbol] = {}
    for kind in _TABLES:
        for section in sections:
            if section[1] == kind and wanted - symbols.keys():
                names = sections[section[6]]
                for name, symbol in _defined(_table(file, section), _table(file, names)):
                    if name in wanted:
                        symbols.setdefault(name, symbol)
    return Elf(machine, tuple(segments), symbols)


def _defined(table: bytes, names: bytes) -> Iterator[tuple[str, Symbol]]:
    whole = len(table) - len(table) % _SYMBOL.size
    for name, info, _, section, value, size in _SYMBOL.iter_unpack(table[:whole]):
        if section and value and info & 15 != _INDIRECT:
            yield names[name : names.index(b"\0", name)].decode("utf-8", "replace"), Symbol(value, size)


def _table(file: BinaryIO, section: tuple[int, ...]) -> bytes:
    if section[5] > _MOST_BYTES:
        raise NotElf("a table is too large")
    return _at(file, section[4], section[5])


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    block = file.read(size)
    if len(block) != size:
        raise NotElf("it is cut off")
    return block
