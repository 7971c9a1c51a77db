"""A check's result as a page for the terminal: the verdict, then one short chain for each holder, worst first."""

import os
import textwrap
from collections.abc import Iterator
from typing import IO

from rich.console import Console
from rich.text import Text

from labserver.amounts import number, size
from labserver.diagnosis.fact import State
from labserver.diagnosis.holders.hints import Hint
from labserver.diagnosis.result import CheckResult, Finding, NamedHolder, Status
from labserver.report.allocation import allocation_of
from labserver.report.by_process import lines_of
from labserver.report.contents import what_came
from labserver.report.failure_detail import details_of
from labserver.report.finding_title import title_of, untold_allocation_of
from labserver.report.growth import growth_sentence, share, small_sentence
from labserver.report.headline import how, native_sentence, verdict_sentence, verdict_word
from labserver.report.holder_chain import (
    end_of,
    guilty_index,
    held_in_words,
    holder_index,
    holder_name,
    item_index,
    link_name,
)
from labserver.report.pace import hourly_sentence, pace_sentence
from labserver.text import bound_units, clean

WIDTH = 110
_NARROWEST = 50
_VERDICT_STYLES = {
    "LEAK": "bold red",
    "NO LEAK": "bold green",
    "LEAK, ACCEPTED": "bold yellow",
    "INCONCLUSIVE": "bold yellow",
    "CANNOT SAY": "bold yellow",
}
_STATE_STYLES = {State.ACCEPTED: "green", State.NEW: "red", State.EXPIRED: "red", State.GROWN: "red"}
_GUILTY = "bold red"
_FAINT = "dim"


def render(result: CheckResult, width: int = WIDTH) -> str:
    """The page in plain text, with a line break at its end."""
    return "".join(f"{line.plain.rstrip()}\n" for line in _lines(result, width))


def show(result: CheckResult, console: Console) -> None:
    """Print the page: in colour and as wide as the terminal is, or plain in a pipe."""
    if not console.is_terminal:
        write_plain(render(result), console.file)
        return
    for line in _lines(result, min(max(console.width, _NARROWEST), WIDTH)):
        console.print(line, soft_wrap=True, highlight=False)


