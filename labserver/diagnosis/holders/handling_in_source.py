"""How a function handles a container, by its syntax."""

import ast
import types
from collections.abc import Iterator
from typing import Any

from labserver.diagnosis.holders.expressions import constant, has_all, own_nodes, same, terms
from labserver.diagnosis.holders.functions import plain
from labserver.diagnosis.holders.handling import (
    ADDING,
    ADDING_FUNCTIONS,
    ANEW,
    REMOVING,
    REMOVING_FUNCTIONS,
    Account,
    Comparison,
    HandedOn,
    Handling,
    Place,
)
from labserver.diagnosis.holders.meanings import Meanings
from labserver.diagnosis.holders.source_flow import SourceFlow
from labserver.diagnosis.holders.sources import Definition
from labserver.diagnosis.holders.spelling import SpellingKind
from labserver.heap.is_a import is_a, is_any, is_made_in_c, module_of, own_attribute, text_of

_C_FUNCTION = (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)
# Methods of builtins that leave their argument alone: where they keep it, a reference shows.
_TAKING = frozenset(
    {*ADDING, "put", "put_nowait", "join", "get", "index", "count", "isdisjoint", "issubset", "issuperset", "union"}
)


def handling_in_source(definition: Definition, place: Place) -> Handling:
    """Read what a function does with a container.

    Args:
        definition: the function's syntax.
        place: its code, and the container.
    """
    return _Reader(definition, place).handling()


