"""How a sentence about a target that is not there ends: with what was probably meant, or with what to do."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType

from labserver.heap.is_a import is_a, is_any
from labserver.names import closest

_USUAL = ("app", "application", "create_app", "make_app", "wsgi_app", "asgi_app", "wsgi", "asgi")
_FUNCTIONS = (FunctionType, BuiltinFunctionType)
_ALIKE = 0.75  # so that `application` is not taken for `plain`


def after_lookup(name: str, module: ModuleType) -> str:
    """The end for an attribute that the module lacks: one of a like name, one of a usual name, or its only object."""
    known = {one: value for one, value in vars(module).items() if _may_serve(value) and not one.startswith("_")}
    usual = [one for one in _USUAL if one in known]
    objects = [one for one, value in known.items() if not is_any(value, _FUNCTIONS)]
    only = objects if len(objects) == 1 else []
    return _did_you_mean(closest(name, known, alike=_ALIKE) or next(iter(usual + only), None))


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
    meant = closest(last, _modules(here.joinpath(*parent.split("."))), alike=_ALIKE)
    return _did_you_mean(meant and f"{parent}.{meant}".lstrip(".") + name.removeprefix(missing))


def _may_serve(value: object) -> bool:
    # Not `isinstance`: it would ask what a proxy stands for, such as a request that is not there.
    return callable(value) and not is_a(value, type)


def _did_you_mean(name: str | None) -> str:
    return f": did you mean `{name}`?" if name else "."


def _modules(folder: Path) -> list[str]:
    """The names that can be imported from a folder."""
    packages = [inner.name for inner in _folders(folder) if any(inner.glob("*.py"))]
    return packages + sorted(file.stem for file in folder.glob("*.py"))


def _folders(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(one for one in folder.iterdir() if one.is_dir() and one.name.isidentifier())
