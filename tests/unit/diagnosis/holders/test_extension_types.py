"""Types that no class statement has made: what their methods do to what they hold cannot be read."""

import collections
import ctypes
import functools
import queue
import sys
import threading
import types

import numpy as np
import pytest

from labserver.diagnosis.holders.extension_types import extension_type_of
from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.heap.graph import heap_graph

HEAPTYPE, BASETYPE, IMMUTABLE = 1 << 9, 1 << 10, 1 << 8


class _Slot(ctypes.Structure):
    _fields_ = (("slot", ctypes.c_int), ("function", ctypes.c_void_p))


class _Spec(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("basicsize", ctypes.c_int),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.POINTER(_Slot)),
    )


class _Method(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_EVICT = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.c_void_p)(lambda *_: None)
_KEPT = []  # what the interpreter refers to without a reference
_TP_METHODS, _METH_NOARGS = 64, 4


def made_in_c(name, *bases, flags=0):
    """A class with a method in C, as extensions make theirs."""
    methods = (_Method * 2)(_Method(b"evict", ctypes.cast(_EVICT, ctypes.c_void_p), _METH_NOARGS, None), _Method())
    slots = (_Slot * 2)(_Slot(_TP_METHODS, ctypes.cast(methods, ctypes.c_void_p)), _Slot(0, None))
    spec = _Spec(name.encode(), 0, 0, BASETYPE | HEAPTYPE | flags, slots)
    _KEPT.append((methods, slots, spec))
    make = ctypes.pythonapi.PyType_FromSpecWithBases
    make.restype, make.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.py_object)
    return make(ctypes.addressof(spec), bases or (object,))


class Plain(dict):
    append = list.append
    __slots__ = ("limit",)

    @property
    def size(self):
        raise AssertionError("code of the application must not run")


OF_EXTENSIONS = {
    "a class that can be changed": lambda: made_in_c("shopc.Cache", dict),
    "one that cannot": lambda: made_in_c("shopc.Cache", dict, flags=IMMUTABLE),
    "one without a module": lambda: made_in_c("Cache", dict, flags=IMMUTABLE),
    "a class of Python's that is derived from one": lambda: type("Own", (made_in_c("shopc.Cache", list),), {}),
    "no builtin": lambda: lambda: np.zeros(3, dtype=object),
}
OF_PYTHON = {
    **{cls.__name__: cls for cls in (dict, list, set, object, collections.OrderedDict, collections.deque, Plain)},
    "defaultdict": lambda: collections.defaultdict(int),
    "Counter": collections.Counter,
    "a memoized function": lambda: functools.lru_cache(len),
    "a queue": queue.SimpleQueue,
    "a module": lambda: sys,
    "a view": {}.items,
    "a thread-local": threading.local,
    "a namespace": types.SimpleNamespace,
}


@pytest.mark.filterwarnings("ignore:builtin type Cache has no __module__")
@pytest.mark.parametrize("make", OF_EXTENSIONS.values(), ids=OF_EXTENSIONS)
def test_what_an_extension_has_made_is_told(make):
    assert extension_type_of(make()()) is not None


@pytest.mark.parametrize("make", OF_PYTHON.values(), ids=OF_PYTHON)
def test_what_the_interpreter_and_class_statements_make_is_none(make):
    assert extension_type_of(make()) is None


def added_to(shop, kept):
    """What is said of a container to which items have come, by its builtin's own method."""
    shop.CACHE = kept
    with heap_graph() as graph:
        before = snapshot_of(graph)
    for number in range(60):
        if isinstance(kept, dict):
            dict.__setitem__(kept, number, bytes(1000))
        else:
            list.append(kept, bytes(1000))
    with heap_graph() as graph:
        found = find_growth(graph, before)
    (holder,) = (one for one in found.holders if one.growth_bytes > 50_000)
    return holder.removal


@pytest.mark.parametrize("base", [dict, list])
def test_a_builtin_that_an_extension_has_derived_may_evict(shop, base):
    removal = added_to(shop, made_in_c("shopc.Cache", base)())
    assert (removal.seen, removal.opaque) == (False, True)


@pytest.mark.parametrize("kept", [dict, list, Plain])
def test_what_is_not_an_extensions_is_seen_through(shop, kept):
    assert not added_to(shop, kept()).opaque
