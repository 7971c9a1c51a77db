import io
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from labserver.targets.attach.elf import Elf, NotElf, Segment, Symbol, read_elf

pytestmark = pytest.mark.linux("its programs are ELF files")


def file_of(symbols, *, kind=11, names=b"\0first\0second\0", defined=1, info=0x12):
    """An ELF file with one segment and a table of symbols, made by hand."""
    table = b"".join(struct.pack("<IBBHQQ", name, info, 0, defined, value, 40) for name, value in symbols)
    header = 64 + 56
    sections = [
        struct.pack("<IIQQQQIIQQ", 0, kind, 0, 0, header, len(table), 1, 0, 8, 24),
        struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, header + len(table), len(names), 0, 0, 1, 0),
    ]
    at = header + len(table) + len(names)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    start = struct.pack("<16sHHIQQQIHHHHHH", ident, 3, 62, 1, 0, 64, at, 0, 64, 56, 1, 64, 2, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0x1000, 0x401000, 0x401000, 0x500, 0x500, 0x1000)
    return start + segment + table + names + b"".join(sections)


def read(block, *wanted):
    return read_elf(io.BytesIO(block), frozenset(wanted))


@pytest.mark.parametrize("kind", [11, 2], ids=["dynsym", "symtab"])
def test_a_wanted_symbol_is_found_in_either_table_and_others_are_left_out(kind):
    elf = read(file_of([(1, 0x401010), (7, 0x401090)], kind=kind), "second", "third")
    assert elf == Elf(62, (Segment(0x1000, 0x401000, 0x500),), {"second": Symbol(0x401090, 40)})
    assert elf.offset_of(elf.symbols["second"]) == 0x1090
    assert elf.offset_of(Symbol(0x500000, 1)) is None


@pytest.mark.parametrize("how", [{"defined": 0}, {"info": 0x1A}], ids=["undefined", "chosen when it is loaded"])
def test_what_is_only_used_or_stands_for_another_is_no_symbol(how):
    assert read(file_of([(1, 0x401010)], **how), "first").symbols == {}


GOOD = file_of([(1, 0x401010)])


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"#!/usr/bin/env python3\n" * 10,
        GOOD[:90],
        GOOD[:-1],
        GOOD.replace(b"ELF\x02", b"ELF\x01"),
        GOOD.replace(b"ELF\x02\x01", b"ELF\x02\x02"),
        file_of([(1, 0x401010)], names=b"\0first"),
        file_of([(900, 0x401010)]),
    ],
    ids=["empty", "script", "cut off", "cut off late", "32 bits", "big endian", "name without end", "name outside"],
)
def test_anything_else_is_refused(block):
    with pytest.raises(NotElf):
        read(block, "first")


@pytest.mark.skipif(shutil.which("nm") is None, reason="there is no nm to compare with")
def test_it_agrees_with_nm_about_this_interpreter():
    wanted = frozenset(("Py_AddPendingCall", "PyRun_SimpleString", "Py_Version"))
    libraries = [*Path(sys.base_prefix, "lib").glob("libpython3*.so.1.0"), Path(sys.executable).resolve()]
    compared = 0
    for library in libraries:
        said = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=False)
        theirs = {
            line.split()[2]: int(line.split()[0], 16) for line in said.stdout.splitlines() if line.count(" ") == 2
        }
        with library.open("rb") as file:
            ours = read_elf(file, wanted).symbols
        assert {name: symbol.value for name, symbol in ours.items()} == {
            name: value for name, value in theirs.items() if name in wanted
        }
        compared += len(ours)
    assert compared
