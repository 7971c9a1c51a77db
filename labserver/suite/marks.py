"""The visible mark on a notebook that failed: a banner that links to the cell, the log's end, the last readings."""

import html
from collections import deque
from pathlib import Path
from typing import Any

import nbformat
from papermill.execute import ERROR_MARKER_TAG, remove_error_markers

from labserver.files import write_text
from labserver.suite.result import Status
from labserver.suite.session import Failure

_ANCHOR = "papermill-error-cell"
_LOG_LINES = 40
_LINE_LENGTH = 500


def finish_notebook(path: Path, failure: Failure | None, log: Path, curves: Path) -> None:
    """Give the executed notebook its final form.

    papermill has put a banner and an anchor where a cell holds an error. They are filled in here, taken away from a
    notebook that passed (an expected error is none), and added where no cell is to blame.
    """
    notebook = nbformat.read(path, as_version=4)
    # Paths of the machine are of no use to a reader of the result.
    notebook.metadata.papermill.update(input_path=path.name, output_path=path.name)
    if failure is None:
        notebook = remove_error_markers(notebook)
        notebook.metadata.papermill["exception"] = None
    else:
        notebook.metadata.papermill["exception"] = True
        if failure.status is Status.CLAIM_FAILED:
            _quiet_anchor(notebook)
        _banner(notebook).source = _banner_text(notebook, failure, log, curves)
    write_text(path, nbformat.writes(notebook) + "\n")


def _quiet_anchor(notebook: Any) -> None:
    """Leave papermill's anchor without its words: no exception stopped the notebook, its table says what fails."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and f'id="{_ANCHOR}"' in cell.source:
            cell.source = f'<span id="{_ANCHOR}"></span>'


def _banner(notebook: Any) -> Any:
    for cell in notebook.cells:
        if ERROR_MARKER_TAG in cell.metadata.get("tags", []):
            return cell
    cell = nbformat.v4.new_markdown_cell(metadata={"tags": [ERROR_MARKER_TAG]})
    notebook.cells.insert(0, cell)
    return cell


def _banner_text(notebook: Any, failure: Failure, log: Path, curves: Path) -> str:
    anchored = any(_ANCHOR in c.source for c in notebook.cells[1:] if c.cell_type == "markdown")
    link = f" [Go to cell {failure.cell}](#{_ANCHOR})." if anchored else ""
    what, *claims = html.escape(failure.message).splitlines() or [""]
    parts = [
        f'<div style="color:red; font-size:1.5em">{what.removesuffix(":")} ({failure.status.value})</div>',
        *(f'<div style="color:red">{claim.strip()}</div>' for claim in claims),
        f"What was recorded up to here is kept.{link}",
    ]
    tail = _tail(log)
    if tail:
        parts += [f"The end of `logs/{log.name}`:", _preformatted(tail)]
    for curve in _curves_of(path_stem=log.stem, curves=curves):
        parts += [f"The last reading in `curves/{curve.name}`:", _preformatted(_last_reading(curve))]
    return "\n\n".join(parts)


def _preformatted(lines: list[str]) -> str:
    # Indented, because a fence could be closed by the text itself.
    return "\n".join(f"    {line[:_LINE_LENGTH]}" for line in lines)


def _tail(path: Path) -> list[str]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace") as stream:
        return [line.rstrip() for line in deque(stream, maxlen=_LOG_LINES)]


def _curves_of(path_stem: str, curves: Path) -> list[Path]:
    return sorted(curves.glob(f"{path_stem.split('_', 1)[0]}_*.csv"))


def _last_reading(curve: Path) -> list[str]:
    with curve.open(encoding="utf-8", errors="replace") as stream:
        header = stream.readline().rstrip()
        # A line without its end was cut off by the crash.
        complete = deque((line for line in stream if line.endswith("\n")), maxlen=1)
    return [header, *(line.rstrip() for line in complete)]
