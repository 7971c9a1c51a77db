"""The text that the main thread runs in the process that is attached to: it starts `entry` in a thread, or nothing."""

import importlib.util
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

from labserver.errors import CannotRun
from labserver.targets.attach import entry

_ANYWHERE = (2**62 + 4711, 2**62 + 4712)  # no address and no size
_NEEDED = ("labserver", "numpy", "psutil")
# It runs in the application's `__main__` and must leave no name in it: expressions alone. It is in vain where the
# process is a child that was forked meanwhile, and where nobody waits any longer. What is raised here and is no
# `Exception`, such as KeyboardInterrupt and SystemExit, comes from a handler of a signal that came just now: it is
# raised anew, in the application.
_TEXT = """
try:{remove}
 __import__("os").getpid() == {pid} and __import__("os").path.exists({meeting}) and __import__("threading") and \
__import__("_thread").start_new_thread(__import__("builtins").exec, ({source}, {{"__name__": "labserver_entry"}}))
except:
 __import__("builtins").isinstance(__import__("sys").exc_info()[1], __import__("builtins").Exception) or \
__import__("ctypes").pythonapi.PyThreadState_SetAsyncExc(\
__import__("ctypes").c_ulong(__import__("_thread").get_ident()), \
__import__("ctypes").py_object(__import__("sys").exc_info()[0]))
"""
# The folder stays for as long as somebody waits in it.
_REMOVE_SCRIPT = """
 try:
  __import__("os").unlink({script})
  __import__("os").rmdir({folder})
 except __import__("builtins").Exception: pass"""


def bootstrap(*, pid: int, meeting: str, page: tuple[int, int] | None = None, script: str | None = None) -> bytes:
    """The text.

    Args:
        pid: of the process, as it sees itself.
        meeting: the path of the socket where it is waited for, as it sees it.
        page: the memory that the text will stand in, by address and size; None where it stands in a file.
        script: that file, which the text removes, as the process sees it.
    """
    place = None if page is None else tuple(page)
    given: dict[str, Any] = {"meeting": meeting, "offered": offered(), "suffix": EXTENSION_SUFFIXES[0], "page": place}
    entering = f"{Path(entry.__file__).read_text(encoding='utf-8')}\nenter(**{given!r})\n"
    source = f"try:\n exec({entering!a})\nexcept BaseException:\n pass\n"  # nothing may be printed there
    remove = ""
    if script is not None:
        remove = _REMOVE_SCRIPT.format(script=ascii(script), folder=ascii(str(Path(script).parent)))
    return _TEXT.format(pid=pid, meeting=ascii(meeting), source=ascii(source), remove=remove).encode("ascii")


def movable(*, pid: int, meeting: str) -> Callable[[tuple[int, int]], bytes]:
    """The same, all but done: what is returned is called while the process stands, with the memory for the text."""
    text = bootstrap(pid=pid, meeting=meeting, page=_ANYWHERE)
    return lambda page: text.replace(str(_ANYWHERE).encode(), str(tuple(page)).encode())


def offered() -> dict[str, str]:
    """The folder of each package that the agent needs, from this interpreter.

    Raises:
        CannotRun: one is not in a folder.
    """
    return {name: _folder(name) for name in _NEEDED}


def _folder(name: str) -> str:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise CannotRun(f"The package {name} is in no folder here, so it cannot be offered to another process.")
    return str(Path(spec.origin).resolve().parents[1])
