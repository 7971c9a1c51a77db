"""Whose code a file is: the application's, a library's, the standard library's, or this package's own."""

import contextlib
import os
import re
import sys
import sysconfig
from enum import StrEnum
from functools import lru_cache
from pathlib import Path, PurePath

from labserver.heap.is_a import is_a, named, namespace_of, text_of

_PACKAGE = Path(__file__).parents[1]
_TOOL = PurePath(os.path.realpath(_PACKAGE))
_NOT_THE_TOOL = _TOOL / "incident"  # a service like any other
_STANDARD = tuple(PurePath(os.path.realpath(sysconfig.get_path(name))) for name in ("stdlib", "platstdlib"))
_INSTALLED = {"site-packages", "dist-packages"}
_CELL = re.compile(r"ipykernel_\d+[/\\]\d+\.py$|<ipython-input-")
_TYPED = ("<stdin>", "<python-input-")

_declared: list[PurePath] = []


class Origin(StrEnum):
    """Who wrote a line of code, as far as its file says."""

    APPLICATION = "application"
    LIBRARY = "library"
    STANDARD = "standard-library"
    TOOL = "tool"


def origin_of(filename: str) -> Origin:
    """Whose a file is, by the name that its code has.

    The application's are those below the working directory, below the target's and below the main script's, without
    what is installed there; also what was typed into a notebook or an interpreter. No file at all is a library's: most
    of what is made from strings is.
    """
    if is_cell(filename) or filename.startswith(_TYPED):
        return Origin.APPLICATION
    if filename.startswith("<"):
        return Origin.STANDARD if filename.startswith("<frozen ") else Origin.LIBRARY
    return _origin_of(filename, tuple(_declared), _roots())


def is_cell(filename: str) -> bool:
    """Whether the code is that of a notebook's cell."""
    return _CELL.search(filename) is not None


def declare_application(module: str) -> None:
    """Say which module is the application under test: its package is the application's wherever it lies.

    Args:
        module: as in `sys.modules`.
    """
    file = _file_of(module.partition(".")[0])
    if file is None or _is_within(file, _TOOL):
        file = _file_of(module)
    if file is not None:
        # A module that lies among the installed ones is alone there.
        _declared.append(file if file.parent.name in _INSTALLED else file.parent)


@lru_cache(maxsize=4096)
def _origin_of(filename: str, declared: tuple[PurePath, ...], roots: tuple[PurePath, ...]) -> Origin:
    path = PurePath(os.path.realpath(filename))  # installed may be a link, into a cache of packages or to a checkout
    if any(_is_own(path, root) for root in declared):
        return Origin.APPLICATION
    if _is_within(path, _TOOL) and not _is_within(path, _NOT_THE_TOOL):
        return Origin.TOOL
    if _is_standard(path):
        return Origin.STANDARD
    return Origin.APPLICATION if any(_is_own(path, root) for root in roots) else Origin.LIBRARY


def _roots() -> tuple[PurePath, ...]:
    """Where an application's files lie that nobody has declared."""
    found = []
    with contextlib.suppress(OSError):  # a deployment may remove what a service was started from
        found.append(PurePath(os.path.realpath(os.curdir)))
    main = _file_of("__main__")
    if main is not None:
        found.append(main.parent)
    return tuple(root for root in found if not _INSTALLED.intersection(root.parts))


def _is_own(path: PurePath, root: PurePath) -> bool:
    return _is_within(path, root) and not _INSTALLED.intersection(path.relative_to(root).parts)


def _is_standard(path: PurePath) -> bool:
    return any(_is_own(path, root) for root in _STANDARD)


def _is_within(path: PurePath, root: PurePath) -> bool:
    return path.is_relative_to(root)


def _file_of(module: str) -> PurePath | None:
    there = dict.get(sys.modules, module)
    file = dict(named(namespace_of(there))).get("__file__") if there is not None else None
    return PurePath(os.path.realpath(text_of(file))) if is_a(file, str) else None
