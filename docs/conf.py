"""How Sphinx builds these pages: offline, with every warning an error (`make docs`).

The sources are the repository itself, so that a link leads to the same page here and where the repository is shown.
"""

import sys
from pathlib import Path

from sphinx.application import Sphinx

from labserver import __version__

sys.path.insert(0, str(Path(__file__).with_name("extensions")))

project = "labserver"
author = "The labserver authors"
release = version = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "accessible", "executed"]
nb_execution_mode = "off"  # a notebook starts servers and measures them: `labserver run` does that
suppress_warnings = ["mystnb.unknown_mime_type"]  # data beside what is shown
nb_render_markdown_format = "myst"  # so that tables are some
myst_enable_extensions = ["colon_fence"]
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"  # what the docstrings say of arguments comes first
autodoc_member_order = "bysource"
napoleon_use_ivar = True
default_role = "code"  # what docstrings have between backticks
myst_heading_anchors = 3
root_doc = "README"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "notebooks/*.ipynb",
    "outputs/reference/*.md",
    "outputs/reference/notebooks/README.md",
    "labserver/load/photos/README.md",
]
exclude_patterns = [".*", "docs/build", "outputs/runs", "tests"]  # not even walked through

html_theme = "furo"
html_title = "labserver"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_js_files = ["pages.js"]
html_domain_indices = False  # of one package
html_extra_path = ["extra"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_show_search_summary = False  # it would fetch each page found, which no browser does for files

_CONTENTS = Path(__file__).with_name("contents.txt").read_text(encoding="utf-8")


def _give_contents(_: Sphinx, page: str, text: list[str]) -> None:
    if page == root_doc:
        text[0] += _CONTENTS


def setup(app: Sphinx) -> None:
    """Put the list of all pages behind the front page, which has none of its own."""
    app.connect("source-read", _give_contents)
