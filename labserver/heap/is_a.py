"""What an object and its class are, without asking either: no code of theirs runs, and none of it can fail.

Where a type is not of the kind, `isinstance` goes on to read the object's `__class__`, which runs the code of proxies:
a lazy setting of Django's would be set up, a context's local looked for, for no more than a look at the heap. And a
metaclass may answer for its classes' attributes as it likes.
"""

import ctypes
import gc
import sys
from collections.abc import Iterator
from typing import Any, TypeGuard, TypeVar

T = TypeVar("T")

_IMMUTABLE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE
# It takes an address: ctypes would ask an object whether it is an argument, by its `__class__` and `_as_parameter_`.
_prototype = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p)
_is_cpython = sys.implementation.name == "cpython"  # elsewhere attributes have no names
_generic_dict = _prototype(("PyObject_GenericGetDict", ctypes.pythonapi)) if _is_cpython else None


def is_a(obj: object, kind: type[T]) -> TypeGuard[T]:
    """Whether an object's type is a kind, or is derived from it."""
    return issubclass(type(obj), kind)


def is_any(obj: object, kinds: type | tuple[type, ...]) -> TypeGuard[Any]:
    """The same for one of several kinds."""
    return issubclass(type(obj), kinds)


def of_class(cls: type, name: str) -> Any:
    """What `type` itself knows of a class, such as `__flags__`, `__mro__` or `__dict__`."""
    return type.__dict__[name].__get__(cls)


def text_of(name: object, otherwise: str = "?") -> str:
    """A name as plain text: a class derived from `str` may have its own idea of it. No text: something else."""
    return str.__str__(name) if is_a(name, str) else otherwise


def type_name(obj: object) -> str:
    """The name of an object's type."""
    return text_of(of_class(type(obj), "__name__"))


def module_of(cls: type) -> str:
    """The module that a class says it is from."""
    try:
        return text_of(of_class(cls, "__module__"))
    except AttributeError:  # made in C under a name without a dot, as SWIG's are
        return "builtins"


def bases_of(cls: type) -> tuple[str, ...]:
    """A class and those that it derives from, `object` left out, the nearest first: `blinker.base.NamedSignal`.

    None are told of what the interpreter brings along: its name says it.
    """
    if is_made_in_c(cls) and module_of(cls) == "builtins":
        return ()
    bases = of_class(cls, "__mro__") or (cls,)  # of a class that is being made there is none yet
    return tuple(f"{module_of(base)}.{text_of(of_class(base, '__name__'))}" for base in bases if base is not object)


def is_made_in_c(cls: type) -> bool:
    """Whether no class statement made it and nobody can change it, as is so of most types that are made in C."""
    return bool(of_class(cls, "__flags__") & _IMMUTABLE)


def named(namespace: dict[Any, object] | None) -> list[tuple[str, object]]:
    """What a namespace has under names. Nothing is looked up: that would compare with keys that may be anything."""
    items = list(dict.items(namespace)) if namespace is not None else []
    return [(text_of(key), value) for key, value in items if is_a(key, str)]


def own_attribute(obj: object, name: str) -> Any:
    """What an object has under a name in its own namespace; None where there is nothing."""
    return next((value for key, value in named(namespace_of(obj)) if key == name), None)


def definitions(cls: type, name: str) -> Iterator[tuple[type, Any]]:
    """What a class and its bases define under a name, the nearest first."""
    for base in of_class(cls, "__mro__"):
        space = of_class(base, "__dict__")
        if is_made_in_c(base):
            if name in space:
                yield base, space[name]
        else:  # its keys may be anything, too
            yield from ((base, value) for key, value in space.items() if type(key) is str and key == name)


def of_its_classes(obj: object, name: str) -> Any:
    """What the nearest of an object's classes defines under a name; None where none does."""
    return next((value for _, value in definitions(type(obj), name)), None)


def namespace_of(obj: object) -> dict[Any, object] | None:
    """The dictionary behind an object's or class's attributes: its own, whatever its `__dict__` answers.

    That of a proxy answers with what it stands for, that of a lazy module loads it, and that of a thread-local begins
    the calling thread's. Reading makes the dictionary where there was none yet: some hundred bytes.
    """
    found: object
    if is_a(obj, type):
        found = next(iter(gc.get_referents(of_class(obj, "__dict__"))), None)
    elif _generic_dict is None or of_class(type(obj), "__dictoffset__") == 0:
        return None
    else:
        found = _generic_dict(id(obj), None)
    return found if is_a(found, dict) else None
