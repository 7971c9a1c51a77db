"""The table that a session with leak checks ends with: name, verdict, bytes a run, holder; the worst first."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from labserver.amounts import number
from labserver.plugins.pytest_judgement import Answer, Judgement
from labserver.plugins.pytest_sentences import WORDS, session_sentence, why_sentence
from labserver.text import one_line

_MARKUP = {
    Answer.LEAK: {"red": True, "bold": True},
    Answer.INCONCLUSIVE: {"yellow": True},
    Answer.NOT_JUDGED: {"yellow": True},
    Answer.NO_LEAK: {"green": True},
}
_FEW = 20  # tests that keep nothing are shown one by one up to so many
_WORD, _BYTES = 10, 12


class Terminal(Protocol):
    """The part of pytest's terminal reporter that is needed."""

    def section(self, title: str, sep: str = "=", **markup: bool) -> None:
        """A line across with a title."""

    def write(self, content: str, *, flush: bool = False, **markup: bool) -> None:
        """Text without a line break."""

    def write_line(self, line: str, **markup: bool) -> None:
        """A line."""


def in_order(judgements: Sequence[Judgement]) -> list[Judgement]:
    """Leaks first, those of many bytes before those of few; what is left in the session's order."""
    places = {answer: place for place, answer in enumerate(Answer)}
    return sorted(
        judgements, key=lambda one: (places[one.answer], -(one.estimate or 0) if one.answer is Answer.LEAK else 0)
    )


def write_table(judgements: Sequence[Judgement], terminal: Terminal, *, every: bool) -> None:
    """Print the table.

    Args:
        judgements: of the session.
        terminal: pytest's.
        every: whether tests that keep nothing are shown however many they are.
    """
    terminal.section("leak check", "=")
    clean = [one for one in judgements if one.answer is Answer.NO_LEAK]
    folded = 0 if every or len(clean) <= _FEW else len(clean)
    shown = [one for one in in_order(judgements) if not folded or one.answer is not Answer.NO_LEAK]
    if shown:
        terminal.write_line(f"{'verdict':<{_WORD}}{'B a run':>{_BYTES}}  test, and who holds the bytes")
    for judgement in shown:
        terminal.write(f"{WORDS[judgement.answer]:<{_WORD}}", **_MARKUP[judgement.answer])
        terminal.write_line(f"{bytes_a_run(judgement):>{_BYTES}}  {title(judgement)}")
        for line in about(judgement):
            terminal.write_line(f"{'':{_WORD + _BYTES}}  {line}")
    if folded:
        terminal.write_line(f"… and {folded:,} more that keep nothing: -v shows them.")
    terminal.write_line(session_sentence(judgements))


def bytes_a_run(judgement: Judgement) -> str:
    """What a test keeps; a dash where nothing was measured, and the interval's bounds where nothing is sure."""
    if judgement.estimate is None:
        return "–"
    return number(judgement.estimate)


def title(judgement: Judgement) -> str:
    """The test, and which of its checks where it has several."""
    return judgement.test if judgement.check == 1 else f"{judgement.test}, check {judgement.check}"


def about(judgement: Judgement) -> Iterator[str]:
    """Who holds it and where it was allocated, or why there is no verdict."""
    if judgement.why is not None:
        yield one_line(why_sentence(judgement.why))
    elif judgement.answer is Answer.LEAK:
        if judgement.holder:
            yield one_line(judgement.holder)
        yield one_line(judgement.site)
