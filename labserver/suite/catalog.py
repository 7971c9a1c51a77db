"""Which notebooks a run means: by number and name, by name, by number, or by path."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from labserver.errors import UsageError
from labserver.names import unknown_name

_NUMBERED = re.compile(r"(\d+)_(.+)")


def list_notebooks(folder: Path) -> list[Path]:
    """The numbered notebooks of a folder in the order of the story.

    Raises:
        UsageError: there are none.
    """
    notebooks = sorted(path for path in folder.glob("*.ipynb") if _NUMBERED.fullmatch(path.stem))
    if not notebooks:
        raise UsageError(f"There is no notebook in {folder}: name another folder with --notebooks.")
    return notebooks


def find_notebooks(names: Sequence[str], folder: Path) -> list[Path]:
    """The notebooks that are meant, each once, in the order of the story.

    Args:
        names: ``02_reproduce_the_leak``, ``reproduce_the_leak``, ``02``, ``2`` or a path; none means all.
        folder: where the numbered notebooks are.

    Raises:
        UsageError: a name fits none, or two different files have the same name.
    """
    if not names:
        return list_notebooks(folder)
    found = {_find(name, folder).resolve() for name in names}
    ordered = sorted(found, key=lambda path: path.stem)
    for first, second in pairwise(ordered):
        if first.stem == second.stem:
            raise UsageError(f"Two notebooks are named {first.stem}, and their results would overwrite each other.")
    return ordered


def _find(name: str, folder: Path) -> Path:
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path
    if path.suffix == ".ipynb" and len(path.parts) > 1:
        raise UsageError(f"There is no notebook {name}.")
    known = {notebook.stem: notebook for notebook in list_notebooks(folder)}
    for stem, notebook in known.items():
        if _means(name.removesuffix(".ipynb"), stem):
            return notebook
    raise unknown_name("notebook", name, known)


def _means(name: str, stem: str) -> bool:
    number, title = stem.split("_", 1)
    return name in (stem, title) or (name.isdecimal() and int(name) == int(number))
