"""A heap from a file as a page for the terminal."""

from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

from labserver.amounts import count, number, percent, size
from labserver.heap.file import HeapFile
from labserver.heap.file.dominator_groups import Group, groups_in
from labserver.heap.file.path_groups import shortest_paths
from labserver.report.heap.printing import FAINT, STRONG, Page, shortened, table
from labserver.text import one_line

_LEAST_SHARE = 0.005  # of the heap, that a line of the tree must retain
_MOST_BELOW, _MOST_TOPS = 5, 12  # lines of the tree below one, and of those below none
_DEEPEST = 7
_MOST_STACK = 6  # lines of a thread's stack


def show_page(heap: HeapFile, most: int) -> Page:
    """What a heap consists of, and who holds it.

    Args:
        heap: the heap.
        most: rows of each table.
    """

    def page(width: int) -> Iterator[Text]:
        yield from _head(heap)
        yield from _titled("What goes with whom: bytes that would be free without it")
        whole = groups_in(heap, least_share=_LEAST_SHARE, most=_MOST_BELOW, most_tops=_MOST_TOPS)
        yield from _tree(whole, heap.bytes, width)
        yield from _titled("By type")
        yield from _types(heap, most, width)
        yield from _titled("By module")
        yield from _modules(heap, most, width)
        if heap.about.with_names:
            yield from _titled("Strings that are there more than once")
            yield from _strings(heap, most, width)
        if heap.threads():
            yield from _titled("Threads")
            yield from _threads(heap, width)

    return page


def paths_page(heap: HeapFile, name: str, most: int) -> Page:
    """The shortest paths to what has a name.

    Args:
        heap: the heap.
        name: of a type, or of a module, class or function.
        most: paths to show.

    Raises:
        UsageError: nothing has that name.
    """
    found = shortest_paths(heap, name)

    def page(width: int) -> Iterator[Text]:
        total = sum(one.paths for one in found.groups)
        yield Text(f"{one_line(name)}: {count(total, 'shortest path')} from the roots", STRONG)
        if found.dropped:
            rarer = f"{count(found.dropped, 'rarer kind')} of paths to it"
            yield Text(f"{rarer} were not followed: a name that fewer objects have shows all of its own.", FAINT)
        for one in found.groups[:most]:
            yield Text()
            yield Text(f"  {count(one.paths, 'path')}", FAINT)
            for at, step in enumerate(one.chain.steps):
                yield Text(f"  {'├─' if at == 0 else '↓ '} {shortened(step, width - 6)}")
        if len(found.groups) > most:
            yield Text()
            more = count(len(found.groups) - most, "more kind")
            yield Text(f"  {more} of paths: --most {len(found.groups)} shows all.", FAINT)

    return page


def heap_sentence(heap: HeapFile) -> str:
    """How large a heap is."""
    record = heap.record
    objects, references = number(record.types.size), number(record.targets.size)
    return f"{objects} objects of {size(heap.bytes)}, {references} references"


def origin_sentence(heap: HeapFile) -> str:
    """Where it comes from."""
    about = heap.about
    when = datetime.fromisoformat(about.taken).strftime("%Y-%m-%d %H:%M:%S UTC") if about.taken else "at some time"
    named = "with keys and strings" if about.with_names else "without contents"
    process = f"process {about.pid}"
    target = "" if about.target in {"", f"pid:{about.pid}"} else f"{about.target}, "
    return f"{target}{process}, {about.python}, {when}, {named}"


def _head(heap: HeapFile) -> Iterator[Text]:
    yield Text.assemble((f"HEAP  {one_line(heap.path.name)}: ", STRONG), heap_sentence(heap))
    yield Text(one_line(origin_sentence(heap)), FAINT)
    for note in heap.about.notes:
        yield Text(one_line(note), FAINT)


def _titled(title: str) -> Iterator[Text]:
    yield Text()
    yield Text(title, STRONG)


def _tree(whole: Group, total: int, width: int) -> Iterator[Text]:
    for group in whole.groups:
        yield _branch(group, total, "", width)
        yield from _twigs(group, total, "", width, depth=1)


def _twigs(group: Group, total: int, before: str, width: int, *, depth: int) -> Iterator[Text]:
    # What is too small for a line of its own says no more than the line above it.
    groups = [one for one in group.groups if one.count] if depth < _DEEPEST else []
    for at, one in enumerate(groups):
        last = at == len(groups) - 1
        yield _branch(one, total, f"{before}{'╰─ ' if last else '├─ '}", width)
        yield from _twigs(one, total, f"{before}{'   ' if last else '│  '}", width, depth=depth + 1)


def _branch(group: Group, total: int, before: str, width: int) -> Text:
    share = percent(group.retained / max(total, 1))
    line = Text(f"{number(group.retained):>16} {share:>7}  ")
    line.append(before, FAINT)
    times = f" × {group.count:,}" if group.count > 1 else ""
    line.append(shortened(group.name, max(width - len(line.plain) - len(times), 12)), "" if group.count else FAINT)
    line.append(times, STRONG)
    return line


def _types(heap: HeapFile, most: int, width: int) -> Iterator[Text]:
    found = heap.types()
    rows = [[row["type"], *map(number, list(row.values())[1:])] for row in found[:most]]
    yield from table(["type", "objects", "bytes", "retained bytes"], rows, width)
    yield from _more(len(found) - most, "type")


def _modules(heap: HeapFile, most: int, width: int) -> Iterator[Text]:
    found = heap.modules()
    rows = [[row["module"], *map(number, list(row.values())[1:])] for row in found[:most]]
    yield from table(["module", "of its types", "their bytes", "retained bytes"], rows, width)
    yield from _more(len(found) - most, "module")


def _strings(heap: HeapFile, most: int, width: int) -> Iterator[Text]:
    found = heap.strings()
    rows = [[repr(row["text"]), number(row["times"]), number(row["wasted_bytes"])] for row in found[:most]]
    yield from table(["text", "times", "wasted bytes"], rows, width)
    yield from _more(len(found) - most, "text")


def _threads(heap: HeapFile, width: int) -> Iterator[Text]:
    for thread in heap.threads():
        yield Text(f"  {shortened(thread.name, width - 2)}")
        for line in thread.lines[:_MOST_STACK]:
            yield Text(f"    {shortened(line, width - 4)}", FAINT)
        yield from _more(len(thread.lines) - _MOST_STACK, "line", indent=4)


def _more(left: int, what: str, *, indent: int = 2) -> Iterator[Text]:
    if left > 0:
        yield Text(f"{' ' * indent}{left:,} more {what}{'' if left == 1 else 's'}", FAINT)
