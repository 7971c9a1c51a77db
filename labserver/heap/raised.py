"""Where an exception was raised, by the traceback that it carries."""

import types
from typing import Any

from labserver.heap.is_a import is_a, text_of
from labserver.heap.tracemalloc_tools import frame_at

_TRACEBACK: Any = vars(BaseException)["__traceback__"]
_DEEPEST = 1000  # entries that are followed


def raised_in(obj: object) -> str | None:
    """What raised an exception, such as `Company.short (shop/people.py:12)`; None for all else.

    The nearest line of the application, where the traceback has one: what a library raises, it raises for a call.
    """
    entry = _TRACEBACK.__get__(obj) if is_a(obj, BaseException) else None
    lines: list[tuple[str, int, str]] = []
    while type(entry) is types.TracebackType and len(lines) < _DEEPEST:
        code = entry.tb_frame.f_code
        lines.append((text_of(code.co_filename), entry.tb_lineno, text_of(code.co_qualname)))
        entry = entry.tb_next
    places = [(frame_at(file, line), function) for file, line, function in reversed(lines)]
    own = [place for place in places if place[0].is_own]
    return next((f"{function} ({frame.file}:{frame.line})" for frame, function in own or places), None)
