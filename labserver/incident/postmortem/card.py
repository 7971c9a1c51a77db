"""The headline on one slide, as a PNG for a ticket or a chat; matplotlib draws it, from the messages of the page."""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.lines import Line2D

from labserver.errors import CannotRun
from labserver.files import write_bytes
from labserver.incident.postmortem import fonts
from labserver.incident.postmortem.writeup import Writeup
from labserver.suite.finding import Finding
from labserver.text import bound_units

WIDTH, HEIGHT = 1200, 675
_DPI = 100
_INK, _SOFT, _LINE, _BEFORE, _AFTER = "#1d2329", "#59636e", "#d8dee4", "#D55E00", "#0072B2"
_MARGIN, _COLUMN, _BARS_LEFT, _BARS_WIDTH = 56, 680, 800, 330
_QUESTIONS = (
    ("summary.holder_question", "card.holder"),
    ("summary.fix_question", "summary.fix"),
    ("summary.risk_question", "summary.risk_bytes"),
    ("summary.next_question", "summary.next_store"),
)
_MOST_LINES = 2  # an answer that does not hold names what it rested on, which may be long
_MARKUP = re.compile(r"\*\*|[`*]")
_NO_KOREAN = "A card in Korean needs Korean fonts, which koreanize-matplotlib carries: pip install 'labserver[pdf]'."


def write_card(writeup: Writeup, path: Path) -> None:
    """Write the card as PNG; the same run makes the same bytes.

    Args:
        writeup: what it says.
        path: the file to write; what is there stays until the new one is whole.

    Raises:
        CannotRun: there are no fonts for the language here.
    """
    if writeup.words.language == "ko" and fonts.korean() is None:
        raise CannotRun(_NO_KOREAN)
    with mpl.rc_context({"svg.hashsalt": "labserver", "font.family": _families(writeup.words.language)}):
        card, drawn = _Card(writeup), io.BytesIO()
        with _fonts_without_news():
            card.draw()
            described = {"Software": None, "Description": "\n".join(card.said)}
            card.figure.savefig(drawn, format="png", dpi=_DPI, metadata=described)
    write_bytes(path, drawn.getvalue())


@contextmanager
def _fonts_without_news() -> Iterator[None]:
    """Let matplotlib not warn of a family whose boldest file calls itself semibold."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


class _Card:
    """A figure that is written from the top down, in pixels; it keeps what it says, for those who cannot see it."""

    def __init__(self, writeup: Writeup) -> None:
        self.figure = Figure(figsize=(WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI, facecolor="white")
        self.said: list[str] = []
        self._writeup = writeup
        self._renderer = FigureCanvasAgg(self.figure).get_renderer()  # type: ignore[no-untyped-call]

    def draw(self) -> None:
        say, finding = self._writeup.say, self._writeup.finding
        y = self._write(say("title"), 52, size=15, colour=_SOFT)
        leak = finding("02.leak_bytes_per_job")
        if leak is not None and leak.holds:
            y = self._write(say("card.leak"), y + 20, size=30, bold=True, colour=_BEFORE)
            y = self._write(say("card.per_job"), y + 8, size=13, colour=_SOFT)
        else:
            y = self._write(say("summary.leak"), y + 16, size=14, bold=True)
        y += 26
        for question, answer in _QUESTIONS:
            y = self._write(say(question), y, size=12.5, bold=True)
            y = self._write(say(answer), y + 2, size=12) + 14
        self._draw_bars(finding("04.leaky_bytes_per_job"), finding("04.ttl_bytes_per_job"))
        self._draw_foot()

    def _write(self, words: str, y: float, *, size: float, bold: bool = False, colour: str = _INK) -> float:
        """Write words into the left column, below a height; returns the height of what comes below them."""
        words = bound_units(_MARKUP.sub("", words))
        self.said.append(words)
        font = FontProperties(size=size, weight="bold" if bold else "normal")
        wrapped = self._wrapped(words, font)
        if len(wrapped) > _MOST_LINES:
            wrapped[_MOST_LINES - 1] += " …"
        for line in wrapped[:_MOST_LINES]:
            self._put(line, _MARGIN, y, font, colour)
            y += size * _DPI / 72 * 1.35
        return y

    def _wrapped(self, words: str, font: FontProperties) -> list[str]:
        lines = [""]
        for word in words.split(" "):
            longer = f"{lines[-1]} {word}".strip()
            if self._renderer.get_text_width_height_descent(longer, font, ismath=False)[0] <= _COLUMN:
                lines[-1] = longer
            else:
                lines.append(word)
        return [line for line in lines if line]

    def _put(self, words: str, x: float, y: float, font: FontProperties, colour: str) -> None:
        self.figure.text(x / WIDTH, 1 - y / HEIGHT, words, font=font, color=colour, va="top", parse_math=False)

    def _draw_bars(self, before: Finding | None, after: Finding | None) -> None:
        """What a job leaves behind before and after the fix, where both were measured and hold."""
        if before is None or after is None or not (before.holds and after.holds):
            return
        say = self._writeup.say
        kept = [float(finding.value or 0) / 1000 for finding in (before, after)]
        axes = self.figure.add_axes((_BARS_LEFT / WIDTH, 0.3, _BARS_WIDTH / WIDTH, 0.42))
        axes.bar([0, 1], kept, color=[_BEFORE, _AFTER], width=0.62)
        names = [_MARKUP.sub("", say(f"verification.{name}")) for name in ("before", "after")]
        values = [say(f"card.{name}") for name in ("before", "after")]
        axes.set_xticks([0, 1], names, fontsize=13)
        for at, (height, value) in enumerate(zip(kept, values, strict=True)):
            axes.annotate(value, (at, max(height, 0)), (0, 6), textcoords="offset points", ha="center", fontsize=13)
        axes.set(ylim=(0, max(kept) * 1.12), xlim=(-0.6, 1.6))
        title = say("card.bars")
        axes.set_title(title, fontsize=12.5, color=_SOFT, pad=14)
        self.said += [title, *(f"{name}: {value}" for name, value in zip(names, values, strict=True))]
        _bare(axes)

    def _draw_foot(self) -> None:
        claims = [finding for finding in self._writeup.findings() if finding.bound]
        holding = sum(finding.holds for finding in claims)
        verdict = self._writeup.say("card.claims", holding=holding, all=len(claims))
        origin = self._writeup.say_origin("card.origin")
        left, right = _MARGIN / WIDTH, 1 - _MARGIN / WIDTH
        self.figure.add_artist(Line2D([left, right], [0.105, 0.105], color=_LINE, linewidth=1))
        colour = _SOFT if holding == len(claims) else _BEFORE
        self._write(verdict, HEIGHT - 54, size=12, bold=True, colour=colour)
        if origin:
            self._put(origin, 330, HEIGHT - 54, FontProperties(size=12), _SOFT)
            self.said.append(origin)


def _bare(axes: Axes) -> None:
    axes.tick_params(length=0)
    axes.set_yticks([])
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_LINE)


def _families(language: str) -> list[str]:
    """Fonts in the order in which a letter is looked for; those for Korean lack some signs."""
    latin = "DejaVu Sans"
    if language != "ko":
        return [latin]
    for face in fonts.KOREAN:
        fontManager.addfont(str(fonts.path_of(face)))
    return [FontProperties(fname=fonts.korean()).get_name(), latin]
