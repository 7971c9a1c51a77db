"""Which names stand in the code, and may therefore leave a process: a key that only its data know may not.

An attribute can be called anything: `setattr(row, column, value)` and `vars(row).update(record)` make names of
contents. A name counts as the code's if some function spells it; modules and classes are namespaces that their authors
wrote, of which every plain name counts.
"""

import re
import types
from collections.abc import Iterable

_LONGEST = 60
# Words with a digit or two among them: no number that counts up, nothing that was drawn by chance.
_PLAIN = re.compile(r"(?!.*[A-Za-z]{31})[A-Za-z_]+(?:\d{1,2}[A-Za-z_]+)*\d{0,2}")
_THREAD = re.compile(r"(?!.*[A-Za-z]{31})(?!.*\d{6})[\w .:()<>\[\]/-]{1,60}")


def names_in(codes: Iterable[types.CodeType]) -> set[str]:
    """Every name that some code objects spell: attributes, globals, variables and parameters."""
    found: set[str] = set()
    for code in codes:
        found.update(code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return found


def is_plain(name: str) -> bool:
    """Whether a module's or a class's own name may be told."""
    return len(name) <= _LONGEST and _PLAIN.fullmatch(name) is not None


def of_thread(name: str) -> str:
    """A thread's name; an ellipsis where it may be of a request's or a user's."""
    return name if _THREAD.fullmatch(name) else "…"
