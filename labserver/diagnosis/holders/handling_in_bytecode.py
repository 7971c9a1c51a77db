"""How a function handles a container, by its bytecode: for code whose source is not there.

Opcodes change with each CPython, so that this is the second choice: what it does not know it takes for nothing.
"""

import bisect
import dis
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labserver.diagnosis.holders.bytecode_flow import reached_without
from labserver.diagnosis.holders.handling import ADDING, ANEW, REMOVING, Comparison, Handling, Place

_IN_PLACE = "="  # ends the name of `+=` and its like
_NOISE = {"PRECALL", "CACHE", "RESUME", "NOP", "EXTENDED_ARG", "PUSH_NULL", "COPY_FREE_VARS", "NOT_TAKEN"}
_STORES = {"STORE_GLOBAL", "STORE_ATTR", "STORE_NAME"}
_COMPARED = ("<", ">")
# From CPython 3.13 on the compiler joins what it does to two locals in a row.
_JOINED = {
    "LOAD_FAST_LOAD_FAST": ("LOAD_FAST", "LOAD_FAST"),
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": ("LOAD_FAST_BORROW", "LOAD_FAST_BORROW"),
    "STORE_FAST_LOAD_FAST": ("STORE_FAST", "LOAD_FAST"),
    "STORE_FAST_STORE_FAST": ("STORE_FAST", "STORE_FAST"),
}


@dataclass(frozen=True, slots=True)
class _Value:
    """What a function puts on the stack: `kind` is const, name, attribute, local, or len (of another)."""

    kind: str
    of: object = None
    name: str = ""


def handling_in_bytecode(place: Place) -> Handling:
    """Read what a function does with a container, as `handling_in_source` does."""
    code, name = place.code, place.name
    steps = _steps(code)
    compared = list(_compared(steps, place))
    additions = set() if code.co_name == "__init__" else _additions(code, name)
    reached = reached_without(steps, {at: room for at, room, _ in compared}) if additions else set()
    return Handling(
        removes=_removes(code, name),
        adds=bool(additions),
        adds_unasked=not additions.isdisjoint(reached),
        comparisons=tuple(comparison for _, _, comparison in compared),
    )


def _removes(code: types.CodeType, name: str | None) -> bool:
    """Whether something is taken out of a container there, or the container is replaced.

    Args:
        code: where to look.
        name: the container's name; None for the object itself, `self`.
    """
    steps = _steps(code)
    if _called(steps, name, REMOVING) or _subscripted(code, name, "DELETE_SUBSCR"):
        return True
    replaced = _replaced(steps, name)
    return bool(replaced - _extended(steps, replaced)) and code.co_name not in ANEW


def _additions(code: types.CodeType, name: str | None) -> set[int]:
    """The steps that add to a container."""
    steps = _steps(code)
    added = _called(steps, name, ADDING) | _subscripted(code, name, "STORE_SUBSCR")
    return added | _extended(steps, _replaced(steps, name))


def _called(steps: Sequence[dis.Instruction], name: str | None, methods: frozenset[str]) -> set[int]:
    """The steps that get one of some methods of a container."""
    return {
        at
        for at, step in enumerate(steps)
        if step.opname in {"LOAD_METHOD", "LOAD_ATTR"}
        and step.argval in methods
        and _is(_operand(steps, at - 1)[0], name)
    }


def _subscripted(code: types.CodeType, name: str | None, opname: str) -> set[int]:
    """The steps that do something to an item of a container."""
    steps, everything = _steps(code), list(_instructions(code))
    offsets = [step.offset for step in steps]
    found = set()
    for at, step in enumerate(everything):
        if step.opname == opname:
            begin = _begin_of_value(everything, at - 1)
            before_key = bisect.bisect_left(offsets, everything[begin].offset) - 1
            if _is(_operand(steps, before_key)[0], name):
                found.add(offsets.index(step.offset))
    return found


def _begin_of_value(steps: Sequence[dis.Instruction], at: int) -> int:
    """The first of the steps up to `at` that together put one value on the stack, as a key is computed."""
    values = 0
    while at >= 0:
        values += dis.stack_effect(steps[at].opcode, steps[at].arg, jump=False)
        if values == 1:
            break
        at -= 1
    return max(at, 0)


