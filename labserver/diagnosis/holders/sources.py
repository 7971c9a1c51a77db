"""The syntax of functions, from the files that they were compiled from."""

import ast
import linecache
import stat
import tokenize
import types
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """What is read at most, as a look must end: parsing and compiling takes 0.3 s of CPU a megabyte.

    Attributes:
        file_bytes: of one file; longer ones are generated.
        all_bytes: of all files in one look.
    """

    file_bytes: int = 400_000
    all_bytes: int = 1_000_000


LIMITS = SourceLimits()
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
"""What has a code object of its own in every CPython; comprehensions have none since 3.12, and are read in place."""
_INLINE = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}


@dataclass(frozen=True, slots=True)
class Definition:
    """What a code object was compiled from.

    Attributes:
        node: the function, lambda or class.
        within: the name of the class around it, which mangles `__names`; empty where there is none.
    """

    node: Scope
    within: str

    def mangled(self, name: str) -> str:
        """What the compiler makes of a name."""
        own = self.node.name if isinstance(self.node, ast.ClassDef) else self.within
        private = name.startswith("__") and not name.endswith("__") and own.strip("_")
        return f"_{own.lstrip('_')}{name}" if private else name


class Sources:
    """Definitions of code objects; each file is read once, so make one for a look and let go of it.

    Nothing is believed of a file that does not compile to the very code that runs: one that was edited since, that
    pytest has rewritten, or that only has the same name.
    """

    def __init__(self) -> None:
        self._files: dict[str, Mapping[tuple[int, str], list[tuple[Definition, types.CodeType]]]] = {}
        self._left = LIMITS.all_bytes

    def definition(self, code: types.CodeType) -> Definition | None:
        """What a code object was compiled from; None where the source is not there, or several may be it."""
        name = code.co_filename
        if name not in self._files:
            self._files[name] = self._read(name)
        # Where two lambdas stand on one line nobody knows which is which.
        alike = self._files[name].get((code.co_firstlineno, code.co_name), [])
        return alike[0][0] if len(alike) == 1 and _is_same(alike[0][1], code) else None

    def _read(self, filename: str) -> Mapping[tuple[int, str], list[tuple[Definition, types.CodeType]]]:
        found: dict[tuple[int, str], list[tuple[Definition, types.CodeType]]] = defaultdict(list)
        try:
            text = _text(filename, min(self._left, LIMITS.file_bytes))
            self._left -= len(text)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what there is to warn of is the owner's affair
                tree = ast.parse(text)
                compiled = compile(tree, filename, "exec", dont_inherit=True)
        # The last two are raised where expressions nest deep.
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            return found
        codes = {(code.co_firstlineno, code.co_name): code for code in _codes(compiled)}
        for key, definition in _definitions(tree):
            if key in codes:
                found[key].append((definition, codes[key]))
        return found


def is_inline(code: types.CodeType) -> bool:
    """Whether a code object is a comprehension's, which is read with the function around it."""
    return code.co_name in _INLINE


def _text(filename: str, most: int) -> str:
    """The text of a file, or that of a notebook's cell, which IPython keeps.

    Raises:
        OSError: there is none.
        ValueError: it is too long.
    """
    kept = linecache.cache.get(filename)  # not `getline`: that would keep what it reads, and ask loaders
    if kept is not None and len(kept) == 4 and kept[1] is None:  # no file: nothing else may change it
        text = "".join(kept[2])
    else:
        found = Path(filename).stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:  # a pipe would be waited for
            raise ValueError(filename)
        with tokenize.open(filename) as file:
            text = file.read()
    if len(text) > most:
        raise ValueError(filename)
    return text


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _codes(constant)


def _definitions(tree: ast.Module) -> Iterator[tuple[tuple[int, str], Definition]]:
    """All definitions of a file, by what their code objects have as first line and name."""
    inside: list[tuple[ast.AST, str]] = [(tree, "")]
    while inside:
        node, within = inside.pop()
        if isinstance(node, SCOPES):
            decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
            name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
            yield (min([node.lineno, *(one.lineno for one in decorators)]), name), Definition(node, within)
        deeper = node.name if isinstance(node, ast.ClassDef) else within
        inside += [(child, deeper) for child in ast.iter_child_nodes(node)]


def _is_same(compiled: types.CodeType, code: types.CodeType) -> bool:
    """Whether two code objects do the same; of constants numbers alone: a tool may have put any object among them."""
    return all(
        getattr(compiled, name) == getattr(code, name)
        for name in ("co_code", "co_names", "co_varnames", "co_cellvars", "co_freevars")
    ) and _numbers(compiled) == _numbers(code)


def _numbers(code: types.CodeType) -> list[int]:
    return [constant for constant in code.co_consts if type(constant) is int]
