"""The write-up as one HTML page that fetches nothing; the PDF is printed from the same page."""

import base64
import html
import re
from pathlib import Path

import jinja2
import nbformat
from markdown_it import MarkdownIt
from markupsafe import Markup

from labserver.incident.postmortem import figure_words, fonts
from labserver.incident.postmortem.writeup import Writeup

_TEMPLATES = Path(__file__).parent / "templates" / "writeup"
_FIGURE = re.compile(r'<p><img src="(figures/[\w.-]+)" alt="([^"]*)" /></p>')
_HIDDEN = {"parameters", "injected-parameters"}
# A number and its unit stay on one line.
_UNIT = re.compile(r"(?<=\d) (?=(?:%|B|kB|MB|MiB|GiB|ms|s|min|B/job)(?![A-Za-z0-9%/]))")


def page_of(writeup: Writeup, run_dir: Path, *, with_fonts: bool = True) -> str:
    """The whole page: contents, sections with their figures, and the notebooks' code, folded away.

    Args:
        writeup: what it says.
        run_dir: where its figures are.
        with_fonts: whether a Korean page brings its letters, for readers whose machine has none.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    sections = [
        {"name": section.name, "heading": section.heading, "body": _html(writeup, section.body, run_dir, section.name)}
        for section in writeup.sections()
    ]
    page = environment.get_template("page.html.j2").render(
        language=writeup.words.language,
        say=writeup.say,
        origin=_html(writeup, writeup.origin(), run_dir),
        started=writeup.provenance.get("started", ""),
        sections=sections,
        code=code_of(run_dir),
        css=Markup("\n".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "print.css"))),  # noqa: S704 - our own
    )
    if writeup.words.language != "ko" or not with_fonts:
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


def _html(writeup: Writeup, text: str, run_dir: Path, section: str = "") -> Markup:
    """Markdown as HTML, where what comes from findings is escaped, and figures are part of the page."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    page = _UNIT.sub("\N{NO-BREAK SPACE}", markdown.render(text))
    # A table may be wider than a small screen: it scrolls by itself, by the keyboard, too.
    page = page.replace("<th>", '<th scope="col">')
    page = page.replace("<table>", f'<div class="table" role="region" tabindex="0" aria-labelledby="{section}"><table>')
    page = page.replace("</table>", "</table></div>")
    return Markup(_FIGURE.sub(lambda match: _figure(writeup, run_dir / match[1], match[2]), page))  # noqa: S704 - rendered without raw HTML


def _figure(writeup: Writeup, path: Path, caption: str) -> str:
    """A figure as part of the page; who cannot see it is told the words in it."""
    drawing = figure_words.drawing(path, writeup.words)
    picture = base64.b64encode(drawing.encode()).decode()
    told = writeup.say("figure_words", words="; ".join(figure_words.words_of(drawing)))
    image = f'<img src="data:image/svg+xml;base64,{picture}" alt="{html.escape(told)}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
