"""Packages that only an extra of this one installs: `pip install 'labserver[lab]'`."""

import importlib.util
from typing import Any, NamedTuple

from labserver.errors import CannotRun


class Optional(NamedTuple):
    """The package that has a module, by its name on the package index, and the extra that brings it."""

    package: str
    extra: str


OPTIONAL = {
    "PIL": Optional("Pillow", "lab"),
    "flask": Optional("Flask", "lab"),
    "itsdangerous": Optional("itsdangerous", "lab"),
    "cachetools": Optional("cachetools", "stores"),
    "redis": Optional("redis", "redis"),
}
"""By the name of the module."""


def needed(module: str, *, by: str) -> Any:
    """Import a module that the core does not need.

    Args:
        module: one of `OPTIONAL`.
        by: what needs it, as a sentence begins.

    Raises:
        CannotRun: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise missing(*OPTIONAL[module], by=by) from None


def require(module: str, *, by: str) -> None:
    """Make sure that a module is there, for another process to import: this one is measured, and stays small.

    Raises:
        CannotRun: it is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise missing(*OPTIONAL[module], by=by)


def missing(package: str, extra: str, *, by: str) -> CannotRun:
    """The error for a package that is not installed."""
    return CannotRun(f"{by} needs the package {package}: pip install 'labserver[{extra}]'.")
