"""A table of a notebook, as Markdown."""

from collections.abc import Sequence
from typing import Self


class Table(str):
    """Markdown, which a notebook shows as the table that it is."""

    __slots__ = ()

    @classmethod
    def of(cls, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Self:
        """Lay out a header and its rows; the cells are taken as they are."""
        lines = [header, ["---"] * len(header), *rows]
        return cls("\n".join("| " + " | ".join(line) + " |" for line in lines))

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return str(self)
