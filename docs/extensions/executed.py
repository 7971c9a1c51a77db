"""The notebooks' pages show what the reference run left: its outputs below the cells, and words for each picture.

`make reference` puts the executed notebooks beside the other results. The page of a notebook is then that of its
executed copy, so that every link to a notebook leads to what it shows.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from nbformat.v4 import new_markdown_cell
from sphinx.application import Sphinx

_SHOWN = """\
:::{note}
These are the outputs of the [reference run](/docs/incident.md#run-the-notebooks), with the incident's own durations.
:::"""
_CHANGED = """\
:::{warning}
These are the outputs of the last reference run. The notebook has changed since.
:::"""
_REFERENCE = "outputs/reference/notebooks"
_LINK = re.compile(r"\]\((\w+\.ipynb)\)")
_FILE_OF_PICTURE = re.compile(r" \([\w./-]+\.(?:svg|png)\)$")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what happens to a notebook's page."""
    app.add_config_value("executed_notebooks", _REFERENCE, "env")
    app.connect("source-read", _show_outputs)
    app.connect("doctree-read", _describe_pictures)
    return {"parallel_read_safe": True}


def _show_outputs(app: Sphinx, page: str, source: list[str]) -> None:
    if page == f"{_REFERENCE}/README":  # the list of them
        source[0] = _LINK.sub(r"](/notebooks/\1)", source[0])
    found = _executed(app, page)
    if found is None:
        return
    app.env.note_dependency(str(found))
    notebook = nbformat.read(found, as_version=4)
    same = _code(notebook) == _code(nbformat.reads(source[0], as_version=4))
    notebook.cells.insert(1, new_markdown_cell(_SHOWN if same else _CHANGED, id="reference-run"))
    source[0] = nbformat.writes(notebook)


def _executed(app: Sphinx, page: str) -> Path | None:
    folder, _, name = page.rpartition("/")
    path = Path(app.srcdir) / app.config.executed_notebooks / f"{name}.ipynb"
    return path if folder == "notebooks" and path.is_file() else None


def _code(notebook: Any) -> list[str]:
    given = {"injected-parameters"}
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    return [cell.source for cell in cells if not given & {*cell.metadata.get("tags", [])}]


def _describe_pictures(app: Sphinx, tree: nodes.document) -> None:
    """Give each picture of an output the words that its output has beside it; myst-nb names it by its digest."""
    found = _executed(app, app.env.docname)
    if found is None:
        return
    words = {}
    for cell in nbformat.read(found, as_version=4).cells:
        for data in (output.get("data", {}) for output in cell.get("outputs", [])):
            for kind, picture in data.items():
                if kind.startswith("image/"):
                    raw = picture.encode() if "svg" in kind else base64.b64decode(picture)
                    words[hashlib.sha256(raw).hexdigest()] = _FILE_OF_PICTURE.sub("", data.get("text/plain", ""))
    for image in tree.findall(nodes.image):
        digest = Path(image["uri"]).stem
        if digest in words and not image.get("alt"):
            image["alt"] = words[digest]
