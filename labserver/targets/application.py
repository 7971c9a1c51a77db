"""The application that `module:attribute` names."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, NamedTuple

from labserver.errors import CannotRun
from labserver.targets.suggestions import after_import, after_lookup

_ASGI_ARGUMENTS = 3
_OURS = Path(__file__).parent
_PATCHERS = ("gevent.monkey", "eventlet.patcher")


class Application(NamedTuple):
    """An application that can be served.

    Attributes:
        name: `module:attribute`, with `()` behind a factory.
        call: what takes `environ` and `start_response`, or `scope`, `receive` and `send`.
        is_asgi: whether it is the latter.
    """

    name: str
    call: Callable[..., Any]
    is_asgi: bool


def load_application(spec: str) -> Application:
    """Import what `module:attribute` names; a factory is called without arguments.

    Raises:
        CannotRun: there is no such thing, it fails, or it is no application that can be served.
    """
    here = Path.cwd()  # before the application changes it
    module_name, _, attribute = spec.partition(":")
    try:
        module = _guarded(
            f"{module_name} cannot be imported",
            lambda: importlib.import_module(module_name),
            here,
            end=lambda error: after_import(error, module_name, here),
        )
    finally:
        _require_threads(spec)  # also why an import may have failed
    try:
        found = attrgetter(attribute)(module)
    except AttributeError:
        end = after_lookup(attribute, module)
        raise CannotRun(f"{module_name} has no attribute {attribute!r}{_file_of(module, here)}{end}") from None
    if is_factory(found):
        found = _guarded(f"{spec}() fails", found, here)
        spec = f"{spec}()"
    asgi = is_asgi(found)
    if not asgi:
        _require_wsgi(spec, found)
    return Application(spec, found, asgi)


def is_factory(found: object) -> bool:
    """Whether something is to be called without arguments, rather than with `environ` and `start_response`."""
    if not (inspect.isroutine(found) or inspect.isclass(found)):
        return False
    # An application's two arguments never have defaults, a factory's always do.
    return _takes(found, 0)


def is_asgi(found: object) -> bool:
    """Whether something is to be awaited with `scope`, `receive` and `send`."""
    call = found if inspect.isroutine(found) else getattr(found, "__call__", None)  # noqa: B004 - its signature is asked for
    return callable(found) and (
        inspect.iscoroutinefunction(call) or (_takes(found, _ASGI_ARGUMENTS) and not _takes(found, 2))
    )


def place_of(frame: FrameType | None, here: Path) -> str:
    """Where a thread is in the application's own code, such as `shop/app.py:3 in connect`; empty if it is not in it.

    Args:
        frame: the thread's innermost.
        here: the directory that the application was imported from.
    """
    line = _innermost(traceback.extract_stack(frame), here)
    return "" if line is None else f"{_file(line, here)} in {line.name}"


def in_one_line(error: BaseException) -> str:
    """A foreign error as part of a sentence: its type and what it says, without line breaks and full stop."""
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _require_threads(spec: str) -> None:
    """Refuse an application whose threads are no threads any more: the server's would wait for one another for ever."""
    for name in _PATCHERS:
        patcher = sys.modules.get(name)
        ask = getattr(patcher, "is_module_patched", None) or getattr(patcher, "is_monkey_patched", None)
        if ask is not None and (ask("threading") or ask("thread")):
            raise CannotRun(
                f"{spec} is patched by {name.partition('.')[0]}, whose threads are none: check it on its own "
                "server, with --command."
            )


def _require_wsgi(spec: str, found: object) -> None:
    if not callable(found):
        raise CannotRun(f"{spec} is a {type(found).__name__}, not a WSGI application or a factory of one.")
    if not _takes(found, 2):
        raise CannotRun(
            f"{spec} is no WSGI application: it does not take environ and start_response{_parameters(found)}; a "
            "factory of one takes no arguments."
        )


def _parameters(call: Any) -> str:
    try:
        names = ", ".join(inspect.signature(call).parameters)
    except (TypeError, ValueError):
        return ""
    return f" but ({names})"


def _takes(call: Any, arguments: int) -> bool:
    try:
        inspect.signature(call).bind(*[None] * arguments)
    except TypeError:
        return False
    except ValueError:  # written in C, without a signature
        return arguments == 2
    return True


def _guarded(
    what: str, call: Callable[[], Any], here: Path, end: Callable[[BaseException], str] = lambda _: "."
) -> Any:
    """Call foreign code, and say what it does wrong in one sentence."""
    try:
        return call()
    except SystemExit as error:
        raise CannotRun(f"{what}: it calls sys.exit({error.code!r}){_where(error, here)}.") from None
    except BaseException as error:  # noqa: BLE001 - foreign code may fail in any way
        raise CannotRun(f"{what}: {in_one_line(error)}{_where(error, here)}{end(error)}") from None


def _where(error: BaseException, here: Path) -> str:
    """The innermost line of the application's own, such as ` (shop/app.py:3)`."""
    line = _innermost(traceback.extract_tb(error.__traceback__), here)
    return "" if line is None else f" ({_file(line, here)})"


def _innermost(stack: traceback.StackSummary, here: Path) -> traceback.FrameSummary | None:
    for line in reversed(stack):
        path = Path(line.filename)
        if path.is_relative_to(here) and "site-packages" not in path.parts and path.parent != _OURS:
            return line
    return None


def _file(line: traceback.FrameSummary, here: Path) -> str:
    return f"{Path(line.filename).relative_to(here)}:{line.lineno}"


def _file_of(module: ModuleType, here: Path) -> str:
    """The module's file, where it is not the application's own: a name may be taken by another package."""
    file = getattr(module, "__file__", None)
    return f" (it is {file})" if file is not None and not Path(file).is_relative_to(here) else ""
