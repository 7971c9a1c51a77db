"""What a look at the heap may take, and whether it fits, before anything is at risk."""

import re
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from labserver.errors import CannotLook
from labserver.heap.process_memory import small_objects_bytes

_SHARE = 0.5  # of what is free
_SECONDS = 90.0  # walking is about half of the work that a look makes
_OBJECT_BYTES = 230  # of the look's own arrays, measured at 1 to 10 million objects
_COPIED = 80  # bytes of a block's pages, where the allocator keeps no books
_LEAST_SEEN = 0.1  # of the objects: less than that is not worth a look
_ADDRESSES = 5 << 30  # that are reserved, mostly without memory behind them: 2 GiB each for objects and for types
_GROUPS = Path("/sys/fs/cgroup")
_NO_LIMIT = 1 << 60
_INACTIVE = re.compile(r"^(?:total_)?inactive_file (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a look may take.

    Attributes:
        max_bytes: memory of its own, beside the pages that it makes the system copy.
        max_seconds: of walking.
    """

    max_bytes: int
    max_seconds: float = _SECONDS


def look_budget() -> Budget:
    """What a look at this process may take; a heap for which that is too little is seen in part.

    The child's reference counting makes the system copy the pages of all small objects, beside its own arrays.

    Raises:
        CannotLook: so little is free that it would be at the application's cost. The text says how much and where.
    """
    return _budget(_LEAST_SEEN)


def whole_look() -> None:
    """See that a look at the whole heap fits, of which nothing may be left out.

    Raises:
        CannotLook: it does not. The text says how much and where.
    """
    _budget(1.0)


def _budget(least_seen: float) -> Budget:
    blocks = sys.getallocatedblocks()
    copied = small_objects_bytes() or _COPIED * blocks
    free, where = min(_free())
    most, own = round(_SHARE * free) - copied, _OBJECT_BYTES * blocks
    if most < least_seen * own:
        raise CannotLook(
            f"it needs about {_mib(copied + own)} MiB ({_mib(copied)} of them copied pages), and of the "
            f"{_mib(free)} MiB that are free {where} it takes half at most"
        )
    return Budget(max(most, 0))


def memory_limit() -> int:
    """The bytes that this process and those beside it may take: of its control groups, or of the machine."""
    return min([psutil.virtual_memory().total, *(limit for _, limit, _ in control_groups())])


def _free() -> Iterator[tuple[int, str]]:
    yield psutil.virtual_memory().available, "on this machine"
    for group, limit, used in control_groups():
        yield max(limit - used, 0), f"in the control group {group}"
    for name in ("RLIMIT_AS", "RLIMIT_DATA"):
        hard = resource.getrlimit(getattr(resource, name))[1]  # the child lifts the soft one
        if hard not in {resource.RLIM_INFINITY, -1}:
            yield max(hard - psutil.Process().memory_info().vms - _ADDRESSES, 0), f"under the process's {name}"


def control_groups() -> Iterator[tuple[str, int, int]]:
    """The control groups that limit this process's memory: name, limit and use in bytes (cgroups(7), both versions)."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            top, names = _GROUPS, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            top, names = _GROUPS / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        for group in _upwards(top, path.lstrip("/")):
            limit, used = (_number(group / name) for name in names)
            if limit is not None and used is not None and limit < _NO_LIMIT:
                yield f"/{group.relative_to(top)}".replace("/.", "/"), limit, used - _reclaimable(group)


def _upwards(top: Path, path: str) -> Iterator[Path]:
    """A group and those above it; in a container its own group is the top."""
    group = top / path
    while group != top:
        yield group
        group = group.parent
    yield top


def _reclaimable(group: Path) -> int:
    """The bytes of files that the system gives back before it runs out."""
    try:
        found = _INACTIVE.findall((group / "memory.stat").read_text(encoding="utf-8"))
    except OSError:
        return 0
    return max(map(int, found), default=0)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # there is none, or it says "max"
        return None


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f}"
