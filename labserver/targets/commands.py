"""Further commands for an agent, by name: the rooms above this one hand theirs in that way."""

import importlib
from typing import TYPE_CHECKING

from labserver.heap.agent import Command

if TYPE_CHECKING:
    from collections.abc import Callable


def instruments_of(spec: str | None) -> dict[str, Command]:
    """The commands that `module:callable` gives."""
    if spec is None:
        return {}
    module, _, name = spec.partition(":")
    make: Callable[[], dict[str, Command]] = getattr(importlib.import_module(module), name)
    return make()
