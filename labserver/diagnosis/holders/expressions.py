"""Syntax by itself: what expressions have in common, and what they come to."""

import ast
import operator
from collections.abc import Callable, Iterator

from labserver.diagnosis.holders.source_flow import done_at_definition
from labserver.diagnosis.holders.sources import SCOPES

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


def own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What a function does itself, without what the functions and classes in it do; of those, what is done at once."""
    inside: list[ast.AST] = list(body)
    while inside:
        node = inside.pop()
        yield node
        inside += done_at_definition(node) if isinstance(node, SCOPES) else ast.iter_child_nodes(node)


def position(node: ast.AST) -> tuple[int, int]:
    """Where a node begins; 0 for what has no place of its own."""
    placed = node.iter if isinstance(node, ast.comprehension) else node
    return getattr(placed, "lineno", 0), getattr(placed, "col_offset", 0)


def same(one: ast.AST, other: ast.AST) -> bool:
    """Whether two expressions are the same name, whatever is done with it."""
    match one, other:
        case ast.Name(first), ast.Name(second):
            return first == second
        case ast.Attribute(above, first), ast.Attribute(over, second):
            return first == second and same(above, over)
        case ast.Subscript(above, first_key), ast.Subscript(over, second_key):
            return ast.dump(first_key) == ast.dump(second_key) and same(above, over)
    return False


def has_all(value: ast.expr, target: ast.expr) -> bool:
    """Whether a value has all that the target had: `{**CACHE, key: value}`, `LOG + [line]`, `LOG or []`."""
    parts = [value]
    match value:
        case ast.BinOp(left, ast.Add() | ast.BitOr(), right):
            return has_all(left, target) or has_all(right, target)
        case ast.List(items) | ast.Tuple(items) | ast.Set(items):  # all its items, or it is one, as in a stack of pairs
            parts = [item.value if isinstance(item, ast.Starred) else item for item in items]
        case ast.Dict(keys, values):
            parts = [one for key, one in zip(keys, values, strict=True) if key is None]
        case ast.Call(ast.Name("dict" | "list" | "set" | "tuple"), [first, *_]):
            parts = [first]
        case ast.Call(ast.Attribute(first, "copy" | "union")) | ast.BoolOp(ast.Or(), [first, *_]):
            parts = [first]
    return any(same(part, target) for part in parts)


def terms(node: ast.expr) -> Iterator[ast.expr]:
    """What is added up."""
    match node:
        case ast.BinOp(left, ast.Add() | ast.Sub(), right):
            yield from terms(left)
            yield from terms(right)
        case _:
            yield node


def constant(node: ast.expr) -> int | None:
    """The whole number that an expression of constants comes to."""
    match node:
        case ast.Constant(int(value)) if type(value) is int:
            return value
        case ast.Constant(float(value)) if value.is_integer():
            return int(value)
        case ast.UnaryOp(ast.USub(), operand):
            number = constant(operand)
            return None if number is None else -number
        case ast.BinOp(left, op, right) if type(op) in _FOLDED:
            first, second = constant(left), constant(right)
            return None if first is None or second is None else _folded(op, first, second)
    return None


def _folded(op: ast.operator, left: int, right: int) -> int | None:
    # The file may hold anything: `9 ** 9 ** 9` would be computed for ever.
    if isinstance(op, ast.LShift | ast.Pow) and not 0 <= right <= _MOST_BITS:
        return None
    if left.bit_length() > _MOST_BITS or (isinstance(op, ast.FloorDiv) and not right):
        return None
    return _FOLDED[type(op)](left, right)
