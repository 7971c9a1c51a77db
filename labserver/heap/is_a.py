"""What an object and its class are, without asking either: no code of theirs runs, and none of it can fail.

Where a type is not of the kind, `isinstance` goes on to read the object's `__class__`, which runs the code of proxies:
a lazy setting of Django's would be set up, a context's local looked for, for no more than a look at the heap. And a
metaclass may answer for its classes' attributes as it likes.
"""

from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, TypeGuard, TypeVar

T = TypeVar("T")


def is_a(obj: object, kind: type[T]) -> TypeGuard[T]:
    """Whether an object's type is a kind, or is derived from it."""
    return issubclass(type(obj), kind)


def is_any(obj: object, kinds: type | tuple[type, ...]) -> TypeGuard[Any]:
    """The same for one of several kinds."""
    return issubclass(type(obj), kinds)


def of_class(cls: type, name: str) -> Any:
    """What `type` itself knows of a class, such as `__flags__`, `__mro__` or `__dict__`."""
    return type.__dict__[name].__get__(cls)


def type_name(obj: object) -> str:
    """The name of an object's type."""
    return str(of_class(type(obj), "__name__"))


def module_of(cls: type) -> str:
    """The module that a class says it is from."""
    try:
        return str(of_class(cls, "__module__"))
    except AttributeError:  # made in C under a name without a dot, as SWIG's are
        return "builtins"


def of_its_classes(obj: object, name: str) -> Any:
    """What the nearest of an object's classes defines under a name; None where none does."""
    spaces = (of_class(base, "__dict__") for base in of_class(type(obj), "__mro__"))
    return next((space[name] for space in spaces if name in space), None)


def namespace_of(obj: object) -> dict[str, object] | None:
    """The dictionary behind an object's attributes; a lazy module is not loaded for it.

    Reading it makes the dictionary where there was none yet: some hundred bytes.
    """
    for base in of_class(type(obj), "__mro__"):
        found = of_class(base, "__dict__").get("__dict__")
        if is_any(found, (GetSetDescriptorType, MemberDescriptorType)):
            namespace = found.__get__(obj)
            return namespace if is_a(namespace, dict) else None
    return None
