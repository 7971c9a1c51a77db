"""The documented name of `labserver.incident.hosting.embedded`, which is imported when it is first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labserver.incident.hosting.embedded import EmbeddedServer, embedded

__all__ = ["EmbeddedServer", "embedded"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("labserver.incident.hosting.embedded"), name)
