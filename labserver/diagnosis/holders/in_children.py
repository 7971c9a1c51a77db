"""The code that runs in forked children alone: what it takes out of a container comes back in no process but those."""

from collections.abc import Iterator

from labserver.diagnosis.holders.functions import Functions, names_in, plain
from labserver.heap.analyst import loaded_modules
from labserver.heap.at_fork import hooks_of_children
from labserver.heap.is_a import is_a, own_attribute


def codes_of_children(functions: Functions) -> frozenset[int]:
    """The addresses of the code of at-fork hooks, and of what they alone call, as far as names tell.

    Args:
        functions: of the heap.
    """
    begun = [function for hook in (*hooks_of_children(), *_of_multiprocessing()) if (function := plain(hook))]
    found = {id(function.__code__) for function in begun}
    for hook in begun:
        of_module = functions.of_globals(hook.__globals__)
        spelt = {name for name in names_in(hook.__code__) if name.startswith("_")}  # others may be for other modules
        called = [one for one in of_module if one.__code__.co_name in spelt and id(one.__code__) not in found]
        for one in called:
            name = one.__code__.co_name
            callers = [
                *functions.of_application(name),
                *(other for other in of_module if name in names_in(other.__code__)),
            ]
            if all(id(caller.__code__) in found for caller in callers):
                found.add(id(one.__code__))
    return frozenset(found)


def _of_multiprocessing() -> Iterator[object]:
    """What `multiprocessing.util.register_after_fork` was given."""
    module = next((module for name, module in loaded_modules() if name == "multiprocessing.util"), None)
    registry = own_attribute(own_attribute(module, "_afterfork_registry"), "data")
    for key in list(dict.keys(registry)) if is_a(registry, dict) else []:
        if type(key) is tuple and len(key) > 2:
            yield key[2]