class _Reader:
    def __init__(self, definition: Definition, place: Place) -> None:
        self._definition = definition
        self._place = place
        body = definition.node.body
        self._body: list[ast.stmt] = body if isinstance(body, list) else [ast.Return(body)]
        self._nodes = list(own_nodes(self._body))
        # A name that is only declared gets no value.
        self._declared = {node.target for node in self._nodes if isinstance(node, ast.AnnAssign) and node.value is None}
        self._kept = self._kept_on_change()
        self._means = Meanings(definition, place, self._nodes)

    def handling(self) -> Handling:
        """All of it."""
        additions = set() if self._place.code.co_name == "__init__" else self._additions()
        found = {node: comparison for node in self._nodes if (comparison := self._comparison(node)) is not None}
        # Where each comparison says that there is no room, nothing may be added.
        full = {node: not room for node, (_, room) in found.items()}
        unasked = bool(additions) and SourceFlow(full, additions).reaches(self._body)
        calls = [node for node in self._nodes if isinstance(node, ast.Call)]
        returned = [node.value for node in self._nodes if isinstance(node, ast.Return) and node.value is not None]
        handed_on = tuple(handed for call in calls for handed in self._handed_on(call))
        return Handling(
            removals=tuple(sorted({node.lineno for node in self._removals()})),
            replacements=tuple(sorted({node.lineno for node in self._replacements()})),
            adds=bool(additions),
            adds_unasked=unasked,
            comparisons=(*(comparison for comparison, _ in found.values()), *self._cuts()),
            accounts=tuple(account for node in self._nodes for account in self._accounts(node)),
            counted=self._counted(),
            calls=dict(self._calls()),
            gives_back=any(self._means.is_container(value) for value in returned),
            tells_length=any(self._means.is_length(value) for value in returned),
            handed_on=handed_on,
            loses_sight=any(handed.called is None for handed in handed_on) or self._is_yielded(returned),
        )

    # What takes something out of the container, or adds to it.

    def _removals(self) -> Iterator[ast.expr]:
        yield from self._called(REMOVING, holding=True)
        for node in self._nodes:
            match node:
                case ast.Subscript(value, ctx=ast.Del()) if self._means.holds(value):
                    yield node
                case ast.Subscript(value, ast.Slice(), ast.Store()) if self._means.is_container(value):
                    yield node
                case ast.Name(ctx=ast.Del()) | ast.Attribute(ctx=ast.Del()) if self._is_variable(node):
                    yield node
                case ast.Call() if self._takes_out(node, REMOVING_FUNCTIONS | REMOVING):
                    yield node

    def _replacements(self) -> Iterator[ast.expr]:
        if self._place.code.co_name not in ANEW:
            yield from (node for node in self._stores() if node not in self._kept)

    def _additions(self) -> set[ast.AST]:
        items = {
            node
            for node in self._nodes
            if isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Store)
            and not isinstance(node.slice, ast.Slice)
            and node not in self._declared
            and self._means.is_container(node.value)
        }
        calls = {node for node in self._nodes if isinstance(node, ast.Call) and self._takes_out(node, ADDING_FUNCTIONS)}
        stores = {node for node in self._stores() if node in self._kept}
        return set(self._called(ADDING)) | items | calls | stores

    def _called(self, methods: frozenset[str], *, holding: bool = False) -> Iterator[ast.Attribute]:
        """Where one of some methods of the container, or of what holds it, is got."""
        is_meant = self._means.holds if holding else self._means.is_container
        for node in self._nodes:
            match node:
                case ast.Attribute(value, attr, ast.Load()) if attr in methods and is_meant(value):
                    yield node

    def _takes_out(self, call: ast.Call, names: frozenset[str]) -> bool:
        """Whether a function made in C with one of some names gets the container first: `heappop(QUEUE)`."""
        if not call.args or not self._means.is_container(call.args[0]):
            return False
        called = self._means.resolved(call.func)
        return is_any(called, _C_FUNCTION) and text_of(called.__name__) in names

    def _stores(self) -> Iterator[ast.expr]:
        """Where the container's name gets another value."""
        for node in self._nodes:
            match node:
                case ast.Name(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()):
                    if node not in self._declared and self._is_variable(node):
                        yield node
                case ast.Subscript(ctx=ast.Store()) if self._place.spelling.items and self._means.is_container(node):
                    yield node

    def _is_variable(self, node: ast.expr) -> bool:
        """Whether it is the name that is looked for, and not a mere local of the function."""
        if isinstance(node, ast.Attribute) and self._place.own and self._place.is_method:
            # In a method of the owner, a variable's attribute is that of another instance: of a copy.
            return self._means.is_spelt(node) and (
                self._means.is_self(node.value) or not isinstance(node.value, ast.Name)
            )
        return self._means.is_spelt(node) and (
            self._place.spelling.kind in {SpellingKind.GLOBAL, SpellingKind.ATTRIBUTE}
            or self._place.spelling.name in self._place.code.co_freevars
        )

    def _kept_on_change(self) -> set[ast.AST]:
        """Names whose new value has all of the old one, and such as get a first value."""
        kept: set[ast.AST] = set()
        for node in self._nodes:
            match node:
                case ast.AugAssign(target, op) if not isinstance(op, ast.Sub | ast.BitAnd):
                    kept.add(target)
                case ast.Assign(targets, value):
                    kept.update(target for target in targets if has_all(value, target))
                case ast.If(test, body, _):
                    kept.update(self._first_values(test, body))
        return kept

    def _first_values(self, test: ast.expr, body: list[ast.stmt]) -> Iterator[ast.AST]:
        """What is set only where it was nothing: `if CACHE is None: CACHE = {}`."""
        match test:
            case ast.Compare(asked, [ast.Is()], [ast.Constant(None)]) | ast.UnaryOp(ast.Not(), asked):
                for statement in body:
                    if isinstance(statement, ast.Assign):
                        yield from (target for target in statement.targets if same(target, asked))

    # What it asks for.

    def _comparison(self, node: ast.AST) -> tuple[Comparison, bool] | None:
        """A comparison of the container's length with a number, and whether there is room where it holds."""
        if not isinstance(node, ast.Compare) or len(node.ops) != 1:
            return None
        if not isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE | ast.Eq):
            return None
        smaller = isinstance(node.ops[0], ast.Lt | ast.LtE)
        exact = isinstance(node.ops[0], ast.Eq)
        left, right = node.left, node.comparators[0]
        for length, limit, room in ((left, right, smaller), (right, left, not smaller)):
            # A number that is written out is the size of a pair, of a thing to unpack.
            if exact and constant(limit) is not None:
                continue
            if self._means.is_length(length) and (number := self._means.number(limit)) is not None:
                return Comparison(number, node.lineno), room and not exact
        return None

    def _cuts(self) -> Iterator[Comparison]:
        """How many are left where the container is cut: `len(LOG) - 500` go, `LOG[-500:]` stay."""
        for node in self._nodes:
            match node:
                case ast.BinOp(length, ast.Sub(), limit) if self._means.is_length(length):
                    number = self._means.number(limit)
                case ast.Subscript(value, ast.Slice(first, last, None)) if self._means.is_container(value):
                    number = self._cut(first, last)
                case _:
                    continue
            if number is not None:
                yield Comparison(abs(number), node.lineno)

    def _cut(self, first: ast.expr | None, last: ast.expr | None) -> int | None:
        """The items that `[first:last]` leaves or takes, where one of the two is not there."""
        end = first if last is None else last if first is None else None
        if isinstance(end, ast.UnaryOp) and isinstance(end.op, ast.USub):
            end = end.operand
        return None if end is None else self._means.number(end)

    def _accounts(self, node: ast.AST) -> Iterator[Account]:
        """Two numbers that are compared, or taken from one another."""
        match node:
            case ast.Compare(left, [ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()], [right]):
                pairs = [(a, b) for a in terms(left) for b in terms(right)]
            case ast.BinOp(left, ast.Sub(), right) if constant(left) is None and constant(right) is None:
                pairs = [(left, right)]
            case _:
                return
        for one, other in pairs:
            for account, limit in ((one, other), (other, one)):
                name, value = self._means.named_number(account)
                number = self._means.number(limit)
                if name and value is not None and number is not None:
                    yield Account(name, value, number, self._means.named_number(limit)[0], node.lineno)

    def _counted(self) -> dict[str, bool]:
        """The attributes and globals that are counted up or down, and whether by the size of something."""
        found: dict[str, bool] = {}
        for node in self._nodes:
            match node:
                case ast.AugAssign(target, ast.Add() | ast.Sub(), amount):
                    name = self._means.name_of(target)
                    found[name] = found.get(name, False) or self._is_size(amount)
                case ast.Assign([target], ast.BinOp(left, ast.Add() | ast.Sub(), right)) if same(target, left) or same(
                    target, right
                ):
                    name = self._means.name_of(target)
                    found[name] = found.get(name, False) or self._is_size(left) or self._is_size(right)
        return {name: by_size for name, by_size in found.items() if name}

    def _is_size(self, amount: ast.expr) -> bool:
        """Whether an amount is the length or the size of something, by what it is made of or what it is called."""
        match amount:
            case ast.Call(ast.Name(name) | ast.Attribute(attr=name)) | ast.Attribute(attr=name):
                return name == "len" or "size" in name or "bytes" in name
            case ast.Name(name):
                value = self._means.values.get(name)
                return "size" in name or "bytes" in name or (value is not None and self._is_size(value))
        return False

    def _calls(self) -> Iterator[tuple[str, int]]:
        """The names of the methods and globals that it calls; what it does to `self[…]` is a method, too."""
        for node in self._nodes:
            match node:
                case ast.Call(ast.Name(name)):
                    yield name, node.lineno
                case ast.Call(ast.Attribute(value, attr)) if self._means.is_self(value) or attr not in REMOVING:
                    yield attr, node.lineno
                case ast.Subscript(value, ctx=ast.Del()) if self._means.is_self(value):
                    yield "__delitem__", node.lineno
                case ast.Subscript(value, ctx=ast.Store()) if self._means.is_self(value):
                    yield "__setitem__", node.lineno

    # Who else gets it.

    def _handed_on(self, call: ast.Call) -> Iterator[HandedOn]:
        arguments: list[tuple[int | str | None, ast.expr]] = list(enumerate(call.args))
        arguments += [(keyword.arg, keyword.value) for keyword in call.keywords]
        for at, value in arguments:
            if isinstance(value, ast.Starred) or not self._means.is_container(value):
                continue  # its items are handed on, not the container
            match call.func:
                case ast.Attribute(_, attr) if attr in _TAKING:
                    continue
            called = self._means.resolved(call.func)
            if is_a(called, type):
                if is_made_in_c(called) or module_of(called) == "collections":
                    continue  # a copy
                called, shift = plain(own_attribute(called, "__init__")), 1
            elif is_any(called, _C_FUNCTION) and _is_known(called):
                continue
            else:
                bound = self._is_method_call(call.func) and not is_a(called, staticmethod)
                shift = int(is_a(called, types.MethodType) or bound)
                called = plain(called)
            parameter = None if called is None or at is None else _parameter(called, at, shift)
            yield HandedOn(called if parameter else None, parameter or "")

    def _is_method_call(self, function: ast.expr) -> bool:
        """Whether a function is got from an instance, which is then its first argument."""
        match function:
            case ast.Attribute(value):
                owner = self._means.resolved(value)
                return owner is not None and not is_any(owner, (types.ModuleType, type))
        return False

    def _is_yielded(self, returned: list[ast.expr]) -> bool:
        """Whether others get it in another way than by an argument or as the result."""
        for node in self._nodes:
            match node:
                case ast.Yield(ast.expr() as value) | ast.YieldFrom(value) if self._means.is_container(value):
                    return True
        # In a tuple, a list, a condition: whoever takes it apart is not followed.
        return any(
            self._means.is_container(part)
            for value in returned
            if isinstance(value, ast.Tuple | ast.List | ast.Dict)
            for part in ast.iter_child_nodes(value)
            if isinstance(part, ast.expr)
        )


def _is_known(function: Any) -> bool:
    """Whether a function that is made in C is known to leave its argument alone, or to be told apart by its name."""
    module = text_of(function.__module__, "") if is_a(function, types.BuiltinFunctionType) else "builtins"
    return module in {"builtins", "_heapq", "_bisect", "itertools", "_operator", "math", "_json"}


def _parameter(function: types.FunctionType, at: int | str, shift: int) -> str | None:
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if isinstance(at, str):
        return at if at in names else None
    return names[at + shift] if at + shift < code.co_argcount else None
