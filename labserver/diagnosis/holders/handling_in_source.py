"""How a function handles a container, by its syntax."""

import ast
import operator
from collections.abc import Callable, Iterator

from labserver.diagnosis.holders.handling import ADDING, ANEW, REMOVING, Comparison, Handling, Place
from labserver.diagnosis.holders.source_flow import SourceFlow, done_at_definition
from labserver.diagnosis.holders.sources import SCOPES, Definition

# What the compiler makes one constant of: `10 * 1024`, `1 << 20`.
_FOLDED: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.LShift: operator.lshift,
    ast.Pow: operator.pow,
}
_MOST_BITS = 64


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
        self._body: list[ast.stmt] = body if isinstance(body, list) else [ast.Expr(body)]
        self._nodes = list(_own_nodes(self._body))
        # A name that is only declared gets no value.
        self._declared = {node.target for node in self._nodes if isinstance(node, ast.AnnAssign) and node.value is None}
        self._extended = {node.target for node in self._nodes if isinstance(node, ast.AugAssign)}

    def handling(self) -> Handling:
        """All of it."""
        additions = set() if self._place.code.co_name == "__init__" else self._additions()
        found = {node: comparison for node in self._nodes if (comparison := self._comparison(node)) is not None}
        # Where each comparison says that there is no room, nothing may be added.
        full = {node: not room for node, (_, room) in found.items()}
        unasked = bool(additions) and SourceFlow(full, additions).reaches(self._body)
        return Handling(
            self._removes(), bool(additions), unasked, tuple(comparison for comparison, _ in found.values())
        )

    def _removes(self) -> bool:
        called = self._called(REMOVING) | self._items(ast.Del)
        return bool(called) or (bool(self._stores() - self._extended) and self._place.code.co_name not in ANEW)

    def _additions(self) -> set[ast.AST]:
        return self._called(ADDING) | self._items(ast.Store) | (self._stores() & self._extended)

    def _called(self, methods: frozenset[str]) -> set[ast.AST]:
        """Where one of some methods of the container is got."""
        return {
            node
            for node in self._nodes
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and node.attr in methods
            and self._is_container(node.value)
        }

    def _items(self, context: type[ast.expr_context]) -> set[ast.AST]:
        """Where an item of the container is set, or deleted."""
        return {
            node
            for node in self._nodes
            if isinstance(node, ast.Subscript)
            and isinstance(node.ctx, context)
            and node not in self._declared
            and self._is_container(node.value)
        }

    def _stores(self) -> set[ast.AST]:
        """Where the container's name gets another value."""
        if self._place.name is None:
            return set()
        code = self._place.code
        inner = (*code.co_cellvars, *code.co_freevars)  # another variable of that name
        return {
            node
            for node in self._nodes
            if isinstance(node, ast.Name | ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and node not in self._declared
            and self._is_container(node)
            and not (isinstance(node, ast.Name) and self._place.name in inner)
        }

    def _comparison(self, node: ast.AST) -> tuple[Comparison, bool] | None:
        """A comparison of the container's length with a number, and whether there is room where it holds."""
        if not isinstance(node, ast.Compare) or len(node.ops) != 1:
            return None
        if not isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            return None
        smaller = isinstance(node.ops[0], ast.Lt | ast.LtE)
        left, right = node.left, node.comparators[0]
        for length, limit, room in ((left, right, smaller), (right, left, not smaller)):
            if self._is_length(length) and (number := self._number(limit)) is not None:
                return Comparison(number, node.lineno), room
        return None

    def _is_length(self, node: ast.expr) -> bool:
        match node:
            case ast.Call(ast.Name("len"), [argument], []):
                return self._is_container(argument)
        return False

    def _is_container(self, node: ast.expr) -> bool:
        match node:
            case ast.Name("self") if self._place.name is None:
                return True
            case ast.Name(name):
                name = self._definition.mangled(name)
                return name == self._place.name and name not in self._locals()
            case ast.Attribute(attr=name):
                return self._definition.mangled(name) == self._place.name
        return False

    def _number(self, node: ast.expr) -> int | None:
        match node:
            case ast.Name(name) if (name := self._definition.mangled(name)) not in self._locals():
                return self._place.global_number(name)
            case ast.Attribute(attr=name):
                return self._place.attribute_number(self._definition.mangled(name))
        return _constant(node)

    def _locals(self) -> set[str]:
        code = self._place.code
        return set(code.co_varnames) - set(code.co_cellvars)


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What a function does itself, without what the functions and classes in it do; of those, what is done at once."""
    inside: list[ast.AST] = list(body)
    while inside:
        node = inside.pop()
        yield node
        inside += done_at_definition(node) if isinstance(node, SCOPES) else ast.iter_child_nodes(node)


def _constant(node: ast.expr) -> int | None:
    """The whole number that an expression of constants comes to."""
    match node:
        case ast.Constant(int(value)) if type(value) is int:
            return value
        case ast.UnaryOp(ast.USub(), operand):
            number = _constant(operand)
            return None if number is None else -number
        case ast.BinOp(left, op, right) if type(op) in _FOLDED:
            first, second = _constant(left), _constant(right)
            return None if first is None or second is None else _folded(op, first, second)
    return None


def _folded(op: ast.operator, left: int, right: int) -> int | None:
    # The file may hold anything: `9 ** 9 ** 9` would be computed for ever.
    if isinstance(op, ast.LShift | ast.Pow) and not 0 <= right <= _MOST_BITS:
        return None
    if left.bit_length() > _MOST_BITS or (isinstance(op, ast.FloorDiv) and not right):
        return None
    return _FOLDED[type(op)](left, right)
