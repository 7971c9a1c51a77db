"""What the theme and Sphinx leave out for readers who use a keyboard or a screen reader: a test audits every page.

It is mended in the files, after the build, for no template of theirs has a place for it. `static/pages.js` does what
depends on the window: who cannot drag can then scroll with the keyboard.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

_MENDED = (
    # A heading without a level is none.
    (re.compile(r'(<p class="caption" role="heading")(?=>)'), r'\1 aria-level="2"'),
    # Two landmarks of a kind are told apart by their names.
    (re.compile(r'(<aside class="sidebar-drawer")(?=>)'), r'\1 aria-label="All pages"'),
    (re.compile(r'(<aside class="toc-drawer")(?=>)'), r'\1 aria-label="On this page"'),
    # A cell above a column of names heads nothing.
    (re.compile(r"<th\b[^>]*>(?:<p>\s*</p>)?</th>"), "<td></td>"),
    # Furo's page of results has no heading before there is one.
    (re.compile(r'(?<!</h1>)(<div id="search-results"></div>)'), r"<h1>Search</h1>\1"),
)


def setup(app: Sphinx) -> dict[str, bool]:
    """Mend all pages when they are written."""
    app.connect("build-finished", _mend_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _mend_pages(app: Sphinx, failed: Exception | None) -> None:
    if failed is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        text = mended = path.read_text(encoding="utf-8")
        for wrong, right in _MENDED:
            mended = wrong.sub(right, mended)
        if mended != text:
            path.write_text(mended, encoding="utf-8")
