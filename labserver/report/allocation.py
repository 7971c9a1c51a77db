"""Where something was allocated: the allocating line, and the nearest of the application's that led to it."""

from labserver.diagnosis.result import Finding, NamedHolder
from labserver.heap.frame import Frame
from labserver.heap.heap_growth import Site

Traced = NamedHolder | Finding | Site


def allocation_of(traced: Traced) -> tuple[str, str | None]:
    """The line that allocated, and the application's that it was called from: that of another function than its own.

    Where no line is the application's, the second one is that of the nearest other function; None where there is none.
    Both are empty where nobody traced.
    """
    if not traced.stack:  # an older version in the service tells the lines alone
        first, second = (*traced.allocated_at, "", "")[:2]
        return first, second or None
    at, *callers = traced.stack
    others = [frame for frame in callers if _function(frame) != _function(at)]
    own = [frame for frame in others if frame.is_own]
    return str(at), next(map(str, own or ([] if at.is_own else others)), None)


def allocation_sentence(traced: Traced) -> str:
    """The same in a sentence without its full stop; empty where nobody traced."""
    at, called_from = allocation_of(traced)
    if not at:
        return ""
    return f"allocated at {at}, called from {called_from}" if called_from else f"allocated at {at}"


def _function(frame: Frame) -> tuple[str, str]:
    return frame.file, frame.function
