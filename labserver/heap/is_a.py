"""`isinstance` that does not ask the object.

Where a type is not of the kind, `isinstance` goes on to read the object's `__class__`, which runs the code of proxies:
a lazy setting of Django's would be set up, a context's local looked for, for no more than a look at the heap.
"""

from types import ModuleType
from typing import Any, TypeGuard, TypeVar

T = TypeVar("T")


def is_a(obj: object, kind: type[T]) -> TypeGuard[T]:
    """Whether an object's type is a kind, or is derived from it; no code of the object runs."""
    return issubclass(type(obj), kind)


def namespace_of(module: ModuleType) -> dict[str, object]:
    """A module's globals; a lazy module is not loaded for it."""
    found: dict[str, object] = ModuleType.__getattribute__(module, "__dict__")
    return found


def is_any(obj: object, kinds: type | tuple[type, ...]) -> TypeGuard[Any]:
    """The same for one of several kinds."""
    return issubclass(type(obj), kinds)
