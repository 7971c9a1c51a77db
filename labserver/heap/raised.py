"""Where an exception was raised, by the traceback that it carries."""

import types
from typing import Any

from labserver.heap.is_a import is_a, text_of
from labserver.heap.tracemalloc_tools import frame_at

_TRACEBACK: Any = vars(BaseException)["__traceback__"]
_DEEPEST = 1000  # entries that are followed


def raised_at(obj: object) -> str | None:
    """The line that raised an exception, such as `shop/people.py:12 in Company.short`; None for all else.

    The nearest line of the application, where the traceback has one: what a library raises, it raises for a call.
    """
    entry = _TRACEBACK.__get__(obj) if is_a(obj, BaseException) else None
    lines = []
    while type(entry) is types.TracebackType and len(lines) < _DEEPEST:
        code = entry.tb_frame.f_code
        lines.append((code.co_filename, entry.tb_lineno, text_of(code.co_qualname)))
        entry = entry.tb_next
    frames = [(frame_at(text_of(file), line), name) for file, line, name in reversed(lines)]
    own = [(frame, name) for frame, name in frames if frame.is_own]
    return next((f"{frame.file}:{frame.line} in {name}" for frame, name in own or frames), None)
