"""A notebook's claims as a table: HTML for JupyterLab and exports, with Markdown and plain text beside it."""

import html
from collections.abc import Sequence

from labserver.suite.finding import Finding

_HEADINGS = ("", "claim", "value", "interval", "unit", "bound")
_MARKS = {True: "✓", False: "✗"}
# JupyterLab aligns cells to the right, which suits numbers alone; colours are the theme's own.
_LEFT, _IN_ONE_LINE = "text-align: left", "text-align: left; white-space: nowrap"
_STYLES = {heading: _IN_ONE_LINE if heading in {"interval", "unit"} else _LEFT for heading in _HEADINGS}
_UNDECIDED = " (undecided)"


def show_claims(claims: Sequence[Finding]) -> None:
    """Show the claims in the notebook, each with ✓ where it holds and ✗ where it does not; none shows nothing."""
    from IPython.display import display  # noqa: PLC0415 - only there in a notebook

    if claims:
        shown = {
            "text/html": claims_as_html(claims),
            "text/markdown": claims_as_markdown(claims),
            "text/plain": claims_as_text(claims),
        }
        display(shown, raw=True)


def claims_as_html(claims: Sequence[Finding]) -> str:
    """The table as HTML; a claim that fails is in bold letters, for a mark alone is easily passed over."""
    head = "".join(f'<th scope="col" style="{_LEFT}">{heading}</th>' for heading in _HEADINGS)
    rows = "".join(f"<tr>{''.join(_html_cells(claim))}</tr>" for claim in claims)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def claims_as_markdown(claims: Sequence[Finding]) -> str:
    """The table as Markdown."""
    rows = [_HEADINGS, ("---",) * len(_HEADINGS), *map(_cells, claims)]
    return "\n".join("| " + " | ".join(_markdown(cell) for cell in row) + " |" for row in rows)


def claims_as_text(claims: Sequence[Finding]) -> str:
    """The claims as lines."""
    return "\n".join(f"{_MARKS[claim.holds]} {claim.sentence()}" for claim in claims)


def _cells(claim: Finding) -> tuple[str, ...]:
    bound = str(claim.bound or "") + (_UNDECIDED if claim.undecided else "")
    return _MARKS[claim.holds], claim.name, claim.number(), claim.interval(), claim.unit, bound


def _html_cells(claim: Finding) -> list[str]:
    cells = [html.escape(cell) for cell in _cells(claim)]
    if not claim.holds:
        cells = [f"<strong>{cell}</strong>" if cell else "" for cell in cells]
    return [f'<td style="{style}">{cell}</td>' for style, cell in zip(_STYLES.values(), cells, strict=True)]


def _markdown(cell: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\|`*_<>[]" else letter for letter in cell)
