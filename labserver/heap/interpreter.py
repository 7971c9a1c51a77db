"""Which interpreters can be looked into."""

import sys
import sysconfig

from labserver.errors import CannotRun


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
