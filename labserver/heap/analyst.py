"""What belongs to whoever looks at the heap, and must never appear as a holder in it.

A notebook holds what it looked at: in its variables, in IPython's `Out` and `_`, in the last traceback's frames. So do
the analyser's own frames. The walk over the heap does not enter these objects; what they alone hold is nobody's leak.
"""

import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from labserver.heap.is_a import is_a, namespace_of, own_attribute, text_of
from labserver.heap.layout.objects import addresses_of, type_addresses

# Modules whose own state is the analyst's; their functions and classes are shared with everybody and stay visible.
_ANALYST_PACKAGES = ("IPython", "ipykernel", "ipywidgets", "traitlets", "jupyter_client", "objgraph")
# In CPython 3.12 this module shows the collector its list of dead objects for use again; whoever takes a reference to
# one and lets go of it has it listed twice, and the collector goes round for ever.
NEVER_TRAVERSED = "_asyncio"
_ANALYST_ROOMS = (
    "labserver.heap",
    "labserver.diagnosis",
    "labserver.stats",  # which remembers quantiles: a check of a callable decides in the same process
    "labserver.targets.host",
    "labserver.plugins",
)
# From which the tool calls the application: these stand in the stack of whatever raises there.
_CALLING_ROOMS = (*_ANALYST_ROOMS, "labserver.targets", "labserver.processes", "labserver.cli")
_ANALYST_THREADS = ("labserver-agent", "labserver-monitor", "labserver-lifeline")
_NOTEBOOK = ("user_ns", "user_module", "user_global_ns")
_RESULTS = ("Out", "In", "_oh", "_ih", "_dh", "_i", "get_ipython")

_notebook_is_measured = False


@contextmanager
def notebook_is_measured() -> Iterator[None]:
    """Let the walk enter `__main__`, the notebook's variables, because the code under test lives there.

    IPython's memories among them (`Out`, `In`) stay shut.
    """
    global _notebook_is_measured  # noqa: PLW0603 - there is one `__main__`, and a forked child inherits this
    before, _notebook_is_measured = _notebook_is_measured, True
    try:
        yield
    finally:
        _notebook_is_measured = before


def analyst_objects() -> list[object]:
    """The objects that the walk must not enter: modules, namespaces, IPython's memory, our own threads and frames."""
    # Not `enumerate`: in a forked child, its lock may be held for ever.
    threads = [thread for thread in list(threading._active.values()) if is_analyst_thread(thread)]  # type: ignore[attr-defined] # noqa: SLF001
    return [*_modules(), *threads, *_ipython_state(), *_last_error(), *own_frames()]


def is_analyst_module(name: str) -> bool:
    """Whether a module of `sys.modules` belongs to the analyst."""
    if name == "__main__":
        return _is_interactive() and not _notebook_is_measured
    return name == NEVER_TRAVERSED or name.partition(".")[0] in _ANALYST_PACKAGES or name.startswith(_ANALYST_ROOMS)


def is_analyst_thread(thread: threading.Thread) -> bool:
    """Whether a thread is one of the instruments'."""
    return text_of(own_attribute(thread, "_name")) in _ANALYST_THREADS


def own_frames() -> list[types.FrameType]:
    """The calling thread's frames, innermost first."""
    frames = []
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.currentframe is the same call, typed Optional
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames


def own_calls(objects: list[object]) -> list[types.FrameType]:
    """Of some objects, the frames of our own code: a kept exception keeps those, too, from which its job was called."""
    kinds = type_addresses(objects, addresses_of(objects))
    found = [objects[at] for at in np.flatnonzero(kinds == id(types.FrameType)).tolist()]
    frames = [frame for frame in found if is_a(frame, types.FrameType)]
    if not frames:
        return []
    modules = [module for name, module in loaded_modules() if name.startswith(_CALLING_ROOMS)]
    spaces = {id(namespace_of(module)) for module in modules}
    return [frame for frame in frames if id(frame.f_globals) in spaces]


def loaded_modules() -> list[tuple[str, object]]:
    """What `sys.modules` has under names, and under `?` what it has under anything else."""
    modules = sys.modules if is_a(sys.modules, dict) else {}
    return [(text_of(name), module) for name, module in list(dict.items(modules)) if module is not None]


def never_traversed() -> object:
    """The module of that name, where it is loaded."""
    return _module(NEVER_TRAVERSED)


def _module(wanted: str) -> object:
    return next((module for name, module in loaded_modules() if name == wanted), None)


def _is_interactive() -> bool:
    """Whether `__main__` is a notebook, a prompt or an instrument, and not the application's own script."""
    main = _module("__main__")
    name = text_of(own_attribute(own_attribute(main, "__spec__"), "name"), "")
    without_file = is_a(main, types.ModuleType) and own_attribute(main, "__file__") is None
    return (without_file and not _is_given_as_text()) or name.startswith("labserver")


def _is_given_as_text() -> bool:
    """Whether the program is the argument of `python -c`, and has started no shell."""
    arguments = sys.orig_argv if type(sys.orig_argv) is list else []
    return any(type(one) is str and one == "-c" for one in arguments) and _shell() is None


def _modules() -> list[object]:
    found: list[object] = []
    for name, module in loaded_modules():
        if is_analyst_module(name):
            found += [module, namespace_of(module)]
    return [item for item in found if item is not None]


def _shell() -> object:
    """IPython's, found without importing IPython; None where there is none."""
    shell_class = getattr(_module("IPython.core.interactiveshell"), "InteractiveShell", None)
    return getattr(shell_class, "_instance", None)


def _ipython_state() -> list[object]:
    """IPython's shell and its memories of results."""
    shell = _shell()
    if shell is None:
        return []
    memories = [
        *(() if _notebook_is_measured else _NOTEBOOK),
        "user_ns_hidden",
        "history_manager",
        "displayhook",
        "last_execution_result",
        "_last_traceback",
        "kernel",
    ]
    found = [shell, *(getattr(shell, name, None) for name in memories)]
    found.append(getattr(getattr(shell, "history_manager", None), "output_hist", None))
    found += [getattr(shell, "user_ns", {}).get(name) for name in _RESULTS]
    return [item for item in found if item is not None]


def _last_error() -> list[object]:
    names = ("last_exc", "last_value", "last_traceback")
    return [value for name in names if (value := getattr(sys, name, None)) is not None]
