"""Lines for a terminal: in colour and as wide as it is, or plain in a pipe."""

import textwrap
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from labserver.report.terminal import write_plain
from labserver.text import bound_units, one_line

Page = Callable[[int], Iterator[Text]]
"""Gives the lines of a page of so many columns."""

WIDEST, NARROWEST, PLAIN = 120, 50, 110
FAINT, STRONG = "dim", "bold"


def print_page(page: Page, console: Console) -> None:
    """Print a page."""
    if not console.is_terminal:
        write_plain("".join(f"{line.plain.rstrip()}\n" for line in page(PLAIN)), console.file)
        return
    for line in page(min(max(console.width, NARROWEST), WIDEST)):
        console.print(line, soft_wrap=True, highlight=False)


def wrapped(text: str, width: int, *, indent: int) -> list[str]:
    """A sentence in as many lines as it needs; a number stays beside its unit."""
    space = " " * indent
    lines = textwrap.wrap(bound_units(one_line(text)), width, initial_indent=space, subsequent_indent=f"{space}  ")
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def shortened(text: str, width: int) -> str:
    """A name in so many columns: its end says most, and its beginning where it is from."""
    text = one_line(text)
    if len(text) <= width:
        return text
    head = max((width - 1) // 3, 1)
    return f"{text[:head]}…{text[head + 1 - width :]}" if width > head + 1 else text[:width]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[Text]:
    """A table whose first column is a name, which is shortened, and whose others are figures."""
    figures = [max(len(row[at]) for row in (head, *rows)) for at in range(1, len(head))]
    room = max(width - 2 - sum(figures) - 2 * len(figures), 12)
    longest = min(max(len(one_line(row[0])) for row in (head, *rows)), room)
    for at, (name, *values) in enumerate((head, *rows)):
        told = "  ".join(value.rjust(size) for value, size in zip(values, figures, strict=True))
        yield Text(f"  {shortened(name, longest):<{longest}}  {told}", FAINT if at == 0 else "")
