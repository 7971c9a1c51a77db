"""Which interpreters can be looked into."""

import sys
import sysconfig

from labserver.errors import CannotRun

_NEWEST = (3, 15)


def unknown_parts() -> tuple[str, ...]:
    """What cannot be relied on in an interpreter that is newer than all that were tried, a sentence each."""
    if sys.version_info[:2] <= _NEWEST:
        return ()
    version, newest = (".".join(map(str, numbers)) for numbers in (sys.version_info[:2], _NEWEST))
    note = (
        f"CPython {version} is newer than {newest}, the last one that labserver knows: bytes and counts hold, but a "
        "bound that only a cache's code keeps may be overlooked, and a chain may have an edge without a name."
    )
    return (note,)


def require_global_lock() -> None:
    """Refuse a free-threaded build, with and without its lock.

    All of these rely on the lock or on what objects look like where it is: the walk over the threads' states, the
    headers of objects, reference counts, a fork while other threads stand still, the books of Python's own allocator.

    Raises:
        CannotRun: this is one.
    """
    if "t" in sys.abiflags or sysconfig.get_config_var("Py_GIL_DISABLED"):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise CannotRun(
            "This is a free-threaded build of CPython, whose memory labserver cannot read: run the application with "
            f"the ordinary build of Python {version}."
        )
