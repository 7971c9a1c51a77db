"""A bound kept by hand: the code compares `len(CACHE)` with a number, and removes something or adds nothing."""

import bisect
import contextlib
import dis
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labserver.diagnosis.holders.control_flow import reached_without
from labserver.heap.is_a import (
    is_a,
    is_any,
    module_of,
    named,
    namespace_of,
    of_class,
    own_attribute,
    text_of,
    type_name,
)
from labserver.heap.tracemalloc_tools import short_path

_REMOVING = {"pop", "popitem", "popleft", "clear", "discard", "remove"}
_ADDING = {"append", "appendleft", "add", "insert", "extend", "extendleft", "setdefault", "update"}
_IN_PLACE = "="  # ends the name of `+=` and its like
_NOISE = {"PRECALL", "CACHE", "RESUME", "NOP", "EXTENDED_ARG", "PUSH_NULL", "COPY_FREE_VARS", "NOT_TAKEN"}
_STORES = {"STORE_GLOBAL", "STORE_ATTR", "STORE_NAME"}
_COMPARED = ("<", ">")
# What holds the function behind a method or property. A class that is derived from these may say something else.
_BEHIND: dict[type, Any] = {
    staticmethod: vars(staticmethod)["__func__"],
    classmethod: vars(classmethod)["__func__"],
    property: property.fget,
}
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


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Of a container's length.

    Attributes:
        limit: with what.
        line: where.
        at: the same as a step.
        room: what it is while there is room for more.
    """

    limit: int
    line: int
    at: int
    room: bool


def bound_in_code(owner: object, name: str | None, held: object) -> tuple[int, str] | None:
    """The smallest number of entries that the code around a holder compares its length with before it removes some.

    Also the number up to which it adds some, where nothing is added anywhere without such a comparison.

    Args:
        owner: a module, a class, or an object with a class in Python, that refers to the holder.
        name: the global or attribute by which it does; None where it is an item.
        held: the holder.

    Returns:
        The number, and where it stands: `shop/cache.py:41 compares len(CACHE) with 1000`.
    """
    found = list(_found(owner, name, name)) if name is not None else []
    if not is_any(held, (type, types.ModuleType)):
        found += _found(held, None, type_name(held))
    return min(found, default=None)


def _found(owner: object, name: str | None, shown: str | None) -> Iterator[tuple[int, str]]:
    # To take code apart is slow, and most of a module has nothing to do with the holder.
    functions = [(function, code) for function, code in _functions(owner) if _mentions(code, name)]
    evicting = {text_of(function.__name__) for function, code in functions if _removes(code, name)}
    guards = _guards(functions, name, owner)
    for function, code in functions:
        if _removes(code, name) or not evicting.isdisjoint(code.co_names):
            guards += [(one, code) for one in _compared(code, name, function, owner)]
    for one, code in guards:
        yield one.limit, f"{short_path(text_of(code.co_filename))}:{one.line} compares len({shown}) with {one.limit}"


def _guards(
    functions: Sequence[tuple[types.FunctionType, types.CodeType]], name: str | None, owner: object
) -> list[tuple[_Comparison, types.CodeType]]:
    """The comparison with the largest number, if something is added only where a comparison says that there is room."""
    guards: list[tuple[_Comparison, types.CodeType]] = []
    for function, code in functions:
        steps = _steps(code)
        added = set() if code.co_name == "__init__" else _additions(code, name)
        if added:
            compared = list(_compared(code, name, function, owner))
            if not added.isdisjoint(reached_without(steps, {one.at: one.room for one in compared})):
                return []
            guards += [(one, code) for one in compared]
    return sorted(guards, key=lambda guard: guard[0].limit)[-1:]


def _functions(owner: object) -> Iterator[tuple[types.FunctionType, types.CodeType]]:
    """The functions of a module, with its classes' methods, or of an object's class; and the code within them."""
    if is_a(owner, types.ModuleType):
        name = text_of(own_attribute(owner, "__name__"))
        classes = [cls for _, cls in named(namespace_of(owner)) if is_a(cls, type) and module_of(cls) == name]
        spaces = [owner, *classes]
    else:
        spaces = of_class(owner if is_a(owner, type) else type(owner), "__mro__")
    for space in spaces:
        for _, value in named(namespace_of(space)):
            function = _plain(value)
            # A name that is imported says nothing about this module's globals.
            if function is not None and (
                not is_a(owner, types.ModuleType) or function.__globals__ is namespace_of(owner)
            ):
                for code in _codes(function.__code__):
                    yield function, code


def _plain(value: object) -> types.FunctionType | None:
    """The Python function behind a function, method or property; decorated ones by what they wrap."""
    for _ in range(5):
        if is_a(value, types.FunctionType):
            wrapped = own_attribute(value, "__wrapped__")
            if not is_a(wrapped, types.FunctionType):
                return value
            value = wrapped
        elif is_any(value, tuple(_BEHIND)):
            value = next(behind.__get__(value) for kind, behind in _BEHIND.items() if is_any(value, kind))
        else:
            return None
    return None


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if is_a(constant, types.CodeType):
            yield from _codes(constant)


def _mentions(code: types.CodeType, name: str | None) -> bool:
    """Whether a container is spelt there at all; None for the object itself, `self`."""
    if name is None:
        return "self" in code.co_varnames
    return name in code.co_names or name in code.co_freevars or name in code.co_cellvars


def _removes(code: types.CodeType, name: str | None) -> bool:
    """Whether something is taken out of a container there, or the container is replaced.

    Args:
        code: where to look.
        name: the container's name; None for the object itself, `self`.
    """
    steps = _steps(code)
    if _called(steps, name, _REMOVING) or _subscripted(code, name, "DELETE_SUBSCR"):
        return True
    replaced = _replaced(steps, name)
    return bool(replaced - _extended(steps, replaced)) and code.co_name not in {"<module>", "__init__"}


def _additions(code: types.CodeType, name: str | None) -> set[int]:
    """The steps that add to a container."""
    steps = _steps(code)
    added = _called(steps, name, _ADDING) | _subscripted(code, name, "STORE_SUBSCR")
    return added | _extended(steps, _replaced(steps, name))


def _called(steps: Sequence[dis.Instruction], name: str | None, methods: set[str]) -> set[int]:
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


def _compared(
    code: types.CodeType, name: str | None, function: types.FunctionType, owner: object
) -> Iterator[_Comparison]:
    """The comparisons of a container's length with a number.

    Args:
        code: where to look.
        name: the container's name; None for the object itself, as in `len(self)`.
        function: whose code it is, for its globals.
        owner: whose attributes a number may be.
    """
    steps = _steps(code)
    line = code.co_firstlineno
    for at, step in enumerate(steps):
        line = _line_of(step) or line
        operator = str(step.argval).removeprefix("bool(")[:1]
        if step.opname != "COMPARE_OP" or operator not in _COMPARED:
            continue
        right, before = _operand(steps, at - 1)
        left, _ = _operand(steps, before)
        for length, limit, smaller in ((left, right, "<"), (right, left, ">")):
            if length.kind == "len" and isinstance(length.of, _Value) and _is(length.of, name):
                value = _number(limit, function, owner)
                if value is not None:
                    yield _Comparison(value, line, at, room=operator == smaller)


def _is(value: _Value, name: str | None) -> bool:
    if name is None:
        return value.kind == "local" and value.name == "self"
    return value.kind in {"name", "attribute"} and value.name == name


def _number(value: _Value, function: types.FunctionType, owner: object) -> int | None:
    found: object = None
    if value.kind == "const":
        found = value.of
    elif value.kind == "name":
        found = dict(named(function.__globals__)).get(value.name)
    elif value.kind == "attribute":
        found = next((held for key, held in attributes(owner) if key == value.name), None)
    return found if type(found) is int else None


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


def attributes(owner: object) -> Iterator[tuple[str, object]]:
    """An object's own attributes and slots, and what its classes define, the nearest first."""
    if not is_a(owner, type):
        yield from named(namespace_of(owner))
    for base in of_class(type(owner), "__mro__"):
        for name, value in named(namespace_of(base)):
            if is_a(value, types.MemberDescriptorType):
                with contextlib.suppress(AttributeError, TypeError):  # an empty slot; another class's
                    yield name, value.__get__(owner)
            else:
                yield name, value
