"""A text with arguments in a figure: `save_figure` keeps what it was made of, for the write-up in another language."""

from collections.abc import Iterator
from string import Formatter
from typing import Self

from labserver.suite.bound import Argument, Phrase


class Label(str):
    """A text of a figure, made of a form and its arguments; matplotlib draws it like any string.

    Args:
        form: in English, as a `Phrase` has it; may be several lines.
        arguments: what stands for its placeholders.
    """

    __slots__ = ("_phrase",)
    _phrase: Phrase

    def __new__(cls, form: str, /, **arguments: Argument) -> Self:
        """Render the English text, which is what the string holds."""
        phrase = Phrase(form, arguments)
        label = super().__new__(cls, str(phrase))
        label._phrase = phrase
        return label

    def __str__(self) -> str:
        """Give the label itself: matplotlib passes each text through `str`, whose usual copy would forget the form."""
        return self

    def phrases(self) -> Iterator[Phrase]:
        """A phrase for each line: matplotlib draws lines one by one, and so they are put into another language."""
        for form in self._phrase.form.split("\n"):
            named = {name for _, name, _, _ in Formatter().parse(form)}
            yield Phrase(form, {name: value for name, value in self._phrase.arguments.items() if name in named})
