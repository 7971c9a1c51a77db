"""Which limit this process reaches first as it grows: its control groups', its own, or the machine's."""

import resource
from collections.abc import Iterator

import psutil

from labserver.heap.budget import control_groups
from labserver.heap.wire import LimitKind, MemoryLimit


def nearest_limit() -> MemoryLimit:
    """The limit with the least left; the machine's own where there is no other."""
    return min(_limits(), key=lambda one: one.left_bytes, default=None) or _machine()


def fullness() -> float | None:
    """The share that is taken of the limit of which most is; None where there is none.

    Of the machine's memory others take their part, so that is no limit.
    """
    return max((one.used_bytes / one.limit_bytes for one in _limits() if one.limit_bytes), default=None)


def _limits() -> Iterator[MemoryLimit]:
    yield from _groups()
    yield from _of_the_process()


def _groups() -> Iterator[MemoryLimit]:
    for _, limit, used in control_groups():
        yield MemoryLimit(LimitKind.GROUP, limit, used)


def _of_the_process() -> Iterator[MemoryLimit]:
    memory = psutil.Process().memory_info()
    # On Linux, the data segment with all private mappings that can be written to.
    used = {LimitKind.ADDRESS_SPACE: memory.vms, LimitKind.DATA: getattr(memory, "data", memory.vms)}
    for kind, taken in used.items():
        soft = resource.getrlimit(getattr(resource, kind))[0]
        if soft not in {resource.RLIM_INFINITY, -1}:
            yield MemoryLimit(kind, soft, taken)


def _machine() -> MemoryLimit:
    memory = psutil.virtual_memory()
    return MemoryLimit(LimitKind.MACHINE, memory.total, memory.total - memory.available)
