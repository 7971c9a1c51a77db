"""The write-up as one HTML page that fetches nothing; the PDF is printed from the same page."""

import base64
import html
import re
from pathlib import Path

import jinja2
import nbformat
from markupsafe import Markup

from labserver.incident.postmortem import figure_words, fonts, markdown
from labserver.incident.postmortem.writeup import APPENDICES, Writeup
from labserver.suite.picture import narrow_path
from labserver.text import bound_units

_TEMPLATES = Path(__file__).parent / "templates" / "writeup"
_FIGURE = re.compile(r'<p><img src="(figures/[\w.-]+)" alt="([^"]*)" /></p>')
_HIDDEN = {"parameters", "injected-parameters"}


def page_of(writeup: Writeup, run_dir: Path, *, printed: bool = False) -> str:
    """The whole page: sections with their figures, contents, and the appendices and the notebooks' code, folded away.

    Args:
        writeup: what it says.
        run_dir: where its figures are.
        printed: whether it is for paper, which needs neither the figures' narrow variants nor letters for readers
            whose machine has none.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    sections = [
        {
            "name": section.name,
            "heading": section.heading,
            "folded": section.name in APPENDICES,
            "body": _html(writeup, section.body, run_dir, section.name, printed=printed),
        }
        for section in writeup.sections()
    ]
    page = environment.get_template("page.html.j2").render(
        language=writeup.words.language,
        say=writeup.say,
        origin=_html(writeup, writeup.origin(), run_dir, "origin", printed=printed),
        started=writeup.provenance.get("started", ""),
        sections=sections,
        code=code_of(run_dir),
        css=Markup("\n".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "print.css"))),  # noqa: S704 - our own
    )
    if writeup.words.language != "ko" or printed:
        return page
    return page.replace("<style>", f"<style>\n{fonts.embedded(re.sub('<[^>]*>', '', page))}\n", 1)


def code_of(run_dir: Path) -> list[tuple[str, str]]:
    """The code of each notebook that the run kept, by name; the injected run directory is no reader's business."""
    return [(path.stem, _code(path)) for path in sorted(run_dir.glob("[0-9][0-9]_*.ipynb"))]


def _code(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    shown = [
        cell.source for cell in cells if cell.cell_type == "code" and not _HIDDEN & set(cell.metadata.get("tags", []))
    ]
    return "\n\n".join(shown)


def _html(writeup: Writeup, text: str, run_dir: Path, section: str, *, printed: bool) -> Markup:
    """Markdown as HTML, where what comes from findings is escaped, and figures are part of the page."""
    page = bound_units(markdown.html_of(text, label=section))

    def figure(match: re.Match[str]) -> str:
        return _figure(writeup, run_dir / match[1], match[2], printed=printed)

    return Markup(_FIGURE.sub(figure, page))  # noqa: S704 - rendered without raw HTML


def _figure(writeup: Writeup, path: Path, caption: str, *, printed: bool) -> str:
    """A figure as part of the page; who cannot see it is told the words in it.

    In a narrow window its narrow variant stands in its place; where the run has none, it can be scrolled.
    """
    drawing = figure_words.drawing(path, writeup.words)
    told = writeup.say("figure_words", words="; ".join(figure_words.words_of(drawing)))
    picture = f'<img src="{_data_url(drawing)}" alt="{html.escape(told)}">'
    narrow = narrow_path(path)
    if narrow.is_file() and not printed:
        source = _data_url(figure_words.drawing(narrow, writeup.words))
        picture = f'<picture><source media="(max-width: 40rem)" srcset="{source}">{picture}</picture>'
    else:
        picture = f'<div class="wide" role="group" tabindex="0" aria-label="{caption}">{picture}</div>'
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _data_url(drawing: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"
