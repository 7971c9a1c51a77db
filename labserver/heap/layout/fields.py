"""Fields of objects made in C whose own getters may wait for a lock, which in a forked child nobody lets go of."""

import zlib
from functools import cache

from labserver.heap.layout.memory import REACH, WORD, object_at, words

DECOMPRESSOR = type(zlib.decompressobj())
_PLAIN = bytes(1000)


def decompressor_fields(decompressor: object) -> dict[str, object]:
    """What zlib's decompressor keeps, by its attributes' names. From CPython 3.15 on these wait for whoever uses it."""
    return {name: object_at(id(decompressor), REACH - offset) for name, offset in _offsets().items()}


@cache
def _offsets() -> dict[str, int]:
    """Where the fields are, in bytes, as found with values that are known."""
    ended, under_way = zlib.decompressobj(), zlib.decompressobj()
    ended.decompress(zlib.compress(_PLAIN) + b"after the end")
    under_way.decompress(zlib.compress(_PLAIN), 1)
    known = {"unused_data": (ended, ended.unused_data), "unconsumed_tail": (under_way, under_way.unconsumed_tail)}
    found = {name: _places(probe, value) for name, (probe, value) in known.items()}
    return {name: places[0] for name, places in found.items() if len(places) == 1}


def _places(probe: object, value: object) -> list[int]:
    held = words(id(probe), DECOMPRESSOR.__basicsize__ // WORD).tolist()
    return [at * WORD for at, word in enumerate(held) if word == id(value)]
