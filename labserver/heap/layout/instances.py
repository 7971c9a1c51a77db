"""Where CPython keeps the values of instances' attributes, which no function tells: read from its memory, by offsets.

Most classes' instances have no dictionary until somebody asks for it. Their values stand behind the instance, within
its block; up to CPython 3.12 in a block of their own. `sys.getsizeof` counts neither, and for such a dictionary it
counts values that are the instance's. Whether all this holds for this interpreter is tried once, on instances of ours.
"""

import sys
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from labserver.heap.layout.memory import WORD
from labserver.heap.layout.objects import Indices, headers_are_known, word_of_each

Mask = npt.NDArray[np.bool_]

_BEHIND = sys.version_info >= (3, 13)
_DICT = -3  # the word of an instance with its dictionary
_VALUES = -4 if sys.version_info < (3, 12) else _DICT  # up to CPython 3.12 that of its values
_TAG = int(_VALUES == _DICT)  # tells the two apart where they share the word: values are less one there, an odd address
_KEYS = 109 if sys.version_info < (3, 12) else 110  # up to CPython 3.12 the word of a class with its instances' keys
_FREE, _USED = 2, 3  # words of such keys: for how many more there is room, and how many there are
_TABLE = 5  # the word of a dictionary that is 0 unless it shares its keys and has an array of values
_MOST = 30  # attributes; with more of them an instance has a dictionary that shares nothing

HAS_VALUES = 1 << 2 if _BEHIND else 1 << 4
"""The bit of a class's `__flags__`: Py_TPFLAGS_INLINE_VALUES, formerly Py_TPFLAGS_MANAGED_DICT."""


@dataclass(frozen=True, slots=True)
class Values:
    """Where the attributes of n instances are.

    Attributes:
        behind: bytes behind each, in its own block; shape (n,).
        apart: bytes in a block of their own; shape (n,).
        dictionaries: addresses of the dictionaries whose values are among those bytes.
    """

    behind: Indices
    apart: Indices
    dictionaries: Indices


def values_of(instances: Indices, classes: Indices, basic_sizes: Indices) -> Values:
    """The values of instances whose classes have the flag `HAS_VALUES`.

    Args:
        instances: their addresses, shape (n,).
        classes: the addresses of their classes, shape (n,).
        basic_sizes: `__basicsize__` of these, shape (n,).
    """
    nothing = np.zeros_like(instances)
    if not _BEHIND:
        held = _word(instances + WORD * _VALUES)
        exist = (held != 0) & (held & _TAG == _TAG)
        # The first instances of a class have more places than those that came later.
        keys = _word(classes + WORD * _KEYS)
        places = _word(keys + WORD * _FREE) + _word(keys + WORD * _USED)
        return Values(nothing, np.where(exist, table_bytes(places), 0), nothing[:0])
    header = _word(instances + basic_sizes)
    places, valid = header & 0xFF, (header >> 24) & 0xFF
    behind = np.where(places <= _MOST, table_bytes(places), 0)
    return Values(behind, nothing, _word(instances + WORD * _DICT)[valid != 0])


def table_bytes(places: Indices) -> Indices:
    """How many bytes an array of values has: with a byte for each, the order in which they came, and a header."""
    if _BEHIND:
        return -(-places // WORD) * WORD + WORD * (places + 1)
    return -(-(places + 2) // WORD) * WORD + WORD * places


def shares_keys(dictionaries: Indices) -> Mask:
    """Which dictionaries have an array of values, for their keys are their class's; shape as given."""
    sharing: Mask = _word(dictionaries + WORD * _TABLE) != 0
    return sharing


@cache
def is_known() -> bool:
    """Whether this interpreter keeps values where they are looked for."""
    if not headers_are_known():
        return False
    kind = type("Probe", (), {})
    if not kind.__flags__ & HAS_VALUES:
        return False
    held = [object() for _ in range(3)]
    for _ in range(_MOST):  # the first instances of a class have places ahead
        probe = kind()
        for number, value in enumerate(held):
            setattr(probe, f"value_{number}", value)
    return _is_as_expected(probe, held)


def _is_as_expected(probe: object, held: list[object]) -> bool:
    """Look at an instance without a dictionary, with one that has its values, and with one of its own."""
    own, kind, size = (np.array([n]) for n in (id(probe), id(type(probe)), type(probe).__basicsize__))
    at = own + size + WORD if _BEHIND else _word(own + WORD * _VALUES) + _TAG
    if at[0] <= _TAG or _word(at + WORD * np.arange(len(held))).tolist() != list(map(id, held)):
        return False
    first = values_of(own, kind, size)
    namespace = np.array([id(vars(probe))])
    shared = shares_keys(namespace)[0] and _word(own + WORD * _DICT)[0] == namespace[0]
    second = values_of(own, kind, size)
    for number in range(_MOST):
        setattr(probe, f"more_{number}", None)
    third = values_of(own, kind, size)
    return bool(
        (first.behind + first.apart)[0] == table_bytes(np.array([len(held) + 1]))[0]  # there is one place more
        and shared
        and (second.dictionaries.tolist() == namespace.tolist() if _BEHIND else second.apart[0] == 0)
        and third.dictionaries.size == 0
        and not shares_keys(namespace)[0]
    )


def _word(addresses: Indices) -> Indices:
    return word_of_each(addresses, 0)
