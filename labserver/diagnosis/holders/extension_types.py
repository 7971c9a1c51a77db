"""Types of extension modules: what their methods do to what they hold cannot be read."""

import sys
import types

from labserver.heap.is_a import is_made_in_c, module_of, named, namespace_of, of_class, type_name

_IN_C = (types.MethodDescriptorType, types.ClassMethodDescriptorType, types.WrapperDescriptorType)
_OWN_METHODS = "instancemethod"  # with these, some binding generators put C functions into classes


def extension_type_of(obj: object) -> type | None:
    """The nearest of an object's classes that an extension has made, the interpreter's own left out; None for none."""
    return next((base for base in of_class(type(obj), "__mro__") if _is_an_extensions(base)), None)


def _is_an_extensions(cls: type) -> bool:
    module = module_of(cls).partition(".")[0]
    if module == "builtins":
        # Some extensions give no module: then only those count that bring methods of a builtin container's.
        return is_made_in_c(cls) and not _is_the_interpreters(cls) and issubclass(cls, (dict, list, set))
    return module not in sys.stdlib_module_names and (is_made_in_c(cls) or _has_methods_in_c(cls))


def _is_the_interpreters(cls: type) -> bool:
    return any(value is cls for space in (sys.modules["builtins"], types) for _, value in named(namespace_of(space)))


def _has_methods_in_c(cls: type) -> bool:
    """Whether a class that can be changed brings methods that are made in C, as no class statement does."""
    for _, value in named(namespace_of(cls)):
        if type(value) in _IN_C and value.__objclass__ is cls:  # type: ignore[attr-defined]
            return True
        if is_made_in_c(type(value)) and type_name(value) == _OWN_METHODS:
            return True
    return False