def _replaced(steps: Sequence[dis.Instruction], name: str | None) -> set[int]:
    """The steps that give a container's name another value."""
    return {at for at, step in enumerate(steps) if step.opname in _STORES and step.argval == name}


def _extended(steps: Sequence[dis.Instruction], replaced: set[int]) -> set[int]:
    """Those of such steps that only add, as `CACHE += [value]` does."""

    def operation(at: int) -> dis.Instruction:
        return steps[at - 2] if steps[at - 1].opname == "SWAP" else steps[at - 1]

    return {at for at in replaced if operation(at).opname == "BINARY_OP" and operation(at).argrepr.endswith(_IN_PLACE)}


def _steps(code: types.CodeType) -> list[dis.Instruction]:
    return [step for step in _instructions(code) if step.opname not in _NOISE]


def _instructions(code: types.CodeType) -> Iterator[dis.Instruction]:
    """The instructions one by one, each at an offset of its own."""
    # `dis` makes a text of every constant, and a tool may have put any object among them.
    plain = code.replace(co_consts=tuple(found if type(found) is int else None for found in code.co_consts))
    for step in dis.get_instructions(plain):
        if step.opname not in _JOINED:
            yield step
            continue
        for more, (opname, name) in enumerate(zip(_JOINED[step.opname], step.argval, strict=True)):
            yield step._replace(opname=opname, opcode=dis.opmap[opname], arg=0, argval=name, offset=step.offset + more)


def _compared(steps: Sequence[dis.Instruction], place: Place) -> Iterator[tuple[int, bool, Comparison]]:
    """The comparisons of the container's length with a number: as steps, and whether there is room where they hold."""
    line = place.code.co_firstlineno
    for at, step in enumerate(steps):
        line = _line_of(step) or line
        operator = str(step.argval).removeprefix("bool(")[:1]
        if step.opname != "COMPARE_OP" or operator not in _COMPARED:
            continue
        right, before = _operand(steps, at - 1)
        left, _ = _operand(steps, before)
        for length, limit, smaller in ((left, right, "<"), (right, left, ">")):
            if length.kind == "len" and isinstance(length.of, _Value) and _is(length.of, place.name):
                value = _number(limit, place)
                if value is not None:
                    yield at, operator == smaller, Comparison(value, line)


def _is(value: _Value, name: str | None) -> bool:
    if name is None:
        return value.kind == "local" and value.name == "self"
    return value.kind in {"name", "attribute"} and value.name == name


def _number(value: _Value, place: Place) -> int | None:
    match value.kind:
        case "const":
            return value.of if type(value.of) is int else None
        case "name":
            return place.global_number(value.name)
        case "attribute":
            return place.attribute_number(value.name)
    return None


def _operand(steps: Sequence[dis.Instruction], at: int) -> tuple[_Value, int]:
    """The value that the steps up to `at` leave on the stack, and the step before those."""
    step = steps[at] if at >= 0 else None
    match step.opname if step is not None else "":
        case "LOAD_CONST" | "LOAD_SMALL_INT":
            value, before = _Value("const", steps[at].argval), at - 1
        case "LOAD_GLOBAL" | "LOAD_NAME" | "LOAD_DEREF":
            value, before = _Value("name", name=str(steps[at].argval)), at - 1
        case "LOAD_FAST" | "LOAD_FAST_BORROW" | "LOAD_FAST_CHECK":
            value, before = _Value("local", name=str(steps[at].argval)), at - 1
        case "LOAD_ATTR":
            _, before = _operand(steps, at - 1)
            value = _Value("attribute", name=str(steps[at].argval))
        case "CALL" if steps[at].arg == 1:
            argument, before = _operand(steps, at - 1)
            called, before = _operand(steps, before)
            value = _Value("len", argument) if called == _Value("name", name="len") else _Value("?")
        case _:
            value, before = _Value("?"), at - 1
    return value, before


def _line_of(step: dis.Instruction) -> int | None:
    """The line on which a step begins; the attribute's meaning changed in 3.13."""
    number = getattr(step, "line_number", None)
    started = step.starts_line
    return number if number is not None else (started if type(started) is int else None)
