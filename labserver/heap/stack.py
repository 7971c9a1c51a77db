"""What of a call stack is worth telling; its frames are in order, the allocating line first."""

from collections.abc import Sequence

from labserver.heap.frame import Frame
from labserver.heap.origin import Origin

# From here this package calls the application; everywhere else it works for itself.
_DOORS = ("labserver/targets/", "labserver/plugins/", "labserver/diagnosis/measure/in_process.py")


def called_part(stack: Sequence[Frame]) -> tuple[Frame, ...]:
    """A stack without what this package is called by; empty where the package has allocated for itself."""
    ours = next((at for at, frame in enumerate(stack) if frame.origin is Origin.TOOL), None)
    if ours is None:
        return tuple(stack)
    return tuple(stack[:ours]) if any(door in stack[ours].file for door in _DOORS) else ()


def own_lines(stack: Sequence[Frame]) -> tuple[str, ...]:
    """The lines of a stack that a reader can change, the innermost first; all where none is the application's."""
    return tuple(str(frame) for frame in stack if frame.is_own) or tuple(map(str, stack))
