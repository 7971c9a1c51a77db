"""The answer to an experiment's question, in the figures of this run: a sentence or two that a notebook shows."""

from typing import Self


class Answer(str):
    """Markdown, which a notebook shows as a paragraph that begins with what it is."""

    __slots__ = ()

    @classmethod
    def of(cls, *sentences: str) -> Self:
        """Put sentences together; they are taken as they are."""
        return cls("**Answer of this run.** " + " ".join(sentences))

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return str(self)
