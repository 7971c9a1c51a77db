"""A session's leak checks as one self-contained page: the table, and the page of each result that is no clean one."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from labserver.plugins.pytest_judgement import Answer, Judgement
from labserver.plugins.pytest_sentences import WORDS, session_sentence, why_sentence
from labserver.plugins.pytest_table import bytes_a_run, in_order, title
from labserver.report.html import style_sheet
from labserver.text import clean

_TEMPLATES = Path(__file__).parent / "templates"


def session_page(judgements: Sequence[Judgement]) -> str:
    """The page; whatever comes from the tests is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters |= {"clean": clean, "bytes_a_run": bytes_a_run, "title": title, "why": why_sentence}
    ordered = in_order(judgements)
    tones = {one.answer for one in judgements}
    return environment.get_template("pytest_session.html.j2").render(
        judgements=ordered,
        summary=session_sentence(judgements),
        words=WORDS,
        headline=WORDS[ordered[0].answer] if ordered else "NOTHING CHECKED",
        tone=next(
            (str(answer) for answer in (Answer.LEAK, Answer.INCONCLUSIVE) if answer in tones), str(Answer.NO_LEAK)
        ),
        css=Markup(style_sheet()),  # noqa: S704 - a file of this package
    )
