"""How a sentence about a target that is not there ends: with what was probably meant, or with what to do."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from labserver.heap.is_a import is_a

_USUAL = ("app", "application", "create_app", "make_app", "wsgi_app", "asgi_app", "wsgi", "asgi")


def after_lookup(name: str, module: ModuleType) -> str:
    """The end for an attribute that the module lacks: another of a like name, or else of a usual one."""
    names = [
        one
        for one, value in vars(module).items()
        if callable(value) and not one.startswith("_") and not _is_imported_class(value, module)
    ]
    usual = next((one for one in _USUAL if one in names), None)
    return _did_you_mean(_closest(name, names) or usual)


def after_import(error: BaseException, name: str, here: Path) -> str:
    """The end for a module that cannot be imported.

    Args:
        error: what the import raised.
        name: the module, such as `shp.app`.
        here: the directory that modules are imported from.
    """
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is None:
        return "."
    first = missing.partition(".")[0]
    if not f"{name}.".startswith(f"{missing}."):  # it is another module that the target needs
        return "." if first in _modules(here) else ": install it beside labserver."
    if first not in _modules(here):
        folder = next((folder.name for folder in _folders(here) if first in _modules(folder)), None)
        if folder is not None:
            return f": {folder} has it, so run the check from there."
    parent, _, last = missing.rpartition(".")
    closest = _closest(last, _modules(here.joinpath(*parent.split("."))))
    return _did_you_mean(closest and f"{parent}.{closest}".lstrip(".") + name.removeprefix(missing))


def _is_imported_class(value: object, module: ModuleType) -> bool:
    # Not `isinstance`: it would ask what a proxy stands for, such as a request that is not there.
    return is_a(value, type) and getattr(value, "__module__", None) != module.__name__


def _did_you_mean(name: str | None) -> str:
    return f": did you mean `{name}`?" if name else "."


def _closest(name: str, names: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, names, n=1)), None)


def _modules(folder: Path) -> list[str]:
    """The names that can be imported from a folder."""
    packages = [inner.name for inner in _folders(folder) if any(inner.glob("*.py"))]
    return packages + sorted(file.stem for file in folder.glob("*.py"))


def _folders(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(one for one in folder.iterdir() if one.is_dir() and one.name.isidentifier())
