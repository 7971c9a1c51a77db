import gc

import pytest

from labserver.heap import process_memory as footprint

pytestmark = pytest.mark.linux("only glibc keeps these books")


@pytest.mark.parametrize(
    ("make", "least"),
    [
        (lambda _: bytes(100), 133),
        (lambda _: bytes(5000), 5033),
        (lambda _: bytes(200_000), 200_033),
        (lambda number: {"number": number}, 184),
        (lambda number: f"a text with the number {number}", 70),
    ],
)
def test_what_is_kept_is_counted_whatever_its_size(make, least):
    kept = [None] * 200
    gc.collect()  # what free lists hold is in use for the books, and is used first
    before = footprint.heap_bytes()
    for number in range(len(kept)):
        kept[number] = make(number)
    each = (footprint.heap_bytes() - before) / len(kept)
    assert least <= each <= 1.04 * least + 80
    kept.clear()
    gc.collect()
    assert footprint.heap_bytes() - before < 0.1 * 200 * least + 5000


def test_memory_of_native_code_is_counted():
    import ctypes

    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    before = footprint.heap_bytes()
    block = libc.malloc(100_000)
    assert footprint.heap_bytes() - before == pytest.approx(100_000, abs=4096)
    libc.free(ctypes.c_void_p(block))


def test_nothing_is_written_to_standard_error(capfd):
    assert footprint.heap_bytes() > 0
    assert capfd.readouterr() == ("", "")


def test_without_the_books_there_is_no_figure(monkeypatch):
    monkeypatch.setattr(footprint, "_pymalloc_statistics", lambda: None)
    assert footprint.heap_bytes() is None
    monkeypatch.undo()
    monkeypatch.delattr(footprint.psutil, "heap_info")
    assert footprint.heap_bytes() is None


def test_memory_that_is_mapped_directly_is_seen_and_that_of_the_allocators_is_not():
    import mmap

    before = footprint.mapped_bytes()
    kept = [bytes(5000) for _ in range(400)]
    small = [str(number) * 10 for number in range(20_000)]
    assert footprint.mapped_bytes() - before < 2**22
    before = footprint.mapped_bytes()
    with mmap.mmap(-1, 2**25, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.write(b"x" * 2**25)
        assert footprint.mapped_bytes() - before == pytest.approx(2**25, rel=0.1)
    assert footprint.mapped_bytes() - before < 2**22
    assert len(kept) + len(small) == 20_400
