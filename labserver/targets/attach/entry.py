"""The way into a process that is attached to. It is sent as text, and runs there in a thread of its own.

So it imports nothing of labserver before it knows that it may, and tells the other side alone what went wrong: nothing
is printed, and nothing stays behind.
"""

import _socket  # not `socket`, which an application may have replaced
import _thread
import contextlib
import importlib
import importlib.util
import json
import os
import struct
import sys
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from types import BuiltinFunctionType
from typing import Any

_GUEST = "labserver.targets.attach.guest"
_NAME = "labserver-agent"
_CONNECT_S = 5.0
_SO_PEERCRED = 17


class Finder:
    """Offers the other side's packages to the thread that makes it alone, after all that the process has itself.

    Args:
        offered: the folder of each package.
    """

    def __init__(self, offered: dict[str, str]) -> None:
        self.offered = offered
        self._thread = _thread.get_ident()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Where a package is; None for anybody else and for anything else."""
        if path is None and name in self.offered and _thread.get_ident() == self._thread:
            return PathFinder.find_spec(name, [self.offered[name]], target)
        return None

    def remove(self) -> None:
        """Offer nothing any longer."""
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self)


def enter(*, meeting: str, offered: dict[str, str], suffix: str, page: tuple[int, int] | None) -> None:
    """Meet the other side, and start the agent; nothing where the other side has gone.

    Args:
        meeting: the path of its socket.
        offered: the folder of each package that the agent needs.
        suffix: of the extension modules that can be loaded where these are.
        page: the memory that this text came in, by address and size; None where it came in no such way.
    """
    connection = connected(meeting)
    if connection is None:
        return
    try:
        refused = _refused(offered, suffix)
        if not isinstance(_thread.start_new_thread, BuiltinFunctionType):
            refused = ("threads", "")
        if refused is None:
            import threading  # noqa: PLC0415 - not before there is somebody to talk to

            # A thread that `threading` has made: of one that it only meets it keeps a record beyond its end.
            given = (connection, offered, page)
            threading.Thread(target=_arrive, args=given, name=_NAME, daemon=True).start()
            return
        _tell(connection, *refused)
    except Exception as error:  # noqa: BLE001 - the process must not notice
        _tell(connection, "failed", f"{type(error).__name__}: {error}")
    connection.close()


def stay(connection: Any, *, offered: dict[str, str], suffix: str) -> None:
    """The same in the thread that calls, which `threading` has not made: an application may have replaced that.

    Args:
        connection: to the other side.
        offered: as for `enter`.
        suffix: the same.
    """
    refused = _refused(offered, suffix)
    if refused is not None:
        _tell(connection, *refused)
        connection.close()
        return
    import threading  # noqa: PLC0415 - as above

    thread = threading.current_thread()
    thread.name = _NAME
    try:
        _arrive(connection, offered, None)
    finally:
        getattr(threading, "_active", {}).pop(thread.ident, None)  # the record


def _arrive(connection: Any, offered: dict[str, str], page: tuple[int, int] | None) -> None:
    """Import the agent, and answer the other side until it has gone."""
    finder = Finder(offered)
    try:
        sys.meta_path.append(finder)
        importlib.import_module(_GUEST).serve(connection, finder, page)
    except ModuleNotFoundError as error:
        _tell(connection, "older" if str(error.name).startswith("labserver.") else "failed", str(error))
    except Exception as error:  # noqa: BLE001 - the process must not notice
        _tell(connection, "failed", f"{type(error).__name__}: {error}")
    finder.remove()
    connection.close()


def connected(meeting: str) -> Any:
    """The connection; None where nobody is there, or one who may not ask."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.settimeout(_CONNECT_S)
        connection.connect(meeting)
        _, user, _ = struct.unpack("3i", connection.getsockopt(_socket.SOL_SOCKET, _SO_PEERCRED, 12))
    except OSError:
        user = None
    if user in {os.getuid(), 0}:
        return connection
    connection.close()
    return None


def _refused(offered: dict[str, str], suffix: str) -> tuple[str, str] | None:
    """Why the agent cannot work here, as a word and what it is about; None where it can."""
    missing = [name for name in offered if name not in sys.modules and importlib.util.find_spec(name) is None]
    if missing and suffix != EXTENSION_SUFFIXES[0]:
        return "build", ", ".join(missing)
    unread = [name for name in missing if PathFinder.find_spec(name, [offered[name]]) is None]
    return ("files", ", ".join(unread)) if unread else None


def _tell(connection: Any, refused: str, detail: str) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps({"refused": refused, "detail": detail}).encode() + b"\n")
