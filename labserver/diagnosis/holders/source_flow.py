"""Whether some places in a function can be reached where the outcome of some of its conditions is known."""

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum, auto

from labserver.diagnosis.holders.sources import SCOPES, Scope

_BOTH = frozenset({True, False})
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


class _Exit(Enum):
    """How a statement goes on: with the next one, or out of the loop or into its next turn."""

    NEXT = auto()
    BREAK = auto()
    CONTINUE = auto()


_Exits = frozenset[_Exit]
_NEXT = frozenset({_Exit.NEXT})
_NOWHERE: _Exits = frozenset()


class SourceFlow:
    """Follows a function's statements; any condition that is not known may be true or false.

    Args:
        known: the outcome of some conditions.
        wanted: the places.
    """

    def __init__(self, known: Mapping[ast.AST, bool], wanted: Collection[ast.AST]) -> None:
        self._known = known
        self._wanted = wanted
        self._found = False

    def reaches(self, body: Sequence[ast.stmt]) -> bool:
        """Whether a function with this body reaches one of the places."""
        self._found = False
        self._block(body)
        return self._found

    def _block(self, body: Sequence[ast.stmt]) -> _Exits:
        exits: _Exits = frozenset()
        for statement in body:
            found = self._statement(statement)
            exits |= found - _NEXT
            if _Exit.NEXT not in found:
                return exits
        return exits | _NEXT

    def _statement(self, node: ast.stmt) -> _Exits:  # noqa: C901, PLR0911 - one line for each kind
        match node:
            case ast.If(test, body, otherwise):
                blocks = [self._block(body if outcome else otherwise) for outcome in self._outcomes(test)]
                return _NOWHERE.union(*blocks)
            case ast.While(test, body, otherwise):
                return self._loop(body, otherwise, self._outcomes(test))
            case ast.For(target, over, body, otherwise) | ast.AsyncFor(target, over, body, otherwise):
                self._see(over, target)
                return self._loop(body, otherwise, _BOTH)
            case ast.With(items, body) | ast.AsyncWith(items, body):
                self._see(*items)
                return self._block(body) | _NEXT  # it may suppress what is raised
            case ast.Try() | ast.TryStar():
                return self._try(node)
            case ast.Match(subject, cases):
                self._see(subject)
                return self._cases(cases)
            case ast.Assert(test, message) if __debug__:
                outcomes = self._outcomes(test)
                if message is not None and False in outcomes:
                    self._see(message)
                return _NEXT if True in outcomes else _NOWHERE
            case ast.Return() | ast.Raise():
                self._see(*ast.iter_child_nodes(node))
                return _NOWHERE
            case ast.Break():
                return frozenset({_Exit.BREAK})
            case ast.Continue():
                return frozenset({_Exit.CONTINUE})
        self._see(*(done_at_definition(node) if isinstance(node, SCOPES) else ast.iter_child_nodes(node)))
        return _NEXT

    def _loop(self, body: Sequence[ast.stmt], otherwise: Sequence[ast.stmt], outcomes: frozenset[bool]) -> _Exits:
        inside = self._block(body) if True in outcomes else _NOWHERE
        after = self._block(otherwise) if False in outcomes else _NOWHERE
        return after | (_NEXT if _Exit.BREAK in inside else _NOWHERE)

    def _try(self, node: "ast.Try | ast.TryStar") -> _Exits:
        exits = self._block(node.body)
        if _Exit.NEXT in exits:
            exits = (exits - _NEXT) | self._block(node.orelse)
        for handler in node.handlers:  # whatever may raise leads to them
            self._see(*([] if handler.type is None else [handler.type]))
            exits |= self._block(handler.body)
        last = self._block(node.finalbody)
        return exits | (last - _NEXT) if _Exit.NEXT in last else last

    def _cases(self, cases: Sequence[ast.match_case]) -> _Exits:
        exits = _NOWHERE
        for case in cases:
            outcomes = _BOTH if case.guard is None else self._outcomes(case.guard)
            self._see(case.pattern)
            if True in outcomes:
                exits |= self._block(case.body)
            if case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None:
                return exits
        return exits | _NEXT

    def _see(self, *nodes: ast.AST) -> None:
        for node in nodes:
            self._outcomes(node)

    def _outcomes(self, node: ast.AST) -> frozenset[bool]:
        """What an expression may be taken for, with all that is reached on the way."""
        self._found = self._found or node in self._wanted
        match node:
            case ast.BoolOp(op, values):
                return self._outcomes_of_several(values, last=isinstance(op, ast.Or))
            case ast.UnaryOp(ast.Not(), operand):
                return frozenset(not outcome for outcome in self._outcomes(operand))
            case ast.IfExp(test, body, otherwise):
                ways = [self._outcomes(body if outcome else otherwise) for outcome in self._outcomes(test)]
                return frozenset[bool]().union(*ways)
            case ast.NamedExpr(target, value):
                self._see(target)
                return self._outcomes(value)
            case ast.Constant(value):
                return frozenset({bool(value)})
        if isinstance(node, _COMPREHENSIONS):
            self._comprehension(node)
        else:
            self._see(*(done_at_definition(node) if isinstance(node, SCOPES) else ast.iter_child_nodes(node)))
        return frozenset({self._known[node]}) if node in self._known else _BOTH

    def _outcomes_of_several(self, values: Sequence[ast.expr], *, last: bool) -> frozenset[bool]:
        """Those of `and` and `or`.

        Args:
            values: one after the other.
            last: the outcome after which no other value is asked: True for `or`.
        """
        found: frozenset[bool] = frozenset()
        for value in values:
            outcomes = self._outcomes(value)
            found = (found & {last}) | outcomes
            if outcomes == {last}:
                break
        return found

    def _comprehension(self, node: "ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp") -> None:
        for generator in node.generators:
            self._see(generator.iter, generator.target)
            if not all(True in self._outcomes(condition) for condition in generator.ifs):
                return
        self._see(*([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]))


def done_at_definition(node: Scope) -> Iterator[ast.AST]:
    """What of a function or class is done where it is defined."""
    if isinstance(node, ast.ClassDef):
        yield from (*node.decorator_list, *node.bases, *node.keywords)
        return
    if not isinstance(node, ast.Lambda):
        yield from node.decorator_list
    yield from (*node.args.defaults, *(default for default in node.args.kw_defaults if default is not None))
