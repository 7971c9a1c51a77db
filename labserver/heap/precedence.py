"""Which of several modules is named as a root: the application's before a library's, what serves it last."""

import sys
from collections.abc import Iterable
from enum import IntEnum

from labserver.heap.is_a import own_attribute, text_of
from labserver.heap.origin import Origin, origin_of

_serving: set[str] = set()


class Precedence(IntEnum):
    """Whose a module is, in the order in which a reader knows them."""

    APPLICATION = 0
    LIBRARY = 1
    STANDARD = 2
    SERVING = 3


_OF_ORIGIN = {
    Origin.APPLICATION: Precedence.APPLICATION,
    Origin.LIBRARY: Precedence.LIBRARY,
    Origin.STANDARD: Precedence.STANDARD,
    Origin.TOOL: Precedence.SERVING,
}


def declare_serving(modules: Iterable[str]) -> None:
    """Say which modules were loaded to serve the application, and not by it.

    Args:
        modules: as in `sys.modules`; those of the standard library and of the application are not meant.
    """
    _serving.update(modules)


def precedence_of(module: object) -> Precedence:
    """Whose a module is; one without a file was made at run time, so it is taken for the application's."""
    name = text_of(own_attribute(module, "__name__"), "")
    file = text_of(own_attribute(module, "__file__"), "")
    if not file:
        return Precedence.STANDARD if name in sys.stdlib_module_names else Precedence.APPLICATION
    whose = _OF_ORIGIN[origin_of(file)]
    return Precedence.SERVING if whose is Precedence.LIBRARY and name in _serving else whose
