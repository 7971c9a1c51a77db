"""References and bytes that `gc.get_referents` and `sys.getsizeof` do not show, for the types that hide some.

What nobody can see from Python, and what therefore stays unexplained: the callbacks of `atexit`, `sys.addaudithook`,
`os.register_at_fork` and sqlite3's functions (all held by C alone), the pages of sqlite3's databases in memory, the
state of decompressors, bz2 and lzma, OpenSSL's sessions, and whatever an extension module takes from `malloc`.
"""

import array as arrays
import ctypes
import gc
import io
import mmap
import operator
import pickle
import sys
import types
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from labserver.heap.is_a import is_any, is_made_in_c, module_of, of_class, text_of
from labserver.heap.layout.fields import DECOMPRESSOR, decompressor_fields

Hidden = tuple[Sequence[object], int]
"""Further referents of an object, and its further bytes."""

_NOTHING: Hidden = ((), 0)
_BUFFERS = (
    np.ndarray,
    np.generic,
    bytes,
    bytearray,
    memoryview,
    mmap.mmap,
    arrays.array,
    ctypes.Array,
    ctypes.Structure,
)
"""What has its own bytes counted, as the base of an array."""
_DERIVABLE = 1 << 10  # Py_TPFLAGS_BASETYPE
_C_DATA_INSIDE = 16
_NEEDS_FREE: Any = ctypes.Array._b_needsfree_
_DEFLATE_BYTES = 268_000  # at zlib's usual settings: 2^(15 + 2) of window and 2^(8 + 9) of matches, and the rest


def hidden_of(cls: type) -> Callable[[object], Hidden] | None:
    """What looks up the hidden part of a class's instances; None for types that hide nothing, which are nearly all.

    Ask once for each class and walk: nothing is remembered here, since that would keep the application's classes alive.
    The function may fail, as on a file that is closed: call it through `look`. It reads what the type that is made in C
    says, never what a class derived from it does.
    """
    if not of_class(cls, "__flags__") & _DERIVABLE:
        # All these are final, which no class statement makes: an application's class of the same name is passed over.
        found = _FINDERS_BY_NAME.get(f"{module_of(cls)}.{text_of(of_class(cls, '__qualname__'))}")
        if found is not None:
            return found
    return next((_FINDERS[id(base)] for base in of_class(cls, "__mro__") if id(base) in _FINDERS), None)


def look(find: Callable[[object], Hidden], obj: object) -> Hidden:
    """The hidden part of one object; nothing where it cannot be had."""
    try:
        return find(obj)
    except Exception:  # noqa: BLE001 - a closed file, a released buffer, an object that was never set up
        return _NOTHING


def _array(array: Any) -> Hidden:
    """NumPy's: a view's base, which may be large behind a small view; the items of object arrays."""
    base = np.ndarray.base.__get__(array)
    if base is None:
        return (_items(array), 0) if np.ndarray.dtype.__get__(array).hasobject else _NOTHING
    return [base], np.ndarray.nbytes.__get__(array) if _is_foreign(base) and _is_whole(array) else 0


def _is_foreign(base: object) -> bool:
    """Whether a base stands for memory that C code has allocated, as a capsule does, or a compiler's own object."""
    return is_made_in_c(type(base)) and not is_any(base, _BUFFERS)


def _is_whole(array: Any) -> bool:
    """Whether an array has all its items to itself; one with strides of its own may repeat them."""
    flags = np.ndarray.flags.__get__(array)
    return bool(flags.c_contiguous or flags.f_contiguous)


def _items(array: Any) -> list[object]:
    """The objects in an array, also in the fields of its records."""
    plain: Any = np.ndarray.view(array, np.ndarray)
    if plain.dtype.names is None:
        return list(plain.flat) if plain.dtype == object else []
    fields = [plain[name] for name in plain.dtype.names if plain.dtype[name].hasobject]
    return [item for field in fields for item in _items(field)]


def _record(record: Any) -> Hidden:
    """What a record of NumPy's looks into."""
    base = np.void.base.__get__(record)
    return [] if base is None else [base], 0


def _iterator(iterator: Any) -> Hidden:
    """The array that an iterator of NumPy's goes over."""
    return [iterator.base], 0


