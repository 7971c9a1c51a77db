"""What is different between heaps, or between two checks, as a page for the terminal."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from rich.text import Text

from labserver.amounts import count, number, size
from labserver.errors import UsageError
from labserver.heap.file import HeapFile
from labserver.heap.file.comparison import Comparison, HolderChange, compare_heaps
from labserver.heap.file.strangers import PathChange, compare_strangers
from labserver.report.heap.checks import checks_page, is_check
from labserver.report.heap.printing import FAINT, STRONG, Page, shortened, table, wrapped
from labserver.report.heap.terminal import heap_sentence

_ARROW = " → "


def comparison_page(old: Path, new: Path, newer: Path | None, most: int) -> Page:
    """Compare two or three heap files, or the results of two checks.

    Args:
        old: the earlier one.
        new: the later one.
        newer: the third heap.
        most: holders to show.

    Raises:
        UsageError: a file is neither, or they do not belong together.
    """
    if is_check(old) or is_check(new):
        if newer is not None:
            raise UsageError("Of checks two are compared: give the one before and the one after.")
        return checks_page(old, new)
    files = [HeapFile(file) for file in (old, new, newer) if file is not None]
    first, second, *third = files
    if not all(first.about.is_same_process(other.about) for other in files[1:]):
        if third:
            raise UsageError("Three heaps are compared of one process: these are of several.")
        return lambda width: _strangers(first, second, compare_strangers(first, second), most, width)
    if any(earlier.about.taken > later.about.taken for earlier, later in pairwise(files)):
        raise UsageError(f"{new} is older than {old}: give the heaps in the order in which they were taken.")
    found = compare_heaps(first, second, third[0] if third else None)
    return lambda width: _compared(files, found, most, width)


def _compared(files: list[HeapFile], found: Comparison, most: int, width: int) -> Iterator[Text]:
    yield Text(_ARROW.join(file.path.name for file in files), STRONG)
    for file in files:
        yield Text(shortened(f"{file.path.name}: {heap_sentence(file)}", width), FAINT)
    yield Text(f"came {number(found.came)} objects, {size(found.came_bytes)}", STRONG)
    yield Text(f"went {number(found.went)} objects, {size(found.went_bytes)}; stayed {number(found.stayed)}")
    if len(files) > 2:
        yield from _kept(found, most, width)
    else:
        yield Text()
        yield Text("Who holds what came", STRONG)
        for change in [one for one in found.holders if one.grows][:most]:
            yield from _holder(change, width)
    yield Text()
    yield Text("By type", STRONG)
    rows = [
        [one.type, number(one.came), number(one.went), number(one.stayed), _signed(one.more_bytes)]
        for one in found.types[:most]
    ]
    yield from table(["type", "came", "went", "stayed", "bytes"], rows, width)


def _kept(found: Comparison, most: int, width: int) -> Iterator[Text]:
    kept = [one for one in found.holders if one.keeps]
    yield Text()
    if not kept:
        yield Text("Nothing came that its holder has kept: no holder grew and stayed as large.", STRONG)
        return
    yield Text("What came between the first two, and is still there in the third", STRONG)
    for change in kept[:most]:
        yield from _holder(change, width)
    if len(kept) > most:
        yield Text(f"  {count(len(kept) - most, 'more holder')}", FAINT)


def _holder(change: HolderChange, width: int) -> Iterator[Text]:
    yield Text()
    came = f"{number(change.came)} × {change.item_type} came, {size(change.came_bytes)}"
    if change.kept is not None:
        came += f"; {number(change.kept)} kept, {size(change.kept_bytes or 0)}"
    elif change.went:
        came += f"; {number(change.went)} went, {size(change.went_bytes)}"
    yield from map(Text, wrapped(came, width, indent=2))
    once = "; it has not grown since" if change.kept is not None and not change.grows_on else ""
    yield Text(f"    items: {_ARROW.join(map(number, change.items))}{once}", FAINT)
    for line in _path(change.path, width - 4):
        yield Text(f"    {line}")


def _path(path: str, width: int) -> Iterator[str]:
    """A path in as many lines as it needs, broken at its arrows."""
    line = ""
    for step in path.split(_ARROW):
        longer = f"{line}{_ARROW}{step}" if line else step
        if line and len(longer) > width:
            yield shortened(line, width)
            line = f"  → {step}"
        else:
            line = longer
    yield shortened(line, width)


def _strangers(old: HeapFile, new: HeapFile, found: list[PathChange], most: int, width: int) -> Iterator[Text]:
    yield Text(f"{old.path.name}{_ARROW}{new.path.name}, of two processes", STRONG)
    for file in (old, new):
        yield Text(shortened(f"{file.path.name}: {heap_sentence(file)}", width), FAINT)
    yield Text("Objects of two processes are not the same, so what each path retains is compared.", FAINT)
    yield Text()
    rows = [[one.path, number(one.old_count), number(one.new_count), _signed(one.more_bytes)] for one in found[:most]]
    if not rows:
        yield Text("No path retains more or less.", STRONG)
        return
    yield from table(["what goes with whom", "objects", "now", "bytes"], rows, width)


def _signed(value: int) -> str:
    return f"+{number(value)}" if value > 0 else number(value)
