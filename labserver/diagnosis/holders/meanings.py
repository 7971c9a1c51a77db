"""What a piece of syntax stands for: the container that is looked for, its length, a number, a name."""

import ast
from collections import Counter
from collections.abc import Sequence
from typing import Any

from labserver.diagnosis.holders.expressions import constant, position
from labserver.diagnosis.holders.handling import Place
from labserver.diagnosis.holders.sources import Definition
from labserver.diagnosis.holders.spelling import SpellingKind

_ITEM_OF = frozenset({"get", "setdefault", "pop", "popitem", "popleft", "__getitem__"})
_VIEWS = frozenset({"values", "items", "copy", "keys"})
_COPIES = frozenset({"list", "tuple", "sorted", "reversed", "iter", "set", "dict"})


class Meanings:
    """The meaning of one function's expressions.

    Args:
        definition: the function's syntax.
        place: its code, and the container.
        nodes: the syntax of its body.

    Attributes:
        values: of local variables that are set once, by name.
    """

    def __init__(self, definition: Definition, place: Place, nodes: Sequence[ast.AST]) -> None:
        self._definition = definition
        self._place = place
        self._nodes = nodes
        self._locals = set(place.code.co_varnames) | set(place.code.co_cellvars)
        self._aliases: dict[str, int] = {}
        self.values: dict[str, ast.expr] = {}
        self._find_aliases()

    def is_length(self, node: ast.expr) -> bool:
        """Whether it is how many entries the container has."""
        found = False
        match node:
            case ast.Call(ast.Name("len"), [argument], []):
                told = "__len__" in self._place.lengths and self._is_owner(argument)
                found = told or self.is_container(argument)
            case ast.Call(ast.Attribute(value, "__len__"), [], []):
                found = self.is_container(value)
            case (
                ast.Call(ast.Attribute(attr=name), [], []) | ast.Call(ast.Name(name), [], []) | ast.Attribute(attr=name)
            ):
                found = name in self._place.lengths
            case ast.Name(name) if name in self.values:
                found = self.is_length(self.values[name])
            case ast.NamedExpr(_, value) | ast.BinOp(value, ast.Add(), ast.Constant(int())):
                found = self.is_length(value)
        return found

    def is_container(self, node: ast.expr) -> bool:
        """Whether it is the container."""
        return self._depth(node) == self._place.spelling.items

    def holds(self, node: ast.expr) -> bool:
        """Whether it is the container, or what it is an item of."""
        depth = self._depth(node)
        return depth is not None and depth <= self._place.spelling.items

    def _depth(self, node: ast.expr) -> int | None:
        """How many subscripts an expression is below the wanted name; None where it is of something else."""
        if self.is_spelt(node):
            return 0
        found: int | None = None
        match node:
            case ast.Name(name):
                found = self._aliases.get(name)
            case ast.NamedExpr(_, value):
                found = self._depth(value)
            case ast.Subscript(value, index) if not isinstance(index, ast.Slice):
                found = _below(self._depth(value))
            case ast.Call(ast.Attribute(value, attr)) if attr in _ITEM_OF:
                found = _below(self._depth(value))
            case ast.Call(ast.Name("next"), [iterated, *_]):
                found = self._iterated(iterated)
            case ast.BoolOp(_, values):
                found = next((depth for value in values if (depth := self._depth(value)) is not None), None)
            case ast.IfExp(_, body, otherwise):
                depth = self._depth(body)
                found = self._depth(otherwise) if depth is None else depth
        return found

    def _iterated(self, node: ast.expr) -> int | None:
        """The depth of what a loop over an expression gives."""
        match node:
            case ast.Call(ast.Attribute(value, attr), [], []) if attr in _VIEWS:
                return _below(self._depth(value))
            case ast.Call(ast.Name(name), [argument, *_]) if name in _COPIES or name == "enumerate":
                return self._iterated(argument)
        return _below(self._depth(node))

    def is_spelt(self, node: ast.expr) -> bool:
        """Whether it is the name that is looked for."""
        kind, wanted = self._place.spelling.kind, self._place.spelling.name
        found = False
        match kind, node:
            case SpellingKind.OWN, ast.Name(name):
                found = name == self._place.first and self._place.is_method
            case SpellingKind.OWN, ast.Call(ast.Name("super"), []):
                found = True
            case SpellingKind.LOCAL | SpellingKind.GLOBAL, ast.Name(name) if self._definition.mangled(name) == wanted:
                # In an inner function it may be another variable of that name.
                inner = wanted in self._locals or wanted in self._place.code.co_freevars
                found = inner if kind is SpellingKind.LOCAL else not inner and self._place.own
            case SpellingKind.GLOBAL, ast.Attribute(value, attr) if not self._place.doubtful:
                found = attr == wanted and self.resolved(value) is self._place.owner
            case SpellingKind.ATTRIBUTE | SpellingKind.GLOBAL, ast.Attribute(value, attr):
                found = self._definition.mangled(attr) == wanted and not self._is_anothers(value)
            case SpellingKind.RESULT, ast.Call(ast.Name(name)):
                found = name == wanted and name not in self._locals
            case SpellingKind.RESULT, ast.Call(ast.Attribute(value, attr)):
                found = self._definition.mangled(attr) == wanted and not self._is_anothers(value)
        return found

    def _is_anothers(self, owner: ast.expr) -> bool:
        """Whether an attribute is of another object than the container's owner: of another class's `self`."""
        return self.is_self(owner) and not self._place.own and self._place.is_method

    def is_self(self, node: ast.expr) -> bool:
        """Whether it is the object that a method is of."""
        match node:
            case ast.Name(name):
                return name == self._place.first
            case ast.Call(ast.Name("super"), []):
                return True
        return False

    def _is_owner(self, node: ast.expr) -> bool:
        if self.is_self(node):
            return self._place.own
        resolved = self.resolved(node)
        return resolved is not None and resolved is self._place.owner

    def number(self, node: ast.expr) -> int | None:
        """The number that it comes to; None where nobody knows."""
        names = self._dotted(node)
        if names is None:
            return constant(node)
        if len(names) == 1 and names[0] in self._locals:
            value = self.values.get(names[0])
            return self._place.default(names[0]) if value is None else self.number(value)
        return self._place.number(names)

    def named_number(self, node: ast.expr) -> tuple[str, int | None]:
        """The attribute or global that an expression is, and its number."""
        match node:
            case ast.Name(name) if name in self.values:
                return self.named_number(self.values[name])
        name = self.name_of(node)
        return name, self.number(node) if name else None

    def name_of(self, node: ast.expr) -> str:
        """The attribute or global that an expression is; empty for all else."""
        match node:
            case ast.Attribute(_, attr):
                return self._definition.mangled(attr)
            case ast.Name(name) if name not in self._locals:
                return self._definition.mangled(name)
        return ""

    def _dotted(self, node: ast.expr) -> list[str] | None:
        """The names in `a.b["c"]`; None for anything else."""
        match node:
            case ast.Name(name):
                return [self._definition.mangled(name)]
            case ast.Attribute(value, attr):
                above = self._dotted(value)
                return None if above is None else [*above, self._definition.mangled(attr)]
            case ast.Subscript(value, ast.Constant(str(key))):
                above = self._dotted(value)
                return None if above is None else [*above, key]
        return None

    def resolved(self, node: ast.expr) -> Any:
        """What an expression of names stands for; None where nobody knows."""
        names = self._dotted(node)
        return None if names is None else self._place.resolved(names)

    def _find_aliases(self) -> None:
        """The local variables that stand for the container, or for another value that is set once."""
        stored = Counter(
            node.id for node in self._nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )
        for node in sorted(self._nodes, key=position):
            match node:
                case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)) if len(targets) == len(values):
                    pairs = list(zip(targets, values, strict=True))
                case ast.Assign(targets, value):
                    pairs = [(target, value) for target in targets]
                case ast.AnnAssign(target, _, ast.expr() as value) | ast.NamedExpr(target, value):
                    pairs = [(target, value)]
                case ast.For(target, over) | ast.AsyncFor(target, over) | ast.comprehension(target, over):
                    self._loop(target, over)
                    continue
                case _:
                    continue
            for target, value in pairs:
                if isinstance(target, ast.Name) and target.id in self._locals:
                    self._alias(target.id, self._depth(value))
                    # Only of names that have their value by then, so that nothing is defined by itself.
                    used = {part.id for part in ast.walk(value) if isinstance(part, ast.Name)}
                    if stored[target.id] == 1 and all(not stored[name] or name in self.values for name in used):
                        self.values[target.id] = value

    def _loop(self, target: ast.expr, over: ast.expr) -> None:
        depth = self._iterated(over)
        if isinstance(target, ast.Tuple) and target.elts:  # of `items()` or `enumerate()`, the second
            target = target.elts[-1]
        if isinstance(target, ast.Name):
            self._alias(target.id, depth)

    def _alias(self, name: str, depth: int | None) -> None:
        # One that is the container itself at a time wins over one that only holds it.
        if depth is not None and not self.is_spelt(ast.Name(name)):
            self._aliases[name] = max(depth, self._aliases.get(name, 0))


def _below(depth: int | None) -> int | None:
    return None if depth is None else depth + 1
