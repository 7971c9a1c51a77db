"""A bound kept by hand: the code compares `len(CACHE)` with a number, and removes something or adds nothing.

The code is read from its source. Where that is not there, or not of the code that runs, the bytecode says the same, as
far as this version of CPython's is known.
"""

from collections.abc import Iterator
from dataclasses import replace

from labserver.diagnosis.holders.handling import Account, Comparison
from labserver.diagnosis.holders.reading import Passage, Reading
from labserver.diagnosis.holders.spelling import SpellingKind
from labserver.heap.is_a import text_of, type_name
from labserver.heap.tracemalloc_tools import short_path


def bounds_in_code(reading: Reading) -> Iterator[tuple[int, str]]:
    """The numbers of entries that code compares a container's length with before it removes some.

    Also the number up to which it adds some, where nothing is added anywhere without such a comparison.

    Args:
        reading: the code around the container.

    Yields:
        The number, and where it stands: `shop/cache.py:41 compares len(CACHE) with 1000`.
    """
    kept = [(one, passage) for passage, _ in reading.removing() for one in _limits(passage)]
    for one, passage in [*kept, *_guards(reading)]:
        yield one.limit, f"{_where(passage, one.line)} compares len({_shown(passage)}) with {one.limit}"


def accounts_in_code(reading: Reading) -> Iterator[tuple[Account, str]]:
    """The accounts that an owner keeps of what is in a container, where something is taken out anywhere.

    Args:
        reading: the code around the container.

    Yields:
        The account with its limit, and where it stands: `shop/cache.py:41 compares _used with 1000000`.
    """
    if not reading.removing():
        return
    counted: dict[str, bool] = {}
    for passage in reading.passages:
        for name, by_size in passage.handling.counted.items():
            counted[name] = counted.get(name, False) or by_size
    for passage in reading.passages:
        for account in passage.handling.accounts:
            if account.name in counted and account.limit_name not in counted and account.limit > 0:
                said_by = f"{_where(passage, account.line)} compares {account.name} with {account.limit}"
                yield replace(account, by_size=counted[account.name]), said_by


def _limits(passage: Passage) -> Iterator[Comparison]:
    yield from (one for one in passage.handling.comparisons if one.limit > 0)


def _guards(reading: Reading) -> list[tuple[Comparison, Passage]]:
    """The comparison with the largest number, if something is added only where a comparison says that there is room."""
    if any(passage.handling.adds_unasked for passage in reading.passages):
        return []
    guards = [(one, passage) for passage in reading.passages if passage.handling.adds for one in _limits(passage)]
    return sorted(guards, key=lambda guard: guard[0].limit)[-1:]


def _shown(passage: Passage) -> str:
    """What a reader calls the container."""
    spelling = passage.place.spelling
    name = spelling.name or type_name(passage.place.owner)
    return f"{name}{'[…]' * spelling.items}" + ("()" if spelling.kind is SpellingKind.RESULT else "")


def _where(passage: Passage, line: int) -> str:
    return f"{short_path(text_of(passage.place.code.co_filename))}:{line}"
