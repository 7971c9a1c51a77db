"""A notebook's cells as people know them: by the number beside the cell, and by the line's code."""

import linecache
import sys
from typing import Any

from labserver.heap.origin import is_cell

CELL = "notebook cell"
"""What stands for the file of a cell, whose real name differs from run to run."""

_CODE_LENGTH = 72


def cell_name(filename: str) -> str:
    """The cell with the number of its last run, as `notebook cell [4]`; without it where nobody tells."""
    number = _numbers().get(filename)
    return f"{CELL} [{number}]" if isinstance(number, int) and number > 0 else CELL


def code_at(filename: str, line: int) -> str:
    """A cell's line; empty for files, and where the cell is not known any more."""
    if not is_cell(filename):
        return ""
    # Not through its functions: they would read files.
    entry = linecache.cache.get(filename, ())
    lines = entry[2] if len(entry) > 2 else ()
    code = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return code if len(code) <= _CODE_LENGTH else f"{code[: _CODE_LENGTH - 1]}…"


def _numbers() -> dict[str, Any]:
    """By the file of each cell that ran here, its number; IPython keeps them for its tracebacks."""
    shells = sys.modules.get("IPython.core.getipython")
    shell = shells.get_ipython() if shells else None
    numbers = getattr(getattr(shell, "compile", None), "_filename_map", {})
    return numbers if isinstance(numbers, dict) else {}
