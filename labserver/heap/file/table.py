"""Rows with names, which pandas takes as they are and a notebook shows without it."""

from collections.abc import Iterable
from html import escape
from typing import Any

from labserver.amounts import number

_SHOWN = 50
"""Rows that a notebook shows."""


class Table(list[dict[str, Any]]):
    """A list of rows, each a dictionary: `pandas.DataFrame(table)` is its data frame.

    Args:
        columns: their names, in order; every row has all.
        rows: the values of each, in the same order.
    """

    def __init__(self, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        self.columns = tuple(columns)
        super().__init__(dict(zip(self.columns, row, strict=True)) for row in rows)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in self.columns)
        body = "".join(f"<tr>{''.join(map(_cell, row.values()))}</tr>" for row in self[:_SHOWN])
        left = f"<p>{number(len(self) - _SHOWN)} more rows</p>" if len(self) > _SHOWN else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{left}"


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f'<td style="text-align: right">{number(value)}</td>'
    return f'<td style="text-align: left">{escape(str(value))}</td>'
