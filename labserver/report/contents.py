"""What came to a holder: its items in words, and what they consist of as a table by type."""

from dataclasses import dataclass
from html import escape

from labserver.amounts import number, rough_size
from labserver.diagnosis.result import NamedHolder
from labserver.report.holder_chain import holder_index, item_index

_IN_WORDS = 2  # types that the words name
_IN_TABLE = 8  # rows, the last for all other types
_ALL = 0.9  # of an item's bytes: an object with so many consists of nothing else worth a word
_HEADS = ("type", "new", "gone", "net", "bytes")


@dataclass(frozen=True, slots=True)
class Row:
    """What a holder gained of one type, or of all types without a row of their own.

    Attributes:
        type: its name.
        came: objects that came.
        gone: objects that went.
        bytes: net.
    """

    type: str
    came: int | None
    gone: int | None
    bytes: int

    @property
    def cells(self) -> tuple[str, ...]:
        """The figures as they are shown; a dash for what nobody counted."""
        net = None if self.came is None or self.gone is None else self.came - self.gone
        return (*("–" if value is None else number(value) for value in (self.came, self.gone, net)), number(self.bytes))


def what_came(holder: NamedHolder) -> str:
    """The items in words: `400 × Session, 5.3 KiB each (4,400 dict, 400 str, …)`; else what most bytes are of."""
    if holder.item_type is None or holder.items is None or holder.items <= 0:
        return f"{number(holder.buffers)} × {holder.buffer_type}"
    came = f"{number(holder.items)} × {holder.item_type}"
    if holder.item_bytes is None or holder.item_bytes <= 0:
        return came
    each = f"{rough_size(holder.item_bytes / holder.items)}{' each' if holder.items > 1 else ''}"
    return f"{came}, {each}{_consisting_of(holder, holder.item_bytes)}"


def _consisting_of(holder: NamedHolder, item_bytes: int) -> str:
    own = sum(one.bytes for one in holder.contents if one.type == holder.item_type)
    others = [one for one in holder.contents if one.type not in {holder.item_type, *_around(holder)}]
    rest = [one for one in others if one.came > one.gone and one.bytes > 0]
    if own >= _ALL * item_bytes or not rest:
        return ""
    words = [f"{number(one.came - one.gone)} {one.type}" for one in rest[:_IN_WORDS]]
    return f" ({', '.join(words + ['…'] * (len(rest) > _IN_WORDS))})"


def _around(holder: NamedHolder) -> set[str]:
    """The types of what lies between the holder and an item, such as the pairs that items stand in."""
    item = item_index(holder)
    return set() if item is None else {link.type for link in holder.chain[holder_index(holder) + 1 : item]}


def rows_of(holder: NamedHolder) -> list[Row]:
    """The table by type, most bytes first; what has no row of its own is summed up in a last one."""
    rows = [Row(one.type, one.came, one.gone, one.bytes) for one in holder.contents]
    if not rows:
        return []
    shown = rows if len(rows) <= _IN_TABLE else rows[: _IN_TABLE - 1]
    rest = holder.growth_bytes - sum(row.bytes for row in shown)
    return [*shown, Row("other types", None, None, rest)] if rest else shown


def table_of(holder: NamedHolder) -> str:
    """The same as HTML; empty where nobody told the types."""
    rows = rows_of(holder)
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in _HEADS)
    lines = [
        f'<tr><th scope="row">{escape(row.type)}</th>{"".join(f"<td>{cell}</td>" for cell in row.cells)}</tr>'
        for row in rows
    ]
    body = "\n".join([f"<thead><tr>{head}</tr></thead>", "<tbody>", *lines, "</tbody>"])
    return f'<div class="wide"><table class="contents">\n{body}\n</table></div>'
