"""Executed notebooks for readers: without paths, times and ids, so that those of two runs differ in figures only.

What says where and when a notebook ran is left out: papermill's and the kernel's records, the run's directory and name,
this machine's folders and ports, dates and addresses. Of a picture in two formats the PNG stays, which every reader of
notebooks shows, trusted or not, and which takes a third of the bytes.
"""

import copy
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat

from labserver.files import write_text

FOLDER = "notebooks"
"""Below the folder that the rest of a run is copied to."""

_INJECTED = "injected-parameters"
_BANNER = "papermill-error-cell-tag"  # repeats what the failed cell's own output says
_RUN_DIR = re.compile(r"^run_dir = .*\n?", re.MULTILINE)
_ONLY_COMMENTS = re.compile(r"(?:\s*#.*)*\s*")
_RUN_NAME = re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b")
_KERNEL_CELL = re.compile(r"\S*ipykernel_\d+/\d+\.py")
_SCRUBS = (
    (_KERNEL_CELL, "cell"),
    (_RUN_NAME, "reference"),
    (re.compile(r"\b(127\.0\.0\.1|localhost):\d{2,5}\b"), r"\1:PORT"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"), "…"),
    (re.compile(r"\b0x[0-9a-f]{6,16}\b"), "0x…"),
)
_TEMPORARY = "tmp/…"
_BELOW = r"""[^\s"'<>):,]*"""  # names of temporary folders are random
_PICTURE = "image/png"
_BESIDE_IT = "image/svg+xml"


def publish_notebooks(run_dir: Path, folder: Path) -> list[Path]:
    """Write the executed notebooks of a run, for readers, and remove those of earlier runs.

    Args:
        run_dir: the run.
        folder: where to; it is made.

    Returns:
        The files written, in the order of their names.
    """
    found = sorted(run_dir.glob("[0-9][0-9]_*.ipynb"))
    folder.mkdir(parents=True, exist_ok=True)
    for old in {path.name for path in folder.glob("*.ipynb")} - {path.name for path in found}:
        (folder / old).unlink()
    places = _places(run_dir)
    for path in found:
        notebook = published(nbformat.read(path, as_version=4), places)
        write_text(folder / path.name, nbformat.writes(notebook) + "\n")
    return [folder / path.name for path in found]


def published(notebook: Any, places: Iterable[tuple[str, str]] = ()) -> Any:
    """A copy of an executed notebook that has no trace of where and when it ran.

    Args:
        notebook: of nbformat 4.
        places: folders of this machine and what stands for each, the longest first.
    """
    copied = copy.deepcopy(notebook)
    copied.metadata = type(copied.metadata)(
        {key: copied.metadata[key] for key in ("kernelspec", "language_info") if key in copied.metadata}
    )
    copied.metadata.get("language_info", {}).pop("version", None)
    places = tuple(places)
    cells = []
    for cell in copied.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = type(cell.metadata)({"tags": tags} if tags else {})
        if _BANNER in tags:
            continue
        if _INJECTED in tags:
            cell.source = _RUN_DIR.sub("", cell.source).rstrip("\n")
            cell.id = _INJECTED  # papermill's is random
            if _ONLY_COMMENTS.fullmatch(cell.source):
                continue
        for output in cell.get("outputs", []):
            _publish_output(output, places)
        cells.append(cell)
    copied.cells = cells
    return copied


def _publish_output(output: Any, places: tuple[tuple[str, str], ...]) -> None:
    output.pop("transient", None)
    for key in ("text", "evalue"):
        if key in output:
            output[key] = _scrubbed(output[key], places)
    if "traceback" in output:
        output["traceback"] = [_scrubbed(line, places) for line in output["traceback"]]
    data = output.get("data", {})
    if _PICTURE in data:
        data.pop(_BESIDE_IT, None)
    for kind, value in data.items():
        if kind.startswith("text/"):
            data[kind] = _scrubbed(value, places)


def _scrubbed(text: str, places: tuple[tuple[str, str], ...]) -> str:
    for pattern, stands_for in _SCRUBS:
        text = pattern.sub(stands_for, text)
    for place, stands_for in places:
        text = re.sub(rf"{re.escape(place)}(?![\w-]){_BELOW if stands_for == _TEMPORARY else ''}", stands_for, text)
    return text


def _places(run_dir: Path) -> list[tuple[str, str]]:
    """Folders of this machine that an output may name, the longest first: a shorter one may be its beginning."""
    known = {Path.cwd(): ".", run_dir.parent: "runs", Path.home(): "~", Path(tempfile.gettempdir()): _TEMPORARY}
    named = {form: name for path, name in known.items() for form in (str(path), str(path.resolve()))}
    return sorted(((form, name) for form, name in named.items() if len(form) > 1), key=lambda one: -len(one[0]))
