"""How a function handles a container, by its bytecode: for code whose source is not there.

Opcodes change with each CPython, so that this is the second choice: what it does not know it takes for nothing, and
where the container goes somewhere that it does not follow, it says so.
"""

import bisect
import dis
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labserver.diagnosis.holders.bytecode_flow import reached_without
from labserver.diagnosis.holders.handling import (
    ADDING,
    ADDING_FUNCTIONS,
    ANEW,
    REMOVING,
    REMOVING_FUNCTIONS,
    Comparison,
    Handling,
    Place,
)
from labserver.diagnosis.holders.spelling import SpellingKind

_IN_PLACE = "="  # ends the name of `+=` and its like
_TAKING_AWAY = ("-=", "&=")
_NOISE = {"PRECALL", "CACHE", "RESUME", "NOP", "EXTENDED_ARG", "PUSH_NULL", "COPY_FREE_VARS", "NOT_TAKEN", "MAKE_CELL"}
_STORES = {"STORE_GLOBAL", "STORE_ATTR", "STORE_NAME", "STORE_DEREF"}
_DELETES = {"DELETE_GLOBAL", "DELETE_ATTR", "DELETE_NAME"}
_NAMES = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF")
_LOCALS = ("LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_FAST_CHECK")
_COMPARED = ("<", ">")
# What the next step does with the container where the code does not lose sight of it.
_FOLLOWED = ("LOAD_ATTR", "LOAD_METHOD", "STORE_FAST", "GET_ITER", "IS_OP", "TO_BOOL", "UNARY_NOT", "POP_")
_LEFT_ALONE = {*("len", "list", "tuple", "sorted", "iter", "bool", "sum", "min", "max", "any", "all", "set", "dict")}
# From CPython 3.13 on the compiler joins what it does to two locals in a row.
_JOINED = {
    "LOAD_FAST_LOAD_FAST": ("LOAD_FAST", "LOAD_FAST"),
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": ("LOAD_FAST_BORROW", "LOAD_FAST_BORROW"),
    "STORE_FAST_LOAD_FAST": ("STORE_FAST", "LOAD_FAST"),
    "STORE_FAST_STORE_FAST": ("STORE_FAST", "STORE_FAST"),
}


@dataclass(frozen=True, slots=True)
class _Value:
    """What a function puts on the stack: `kind` is const, name, attribute, local, or call (of a name)."""

    kind: str
    of: object = None
    name: str = ""


def handling_in_bytecode(place: Place) -> Handling:
    """Read what a function does with a container, as `handling_in_source` does."""
    return _Reader(place).handling()


