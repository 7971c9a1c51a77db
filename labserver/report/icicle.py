"""Who holds the growth, as an icicle: from the root down along the chains, each block as wide as its part of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from labserver.amounts import percent, size
from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.heap.chain import in_one_line
from labserver.report.holder_chain import holder_index, link_name

WIDE_PX, NARROW_PX = 1000, 360
_ROW, _GAP = 34, 2
_GLYPH = 7.9  # the width of a monospaced glyph of 13 px
_NARROWEST = 3.0
_SHADES = 5


@dataclass(slots=True)
class _Block:
    """An object of one or more chains, by the edge that leads to it; its bytes are what it has of the growth."""

    name: str
    kind: str
    path: str
    bytes: int = 0
    retained: int = 0
    blocks: "dict[str, _Block]" = field(default_factory=dict)


def icicle_of(result: CheckResult, width: int = WIDE_PX) -> str:
    """The drawing as SVG to put into a page, whose style sheet colours it; empty without holders."""
    folded = [holder for finding in result.findings for holder in finding.holders]
    holders = [holder for holder in (*folded, *result.holders) if holder.growth_bytes > 0 and holder.chain]
    if not holders:
        return ""
    whole = _Block("growth", "all", "growth")
    for holder in holders:
        _add(whole, holder)
    growth = result.growth
    left = growth.unexplained + growth.found + growth.small if growth is not None else 0
    left -= sum(holder.growth_bytes for holder in folded)
    if left > 0:
        whole.blocks["left"] = _Block("without a holder", "left", "without a holder", left)
        whole.bytes += left
    scale = _Scale(width, whole.bytes, max(whole.bytes, 0 if growth is None else growth.came))
    depth = _depth(whole)
    height = depth * _ROW
    what = f"Icicle of {size(whole.bytes)}; the chains below say the same in words"
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(what)}" class="icicle">'
    return "\n".join([head, *_drawn(whole, scale, 0.0, 0), "</svg>"])


def _add(whole: _Block, holder: NamedHolder) -> None:
    """Lay one chain into the tree; what came counts for every block on its way."""
    whole.bytes += holder.growth_bytes
    whole.retained += holder.retained_bytes
    block, own = whole, holder_index(holder)
    path = ""
    for at, link in enumerate(holder.chain):
        name = link_name(link, root=at == 0)
        shown = name if at == 0 else f"{link.words}: {name}"
        path = in_one_line([path, shown] if path else [shown])
        kind = "holder" if at == own else "held" if at > own else "link"
        block = block.blocks.setdefault(shown, _Block(shown, kind, path))
        block.bytes += holder.growth_bytes
        block.retained += holder.retained_bytes
        if kind == "holder":
            block.kind = kind


def _depth(block: _Block) -> int:
    return 1 + max(map(_depth, block.blocks.values()), default=0)


@dataclass(frozen=True, slots=True)
class _Scale:
    """How wide the drawing is, what is so wide, and what is all that came: some may have a holder without a chain."""

    width: int
    widest: int
    all: int


def _drawn(block: _Block, scale: _Scale, left: float, row: int) -> Iterator[str]:
    width = scale.width * block.bytes / scale.widest
    if width < _NARROWEST:
        return
    y, shade = row * _ROW, row % _SHADES
    kept = f"; {size(block.retained)} retained" if block.retained else ""
    title = escape(f"{block.path}\n{size(block.bytes)}, {percent(block.bytes / scale.all)} of the growth{kept}")
    yield f'<g class="{block.kind} shade-{shade}"><title>{title}</title>'
    yield f'<rect x="{left:.1f}" y="{y}" width="{max(width - _GAP, 1):.1f}" height="{_ROW - _GAP}" rx="3"/>'
    text = _fitting(f"{block.name}  {percent(block.bytes / scale.all)}", block.name, width - _GAP - 12)
    if text:
        yield f'<text x="{left + 7:.1f}" y="{y + _ROW / 2 + 3:.0f}">{escape(text)}</text>'
    yield "</g>"
    for child in sorted(block.blocks.values(), key=lambda one: (one.kind == "left", -one.bytes)):
        yield from _drawn(child, scale, left, row + 1)
        left += scale.width * child.bytes / scale.widest


def _fitting(long: str, short: str, width: float) -> str:
    """As much of a label as a block has room for."""
    most = int(width / _GLYPH)
    if len(long) <= most:
        return long
    if len(short) <= most:
        return short
    return f"{short[: most - 1]}…" if most >= 4 else ""
