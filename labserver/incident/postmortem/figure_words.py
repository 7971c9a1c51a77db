"""The words in a figure that a notebook saved: read, and redrawn in another language, without drawing the figure again.

Matplotlib writes each line of text as a comment with the words and a group with their glyphs, whose origin is the left
end of the line. `save_figure` puts the alignment into the id of the group around them, and into the description of the
whole what each line with arguments was made of: only by this form are they looked up, a plain line by itself.
"""

import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath, text_to_path

from labserver.incident.postmortem import fonts
from labserver.incident.postmortem.i18n.catalogue import Catalogue
from labserver.suite.bound import Phrase

_PIECES = re.compile(
    r'<g id="(?P<id>[^"]*)">'
    r'|<!-- (?P<words>[^\n]*?) -->(?P<space>\s*)<g(?P<attributes>[^>]*)>(?P<glyphs>.*?)</g>',
    re.DOTALL,
)  # fmt: skip
_MADE_OF = re.compile(r"<dc:description>(.*?)</dc:description>", re.DOTALL)
_USE = re.compile(r"<use [^>]*/>\s*")
_ALIGNED = re.compile(r"(left|center|right)_\d+")
# Of the room that is left over where the new words are shorter, what goes before them.
_BEFORE = {"left": 0.0, "center": 0.5, "right": 1.0}
# What matplotlib's groups of glyphs are scaled from.
_SIZE = 100
# Fonts for Korean lack it.
_MINUS = "\N{MINUS SIGN}"
_VERBS = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}


def drawing(path: Path, words: Catalogue) -> str:
    """A saved figure as SVG, with the catalogue's words where their font is here; otherwise as the notebook drew it."""
    svg = path.read_text(encoding="utf-8")
    font = fonts.korean() if words.language == "ko" else None
    return redrawn(svg, words.label, font) if font else svg


def words_of(svg: str) -> list[str]:
    """The lines of text in a figure, each once, in the order in which they are drawn; numbers do not count."""
    found = (html.unescape(match["words"]) for match in _PIECES.finditer(svg) if match["words"])
    return list(dict.fromkeys(words for words in found if re.search(r"[^\W\d_]", words) and words[0] != "$"))


def redrawn(svg: str, translate: Callable[[Phrase], str | None], font: Path) -> str:
    """The figure with its words translated and drawn as outlines of another font.

    Args:
        svg: as `save_figure` wrote it.
        translate: a line of text, by its form; None where it stays as it is.
        font: the file of a font that has the translation's letters.
    """
    prop = FontProperties(fname=font, size=_SIZE)
    phrases = _phrases(svg)
    alignment: str | None = None

    def replace(match: re.Match[str]) -> str:
        nonlocal alignment
        if match["id"] is not None:
            aligned = _ALIGNED.fullmatch(match["id"])
            alignment = aligned[1] if aligned else None
            return match[0]
        before = html.unescape(match["words"])
        after = translate(phrases.get(before) or Phrase.of_text(before)) if alignment else None
        if alignment is None or after is None:
            return match[0]
        after = after.replace(_MINUS, "-")
        shift = (_width(before, FontProperties(size=_SIZE)) - _width(after, prop)) * _BEFORE[alignment]
        attributes = re.sub(r'(transform="[^"]*)"', rf'\1 translate({shift:.1f} 0)"', match["attributes"])
        # The glyphs' definitions stay: other lines use them.
        glyphs = _USE.sub("", match["glyphs"])
        outline = " ".join(_outline(TextPath((0, 0), after, size=_SIZE, prop=prop)))
        return f'<!-- {_comment(after)} -->{match["space"]}<g{attributes}>{glyphs}<path d="{outline}"/></g>'

    return _PIECES.sub(replace, svg)


def _phrases(svg: str) -> dict[str, Phrase]:
    """What each line with arguments was made of; a figure that an earlier version saved does not say so."""
    made_of = _MADE_OF.search(svg)
    documents = json.loads(html.unescape(made_of[1])) if made_of else {}
    return {line: Phrase.from_json(document) for line, document in documents.items()}


def _width(words: str, prop: FontProperties) -> float:
    width, _, _ = text_to_path.get_text_width_height_descent(words, prop, ismath=False)
    return float(width)


def _outline(path: TextPath) -> Iterator[str]:
    for vertices, code in path.iter_segments(curves=True, simplify=False):
        points = "" if code == path.CLOSEPOLY else " ".join(f"{value:.1f}" for value in vertices)
        yield f"{_VERBS[int(code)]}{points}"


def _comment(words: str) -> str:
    return html.escape(words, quote=False).replace("--", "- -")
