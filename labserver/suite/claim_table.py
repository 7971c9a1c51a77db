"""A notebook's claims as a table: HTML for JupyterLab and exports, with Markdown and plain text beside it."""

import html
from collections.abc import Sequence

from labserver.suite.finding import Finding

_HEADINGS = ("", "claim", "value", "interval", "unit", "bound")
# JupyterLab aligns cells to the right, which suits numbers alone; colours are the theme's own.
_LEFT, _IN_ONE_LINE = "text-align: left", "text-align: left; white-space: nowrap"
_STYLES = {heading: _IN_ONE_LINE if heading in {"", "interval", "unit"} else _LEFT for heading in _HEADINGS}
_NAMED = 4  # claims in a sentence; the table has all


class ClaimTable:
    """Claims and whether they hold, as IPython displays them; those that fail come first.

    Args:
        claims: findings that claim something, in the order in which they were recorded.
    """

    def __init__(self, claims: Sequence[Finding]) -> None:
        self.claims = sorted(claims, key=lambda claim: claim.holds)
        self.failed = [claim for claim in claims if not claim.holds]

    def sentence(self) -> str:
        """How many claims hold, or how many do not, and which."""
        total = len(self.claims)
        if not self.failed:
            return "The one claim holds." if total == 1 else f"All {total} claims hold."
        of = "The one claim does" if total == 1 else f"{len(self.failed)} of {total} claims {_do(len(self.failed))}"
        return f"{of} not hold: {_listed([claim.name for claim in self.failed])}."

    def __repr__(self) -> str:
        return "\n".join([self.sentence(), *(f"{_MARKS[claim.holds]} {claim.sentence()}" for claim in self.claims)])

    def _repr_html_(self) -> str:
        """The table as HTML; a claim that fails is in bold letters, for a mark alone is easily passed over."""
        head = "".join(f'<th scope="col" style="{_LEFT}">{heading}</th>' for heading in _HEADINGS)
        rows = "".join(f"<tr>{''.join(_html_cells(claim))}</tr>" for claim in self.claims)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return f"<p><strong>{html.escape(self.sentence())}</strong></p>{table}"

    def _repr_markdown_(self) -> str:
        """The table as Markdown."""
        rows = [_HEADINGS, ("---",) * len(_HEADINGS), *map(_cells, self.claims)]
        table = "\n".join("| " + " | ".join(_markdown(cell) for cell in row) + " |" for row in rows)
        return f"**{_markdown(self.sentence())}**\n\n{table}"


_MARKS = {True: "✓", False: "✗"}


def _do(number: int) -> str:
    return "does" if number == 1 else "do"


def _listed(names: list[str]) -> str:
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _cells(claim: Finding) -> tuple[str, ...]:
    outcome = "holds" if claim.holds else "undecided" if claim.undecided else "fails"
    bound = str(claim.bound or "")
    return f"{_MARKS[claim.holds]} {outcome}", claim.name, claim.number(), claim.interval(), claim.unit, bound


def _html_cells(claim: Finding) -> list[str]:
    cells = [html.escape(cell) for cell in _cells(claim)]
    if not claim.holds:
        cells = [f"<strong>{cell}</strong>" if cell else "" for cell in cells]
    return [f'<td style="{style}">{cell}</td>' for style, cell in zip(_STYLES.values(), cells, strict=True)]


def _markdown(cell: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\|`*_<>[]" else letter for letter in cell)