def _image_core(core: Any) -> Hidden:
    """Pillow's: pixels are in rows, 1, 2 or 4 bytes each, and there is a pointer to each row."""
    width, height = core.size
    pixel = 1 if core.mode in ("1", "L", "P") else 2 if core.mode.startswith(("I;16", "BGR;15", "BGR;16")) else 4
    return (), width * pixel * height + height * ctypes.sizeof(ctypes.c_void_p)


def _mapping(mapping: Any) -> Hidden:
    return (), mmap.mmap.__len__(mapping)


def _c_data(data: Any) -> Hidden:
    """ctypes': its memory, if it is its own and does not fit into the object."""
    size = ctypes.sizeof(data)
    return (), size if _NEEDS_FREE.__get__(data) and size > _C_DATA_INSIDE else 0


def _bytes_io(stream: Any) -> Hidden:
    """The bytes object that it shares with others until it is written to; its own buffer is in its size.

    From CPython 3.12 on the collector sees that buffer too, so that it would count twice.
    """
    if io.BytesIO.__sizeof__(stream) > of_class(type(stream), "__basicsize__"):
        return (), -sum(sys.getsizeof(held) for held in gc.get_referents(stream) if type(held) is bytes)
    return _unseen(stream, [io.BytesIO.getvalue(stream)])


def _string_io(stream: Any) -> Hidden:
    """Its text: a string while it is only written to, four bytes a character once it has been read.

    From CPython 3.12 on the two cannot be told apart, and the lesser is taken.
    """
    first, second = io.StringIO.getvalue(stream), io.StringIO.getvalue(stream)
    written_only = first is second or sys.version_info >= (3, 12)
    return (), sys.getsizeof(first) if written_only else 4 * len(first)


def _pickler(pickler: Any) -> Hidden:
    return _unseen(pickler, [obj for _, obj in pickle.Pickler.memo.__get__(pickler).copy().values()])


def _unpickler(unpickler: Any) -> Hidden:
    return _unseen(unpickler, list(pickle.Unpickler.memo.__get__(unpickler).copy().values()))


def _decompressor(decompressor: object) -> Hidden:
    return list(decompressor_fields(decompressor).values()), 0


def _deflate(_: object) -> Hidden:
    return (), _DEFLATE_BYTES


def _unused(decompressor: Any) -> Hidden:
    return [decompressor.unused_data], 0


def _memory_bio(bio: Any) -> Hidden:
    """OpenSSL's buffer grows to four thirds of what is in it."""
    return (), (bio.pending + 3) // 3 * 4 if bio.pending else 0


_parts_of_code = operator.attrgetter(
    *("co_consts", "co_names", "co_filename", "co_name", "co_qualname", "co_linetable", "co_exceptiontable")
)


def _code(code: object) -> Hidden:
    """A code object is no container for the collector; these parts are read without making anything."""
    return _parts_of_code(code), 0


def _unseen(owner: object, found: list[object]) -> Hidden:
    """Those that the collector does not see: CPython has learnt to show more with each version."""
    seen = set(map(id, gc.get_referents(owner)))
    return [obj for obj in found if id(obj) not in seen], 0


# By address: to hash a class may run its metaclass's code.
_FINDERS: dict[int, Callable[[object], Hidden]] = {
    id(mmap.mmap): _mapping,
    id(io.BytesIO): _bytes_io,
    id(io.StringIO): _string_io,
    id(pickle.Pickler): _pickler,
    id(pickle.Unpickler): _unpickler,
    id(types.CodeType): _code,
    id(DECOMPRESSOR): _decompressor,
    id(type(zlib.compressobj())): _deflate,
    id(np.ndarray): _array,
    id(np.flatiter): _iterator,
    id(np.void): _record,
    id(ctypes.Array): _c_data,
    id(ctypes.Structure): _c_data,
    id(ctypes.Union): _c_data,
}

# By name: nothing is imported that the application does not use.
_FINDERS_BY_NAME: dict[str, Callable[[object], Hidden]] = {
    "builtins.ImagingCore": _image_core,
    "_ssl.MemoryBIO": _memory_bio,
    "_bz2.BZ2Decompressor": _unused,
    "_lzma.LZMADecompressor": _unused,
}
