"""What belongs to whoever looks at the heap, and must never appear as a holder in it.

A notebook holds what it looked at: in its variables, in IPython's `Out` and `_`, in the last traceback's frames. So do
the analyser's own frames. The walk over the heap does not enter these objects; what they alone hold is nobody's leak.
"""

import sys
import types

# Modules whose own state is the analyst's; their functions and classes are shared with everybody and stay visible.
_ANALYST_MODULES = ("__main__", "IPython", "ipykernel", "ipywidgets", "traitlets", "jupyter_client", "objgraph")


def analyst_objects() -> list[object]:
    """The objects that the walk must not enter: modules, namespaces, IPython's memory, our own frames."""
    return [*_modules(), *_ipython_state(), *_last_error(), *own_frames()]


def is_analyst_module(name: str) -> bool:
    """Whether a module of `sys.modules` belongs to the analyst."""
    top = name.partition(".")[0]
    return top in _ANALYST_MODULES or name.startswith("labserver.heap")


def own_frames() -> list[types.FrameType]:
    """The calling thread's frames, innermost first."""
    frames = []
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.currentframe is the same call, typed Optional
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames


def _modules() -> list[object]:
    found: list[object] = []
    for name, module in list(sys.modules.items()):
        if module is not None and is_analyst_module(name):
            found += [module, getattr(module, "__dict__", None)]
    return [item for item in found if item is not None]


def _ipython_state() -> list[object]:
    """IPython's shell and its memories of results, found without importing IPython."""
    core = sys.modules.get("IPython.core.interactiveshell")
    shell_class = getattr(core, "InteractiveShell", None)
    shell = getattr(shell_class, "_instance", None)
    if shell is None:
        return []
    memories = [
        "user_ns",
        "user_ns_hidden",
        "user_module",
        "user_global_ns",
        "history_manager",
        "displayhook",
        "last_execution_result",
        "_last_traceback",
        "kernel",
    ]
    found = [shell, *(getattr(shell, name, None) for name in memories)]
    found.append(getattr(getattr(shell, "history_manager", None), "output_hist", None))
    return [item for item in found if item is not None]


def _last_error() -> list[object]:
    names = ("last_exc", "last_value", "last_traceback")
    return [value for name in names if (value := getattr(sys, name, None)) is not None]