def write_plain(text: str, stream: IO[str]) -> None:
    """Write into a pipe: in whatever it can spell, and without a fuss when its reader has left."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # or the interpreter complains when it ends


def _lines(result: CheckResult, width: int) -> Iterator[Text]:
    word = verdict_word(result)
    first, *rest = _wrapped(verdict_sentence(result), width, indent=len(word) + 2)
    yield Text.assemble((word, _VERDICT_STYLES[word]), "  ", (first.lstrip(), "bold"))
    yield from (Text(line, "bold") for line in rest)
    yield from (Text(line, _FAINT) for line in _wrapped(how(result), width))
    yield from (Text(line) for line in _wrapped(native_sentence(result) or hourly_sentence(result), width))
    for finding in result.leading:
        yield Text()
        yield from _finding(finding, width)
    for position, holder in enumerate(result.holders, 1):
        yield Text()
        yield from _holder(result, position, holder, width)
    if table := lines_of(result, width):
        yield Text()
        yield from map(Text, table)
    for finding in result.following:
        yield Text()
        yield from _finding(finding, width)
    if small := small_sentence(result):
        yield Text()
        yield from (Text(line, _FAINT) for line in _wrapped(small, width))
    sums = growth_sentence(result)
    if sums and (result.holders or result.findings):
        yield Text()
        yield from (Text(line, "bold") for line in _wrapped(sums, width))
    for at, note in enumerate(result.notes):
        if at == 0:
            yield Text()
        yield from (Text(line, _FAINT) for line in _wrapped(note, width))
    for detail in details_of(result.failure):
        yield from (Text(line, _FAINT) for line in _wrapped(detail.heading, width))
        yield from (Text(f"    {clean(line)}", _FAINT) for line in detail.lines)


def _holder(result: CheckResult, position: int, holder: NamedHolder, width: int) -> Iterator[Text]:
    what = f" keeps {share(result, holder)} of the growth: {what_came(holder)}, {size(holder.retained_bytes)} retained"
    name = holder_name(holder)
    first, *rest = _wrapped(f"{position}. {name}{what}", width, hang=3)
    line = Text(first)
    line.stylize("bold", 0, len(f"{position}. {name}"))
    yield line
    yield from map(Text, rest)
    for sentence in filter(None, [pace_sentence(result, holder), *_about(holder)]):
        yield from (Text(part, _FAINT) for part in _wrapped(sentence, width, indent=3))
    if holder.status is not None:
        yield from _status(holder.status, width)
    yield from _chain(holder)
    yield from _allocation(allocation_of(holder))
    yield from _hint(holder.advice, width)


def _about(holder: NamedHolder) -> Iterator[str]:
    if holder.holder_retained_bytes is not None:
        yield f"letting go of the whole {holder.holder_type} would free {size(holder.holder_retained_bytes)}"
    if holder.bound is not None:
        by = f" ({holder.bound_from})" if holder.bound_from else ""
        yield f"declares a bound of {holder.bound:,}{by}"
    for path in holder.also_held_by:
        yield f"also held by {path}: cutting one chain alone frees nothing"


def _chain(holder: NamedHolder) -> Iterator[Text]:
    guilty, last, own = guilty_index(holder), len(holder.chain) - 1, holder_index(holder)
    item = item_index(holder)
    for at, link in enumerate(holder.chain):
        if at == 0:
            yield Text("   ┬───", _FAINT)
        else:
            yield Text.assemble(("   │    ↓ ", _FAINT), (link.words, _GUILTY if at == guilty else "cyan"))
            if at == guilty:
                yield Text.assemble(("   │      ", _FAINT), ("~" * len(link.words), _GUILTY))
        ends = at == last
        name = link_name(link, root=at == 0)
        # Assembled, not appended: what is appended to a faint text is faint.
        line = Text.assemble(("   ╰→ " if ends else "   ├─ ", _FAINT), (name, "bold" if at == own or ends else ""))
        if ends:
            line.append(f" {end_of(holder)}")
        elif at == item:
            line.append(f" × {number(holder.items or 0)}")
        yield line


def _allocation(lines: tuple[str, str | None]) -> Iterator[Text]:
    for label, line in zip(("allocated at ", "called from  "), lines, strict=True):
        if line:
            yield Text.assemble((f"      {label}", _FAINT), (clean(line), "magenta"))


def _finding(finding: Finding, width: int) -> Iterator[Text]:
    yield from (Text(line, "bold") for line in _wrapped(title_of(finding), width))
    yield from map(Text, _wrapped(finding.text, width, indent=3))
    if finding.status is not None:
        yield from _status(finding.status, width)
    for holder in finding.holders:
        yield from map(Text, _wrapped(held_in_words(holder), width, indent=6, hang=3))
    yield from _allocation(untold_allocation_of(finding))
    yield from _hint(finding.advice, width)


def _status(status: Status, width: int) -> Iterator[Text]:
    yield from (Text(line, _STATE_STYLES[status.state]) for line in _wrapped(status.text, width, indent=3))


def _hint(hint: Hint, width: int) -> Iterator[Text]:
    if hint.text:
        yield from (Text(line, "yellow") for line in _wrapped(f"hint: {hint.text}", width, indent=6))
    if hint.known_leak_of:
        yield from (
            Text(line, "bold yellow") for line in _wrapped(f"known leak of {hint.known_leak_of}", width, indent=6)
        )
    if hint.title:
        yield from (Text(line, _FAINT) for line in _wrapped(f"see: {hint.title}", width, indent=6))


def _wrapped(text: str, width: int, *, indent: int = 0, hang: int = 0) -> list[str]:
    lines = textwrap.wrap(
        bound_units(clean(text)),
        max(width, indent + 20),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hang),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