class _Reader:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._code = place.code
        self._everything = list(_instructions(self._code))
        self._steps = [step for step in self._everything if step.opname not in _NOISE]
        self._offsets = [step.offset for step in self._steps]
        self._aliases: set[str] = set()
        for _ in range(2):  # an alias of an alias
            self._aliases |= {
                str(step.argval)
                for at, step in enumerate(self._steps)
                if step.opname == "STORE_FAST" and self._is_container(self._operand(at - 1)[0])
            }

    def handling(self) -> Handling:
        """All of it."""
        if self._place.spelling.items or self._place.spelling.kind is SpellingKind.RESULT:
            return Handling(loses_sight=True)  # neither subscripts nor calls are followed
        compared = list(self._compared())
        additions = set() if self._code.co_name == "__init__" else self._additions()
        reached = reached_without(self._steps, {at: room for at, room, _ in compared}) if additions else set()
        returned = [self._operand(at - 1)[0] for at, step in enumerate(self._steps) if step.opname == "RETURN_VALUE"]
        return Handling(
            removals=self._lines(self._removals()),
            replacements=self._lines(self._replacements()),
            adds=bool(additions),
            adds_unasked=not additions.isdisjoint(reached),
            comparisons=tuple(comparison for _, _, comparison in compared),
            calls=dict.fromkeys(self._code.co_names, self._code.co_firstlineno),
            gives_back=any(map(self._is_container, returned)),
            tells_length=any(map(self._is_length, returned)),
            loses_sight=self._loses_sight(),
        )

    def _removals(self) -> set[int]:
        found = self._called(REMOVING) | self._subscripted("DELETE_SUBSCR") | self._passed_to(REMOVING_FUNCTIONS)
        return found | self._slices_set() | self._named(_DELETES)

    def _replacements(self) -> set[int]:
        replaced = self._replaced()
        return set() if self._code.co_name in ANEW else replaced - self._extended(replaced)

    def _additions(self) -> set[int]:
        """The steps that add to a container."""
        added = self._called(ADDING) | (self._subscripted("STORE_SUBSCR") - self._slices_set())
        return added | self._passed_to(ADDING_FUNCTIONS) | self._extended(self._replaced())

    def _called(self, methods: frozenset[str]) -> set[int]:
        """The steps that get one of some methods of a container."""
        return {
            at
            for at, step in enumerate(self._steps)
            if step.opname in {"LOAD_METHOD", "LOAD_ATTR"}
            and step.argval in methods
            and self._is_container(self._operand(at - 1)[0])
        }

    def _passed_to(self, functions: frozenset[str]) -> set[int]:
        """The steps that get one of some functions, with the container for its first argument."""
        return {
            at
            for at, step in enumerate(self._steps[:-1])
            if step.opname in {*_NAMES, "LOAD_ATTR", "LOAD_METHOD"}
            and step.argval in functions
            and any(self._is_container(self._operand(end)[0]) for end in range(at + 1, min(at + 4, len(self._steps))))
        }

    def _subscripted(self, opname: str) -> set[int]:
        """The steps that do something to an item of a container."""
        found = set()
        for at, step in enumerate(self._everything):
            if step.opname == opname:
                begin = _begin_of_value(self._everything, at - 1)
                before_key = bisect.bisect_left(self._offsets, self._everything[begin].offset) - 1
                if self._is_container(self._operand(before_key)[0]):
                    found.add(self._offsets.index(step.offset))
        return found

    def _slices_set(self) -> set[int]:
        """The steps that set a slice of a container."""
        plain = {
            at
            for at in self._subscripted("STORE_SUBSCR")
            if self._steps[at - 1].opname == "BUILD_SLICE" or _is_slice(self._code, self._steps[at - 1])
        }
        ending = {at for at, step in enumerate(self._steps) if step.opname == "STORE_SLICE"}  # from CPython 3.12 on
        return plain | {at for at in ending if self._is_container(self._operand(self._before_slice(at))[0])}

    def _before_slice(self, at: int) -> int:
        """The step that ends the container of which a slice is set."""
        end = next(place for place, step in enumerate(self._everything) if step.offset == self._steps[at].offset) - 1
        for _ in range(2):  # the slice's two ends
            end = _begin_of_value(self._everything, end) - 1
        return bisect.bisect_right(self._offsets, self._everything[end].offset) - 1 if end >= 0 else -1

    def _replaced(self) -> set[int]:
        """The steps that give a container's name another value."""
        if self._place.spelling.kind is SpellingKind.LOCAL and self._place.spelling.name not in self._code.co_freevars:
            return set()
        return self._named(_STORES)

    def _named(self, opnames: set[str]) -> set[int]:
        kinds = {SpellingKind.OWN, SpellingKind.RESULT}
        if self._place.spelling.kind in kinds:
            return set()
        return {
            at
            for at, step in enumerate(self._steps)
            if step.opname in opnames and step.argval == self._place.spelling.name and self._is_meant(step, at)
        }

    def _is_meant(self, step: dis.Instruction, at: int) -> bool:
        """Whether a name that is set or deleted is the container's, and not another module's or object's."""
        if not step.opname.endswith("_ATTR"):
            return self._place.own or self._place.spelling.kind is SpellingKind.LOCAL
        owner = self._operand(at - 1)[0]
        if self._place.spelling.kind is SpellingKind.GLOBAL:
            return self._is_of_owner(_Value("attribute", owner, str(step.argval)))
        of_a_copy = self._place.own and self._place.is_method and owner.kind == "local" and not self._is_first(owner)
        return not of_a_copy and not self._is_anothers(owner)

    def _extended(self, replaced: set[int]) -> set[int]:
        """Those of such steps that only add, as `CACHE += [value]` does."""

        def operation(at: int) -> dis.Instruction:
            return self._steps[at - 2] if self._steps[at - 1].opname == "SWAP" else self._steps[at - 1]

        return {
            at
            for at in replaced
            if operation(at).opname == "BINARY_OP"
            and operation(at).argrepr.endswith(_IN_PLACE)
            and operation(at).argrepr not in _TAKING_AWAY
        }

    def _compared(self) -> Iterator[tuple[int, bool, Comparison]]:
        """The comparisons of the container's length with a number: as steps, and whether there is room if they hold."""
        line = self._code.co_firstlineno
        for at, step in enumerate(self._steps):
            line = _line_of(step) or line
            operator = str(step.argval).removeprefix("bool(")[:1]
            if step.opname != "COMPARE_OP" or operator not in _COMPARED:
                continue
            right, before = self._operand(at - 1)
            left, _ = self._operand(before)
            for length, limit, smaller in ((left, right, "<"), (right, left, ">")):
                if self._is_length(length) and (value := self._number(limit)) is not None:
                    yield at, operator == smaller, Comparison(value, line)

    def _loses_sight(self) -> bool:
        """Whether the container goes somewhere that is not followed."""
        keyed = {
            before
            for opname in ("BINARY_SUBSCR", "STORE_SUBSCR", "DELETE_SUBSCR")
            for before in self._subscripted(opname)
        }
        uses = [at for at in range(len(self._steps)) if self._is_container(self._operand(at)[0])]
        followed = 0
        for at in uses:
            after = self._steps[at + 1] if at + 1 < len(self._steps) else None
            known = after is not None and after.opname.startswith(_FOLLOWED)
            counted = after is not None and after.opname == "CALL" and self._operand(at + 1)[0].kind == "call"
            given_back = after is not None and after.opname in {"RETURN_VALUE", "CONTAINS_OP"}
            followed += known or counted or given_back
        return len(uses) > followed + len(keyed)

    def _lines(self, steps: set[int]) -> tuple[int, ...]:
        lines, line = set(), self._code.co_firstlineno
        for at, step in enumerate(self._steps):
            line = _line_of(step) or line
            if at in steps:
                lines.add(line)
        return tuple(sorted(lines))

    def _is_length(self, value: _Value) -> bool:
        if value.kind == "call":
            return value.name == "len" and isinstance(value.of, _Value) and self._is_container(value.of)
        return value.kind == "attribute" and value.name in self._place.lengths

    def _is_container(self, value: _Value) -> bool:
        kind, name = self._place.spelling.kind, self._place.spelling.name
        if value.kind == "local" and value.name in self._aliases:
            return True
        match kind:
            case SpellingKind.OWN:
                return value.kind == "local" and value.name == self._place.first and self._place.is_method
            case SpellingKind.LOCAL:
                return value.kind in {"local", "name"} and value.name == name
            case SpellingKind.ATTRIBUTE:
                return value.kind == "attribute" and value.name == name and not self._is_anothers(value.of)
            case SpellingKind.GLOBAL:
                return value.name == name and self._is_of_owner(value)
        return False

    def _is_of_owner(self, value: _Value) -> bool:
        """Whether a global, where it is spelt as an attribute, is that of the owner, as far as that matters."""
        if value.kind == "name":
            return self._place.own
        if value.kind != "attribute" or self._place.doubtful:
            return value.kind == "attribute"
        owner = _dotted(value.of) if isinstance(value.of, _Value) else []
        return bool(owner) and self._place.resolved(owner) is self._place.owner

    def _is_anothers(self, owner: object) -> bool:
        """Whether an attribute is of another class's `self`."""
        return not self._place.own and self._place.is_method and isinstance(owner, _Value) and self._is_first(owner)

    def _is_first(self, value: _Value) -> bool:
        return value.kind == "local" and value.name == self._place.first

    def _number(self, value: _Value) -> int | None:
        match value.kind:
            case "const":
                return value.of if type(value.of) is int else None
            case "name" | "attribute":
                names = _dotted(value)
                return self._place.number(names) if names else None
            case "local":
                return self._place.default(value.name)
        return None

    def _operand(self, at: int) -> tuple[_Value, int]:
        """The value that the steps up to `at` leave on the stack, and the step before those."""
        step = self._steps[at] if at >= 0 else None
        match step.opname if step is not None else "":
            case "LOAD_CONST" | "LOAD_SMALL_INT":
                value, before = _Value("const", self._steps[at].argval), at - 1
            case opname if opname in _NAMES:
                value, before = _Value("name", name=str(self._steps[at].argval)), at - 1
            case opname if opname in _LOCALS:
                value, before = _Value("local", name=str(self._steps[at].argval)), at - 1
            case "LOAD_ATTR":
                owner, before = self._operand(at - 1)
                value = _Value("attribute", owner, str(self._steps[at].argval))
            case "CALL" if self._steps[at].arg == 1:
                argument, before = self._operand(at - 1)
                called, before = self._operand(before)
                known = called.kind == "name" and called.name in _LEFT_ALONE
                value = _Value("call", argument, called.name) if known else _Value("?")
            case _:
                value, before = _Value("?"), at - 1
        return value, before


def _dotted(value: _Value) -> list[str]:
    """The names that an attribute is reached by; empty where it is of something else."""
    if value.kind in {"name", "local"}:
        return [value.name]
    if value.kind == "attribute" and isinstance(value.of, _Value):
        above = _dotted(value.of)
        return [*above, value.name] if above else []
    return []


def _begin_of_value(steps: Sequence[dis.Instruction], at: int) -> int:
    """The first of the steps up to `at` that together put one value on the stack, as a key is computed."""
    values = 0
    while at >= 0:
        values += dis.stack_effect(steps[at].opcode, steps[at].arg, jump=False)
        if values == 1:
            break
        at -= 1
    return max(at, 0)


def _is_slice(code: types.CodeType, step: dis.Instruction) -> bool:
    """Whether a step loads a slice that the compiler has made a constant of, as from CPython 3.14 on."""
    return step.opname == "LOAD_CONST" and step.arg is not None and type(code.co_consts[step.arg]) is slice


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


def _line_of(step: dis.Instruction) -> int | None:
    """The line on which a step begins; the attribute's meaning changed in 3.13."""
    number = getattr(step, "line_number", None)
    started = step.starts_line
    return number if number is not None else (started if type(started) is int else None)
