"""A look at this process from outside of it: in a forked child, or in another way where that one fails."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from labserver.errors import CannotLook
from labserver.heap.child import ChildLost, in_child
from labserver.heap.roots import Roots, gather_roots
from labserver.system import CAN_FORK

_BLOCK_MS = 0.002  # of a look for each block of the allocator's, on a slow machine
_PATIENCE, _LEAST_PATIENCE_S = 20, 30.0  # times the expected time, after which the usual way has failed


def in_fork(
    work: Callable[[Roots], Any],
    *,
    within_s: float,
    keep: Sequence[int] = (),
    stall_ms: float = 0.0,
    held_up: Callable[[float], None] = lambda _: None,
) -> Any:
    """What `work` gives back, as JSON carries it.

    A child that dies or comes late is followed by a second one in the gentlest way, and that by a look in place if this
    is expected to fit.

    Args:
        work: called in the child, with what a fork loses: the other threads' frames and state. Whatever it changes is
            lost; locks that other threads held stay locked.
        within_s: a child that takes longer is killed.
        keep: file descriptors that the work needs; all others are closed in the child.
        stall_ms: for how long a look in place may hold the process up; where no child can be had at all, as outside of
            Linux, it is taken in place in any case.
        held_up: called with the seconds of each time that the process was held up.

    Raises:
        CannotLook: it failed in every way.
    """
    if not CAN_FORK:
        return _in_place(work, held_up)
    expected_ms = _BLOCK_MS * sys.getallocatedblocks()
    patience_s = min(within_s, max(_PATIENCE * expected_ms / 1000, _LEAST_PATIENCE_S))
    failures = []
    for gently, limit_s in ((False, patience_s), (True, within_s)):
        roots = gather_roots()

        def forked(seconds: float, roots: Roots = roots) -> None:
            roots.clear()
            held_up(seconds)

        try:
            return in_child(
                lambda: work(roots),  # noqa: B023 - called in this turn
                within_s=limit_s,
                keep=keep,
                gently=gently,
                forked=forked,
            )
        except ChildLost as error:
            failures.append(str(error))
        finally:
            roots.clear()
    if expected_ms <= stall_ms:
        return _in_place(work, held_up)
    if failures[1] != failures[0]:
        failures[1] = f"the second time, with no at-fork handler at all, {failures[1]}"
    raise CannotLook(
        f"{', and '.join(dict.fromkeys(failures))}; in place it would hold the process up for about "
        f"{expected_ms:,.0f} ms, and {stall_ms:,.0f} are allowed (--stall-ms)"
    )


def _in_place(work: Callable[[Roots], Any], held_up: Callable[[float], None]) -> Any:
    roots, began = gather_roots(), time.perf_counter()
    try:
        return json.loads(json.dumps(work(roots)))
    finally:
        roots.clear()
        held_up(time.perf_counter() - began)
