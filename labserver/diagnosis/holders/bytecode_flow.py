"""Which steps of a function run only where one of its comparisons came out in one way."""

import bisect
import dis
from collections.abc import Iterator, Mapping, Sequence

_JUMPS = {*dis.hasjrel, *dis.hasjabs}
_NEVER_GO_ON = ("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "JUMP_FORWARD", "JUMP_BACKWARD")
_BETWEEN = ("COPY", "TO_BOOL")  # a comparison and the jump on it


def reached_without(steps: Sequence[dis.Instruction], barred: Mapping[int, bool]) -> set[int]:
    """The steps that can be reached where some comparisons never come out as barred.

    Args:
        steps: of one code object, in their order; such as do nothing may be left out.
        barred: a comparison, as an index into the steps, and what it never is.
    """
    offsets = [step.offset for step in steps]
    jumps = {_jump_on(steps, at): outcome for at, outcome in barred.items()}
    # Whatever may raise leads to a handler.
    waiting = [0, *(at for at, step in enumerate(steps) if step.opname == "PUSH_EXC_INFO")]
    reached: set[int] = set()
    while waiting:
        at = waiting.pop()
        if at not in reached and at < len(steps):
            reached.add(at)
            waiting += _following(steps[at], at, offsets, jumps.get(at))
    return reached


def _jump_on(steps: Sequence[dis.Instruction], comparison: int) -> int | None:
    """The jump that depends on a comparison, if one does."""
    at = comparison + 1
    while at < len(steps) and steps[at].opname in _BETWEEN:
        at += 1
    return at if at < len(steps) and "_IF_" in steps[at].opname else None


def _following(step: dis.Instruction, at: int, offsets: Sequence[int], barred: bool | None) -> Iterator[int]:
    """The steps that may come next.

    Args:
        step: the step.
        at: its place.
        offsets: of all steps.
        barred: what the comparison before a jump never is; None where it may be either.
    """
    jumps_if = "IF_TRUE" in step.opname
    if not step.opname.startswith(_NEVER_GO_ON) and (barred is None or barred is jumps_if):
        yield at + 1
    if step.opcode in _JUMPS and (barred is None or barred is not jumps_if):
        yield bisect.bisect_left(offsets, step.argval)
