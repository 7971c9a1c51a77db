"""How Sphinx builds these pages: offline, with every warning an error (`make docs`).

The sources are the repository itself, so that a link leads to the same page here and where the repository is shown.
"""

from pathlib import Path

from sphinx.application import Sphinx

from labserver import __version__

project = "labserver"
author = "The labserver authors"
release = version = __version__

extensions = ["myst_nb"]
nb_execution_mode = "off"  # a notebook starts servers and measures them: `labserver run` does that
myst_heading_anchors = 3
root_doc = "README"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "docs/*.md",
    "notebooks/*.ipynb",
    "outputs/reference/*.md",
    "labserver/load/photos/README.md",
]
exclude_patterns = [".*", "docs/build", "outputs/runs", "tests"]  # not even walked through

html_theme = "furo"
html_title = "labserver"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_extra_path = ["extra"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

_CONTENTS = Path(__file__).with_name("contents.txt").read_text(encoding="utf-8")


def _give_contents(_: Sphinx, page: str, text: list[str]) -> None:
    if page == root_doc:
        text[0] += _CONTENTS


def setup(app: Sphinx) -> None:
    """Put the list of all pages behind the front page, which has none of its own."""
    app.connect("source-read", _give_contents)
