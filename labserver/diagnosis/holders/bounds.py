"""The bound that a cache keeps: what fills up to it is no leak, however long that takes.

It is read from plain attributes and from the code around, which is read and not run.
"""

import functools
import re
import types
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labserver.diagnosis.holders.bound_code import accounts_in_code, bounds_in_code
from labserver.diagnosis.holders.handling import whole
from labserver.diagnosis.holders.lengths import length_of
from labserver.diagnosis.holders.reading import Reading
from labserver.diagnosis.holders.referrers import Referrer
from labserver.diagnosis.holders.spelling import SpellingKind
from labserver.heap.is_a import (
    is_a,
    is_any,
    is_made_in_c,
    named,
    namespace_of,
    of_class,
    own_attribute,
    text_of,
    type_name,
)

# `maxsize`, `max_entries`, `_Cache__maxsize`, `size_limit`, …; `limit` and `capacity` alone may be of anything, and
# count where code compares them with the length.
_WHAT = r"(size|len|length|entries|entry|items|keys|count|elements|records|objects|results|jobs)"
_BOUND = re.compile(rf"_*(\w+__)?(max(imum)?_?{_WHAT}|{_WHAT}_?(limit|cap|max))", re.IGNORECASE | re.ASCII)
_IN_BYTES = re.compile(
    r"_*(\w+__)?(max(imum)?_?((size_?)?(in_?)?bytes|mem(ory)?)|(bytes?|mem(ory)?)_?(limit|budget|cap|max))",
    re.IGNORECASE | re.ASCII,
)
_LIKE_BYTES = re.compile(r"byte|mem|size|weight|budget|volume|usage", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Bound:
    """What a holder keeps at most.

    Attributes:
        entries: how many.
        said_by: what says so: `Cache.maxsize`, or `shop/cache.py:41 compares len(CACHE) with 1000`.
    """

    entries: int
    said_by: str


@dataclass(frozen=True, slots=True)
class ByteBudget:
    """What an owner keeps at most, where it counts bytes.

    Attributes:
        most: bytes.
        thinks: bytes that it keeps now, by its own account; None where it keeps none.
    """

    most: int
    thinks: int | None = None


def bound_of(container: object, referrers: Sequence[Referrer], reading: Reading) -> Bound | None:
    """The smallest bound on a container's entries; None where nobody says so.

    Args:
        container: the container.
        referrers: of these, whose word counts.
        reading: their code.
    """
    length = length_of(container)
    accounts = [(account, said_by) for account, said_by in accounts_in_code(reading)]
    in_other_units = {account.limit_name for account, _ in accounts if account.value != length}
    bounds = [*_declared(container), *(Bound(*found) for found in bounds_in_code(reading))]
    for referrer in referrers:
        bounds += [bound for name, bound in _declared_by(referrer, container) if name not in in_other_units]
    if length:
        bounds += [Bound(account.limit, said_by) for account, said_by in accounts if account.value == length]
    return min((bound for bound in bounds if bound.entries > 0), key=lambda bound: bound.entries, default=None)


def byte_budget_of(container: object, referrers: Sequence[Referrer], reading: Reading) -> ByteBudget | None:
    """The smallest bound in bytes that an owner declares or keeps an account for; None where none does.

    Args:
        container: what the account is of.
        referrers: its owners.
        reading: their code.
    """
    length = length_of(container) or 0
    budgets = [
        ByteBudget(account.limit, account.value)
        for account, _ in accounts_in_code(reading)
        if account.value > length
        and (account.by_size or _LIKE_BYTES.search(account.name) or _LIKE_BYTES.search(account.limit_name))
    ]
    if not budgets:
        budgets = [
            ByteBudget(number)
            for referrer in referrers
            if _has_attributes(referrer)
            for name, value in _own(referrer.owner)
            if (number := whole(value)) and _IN_BYTES.fullmatch(name)
        ]
    return min((budget for budget in budgets if budget.most > 0), key=lambda budget: budget.most, default=None)


def _declared(container: object) -> Iterator[Bound]:
    """What a container of a type that is made in C says itself."""
    kind = type_name(container)
    if is_a(container, deque):
        most = deque.maxlen.__get__(container)
        if most is not None:
            yield Bound(most, f"{kind}.maxlen")
    elif is_a(container, functools._lru_cache_wrapper):  # noqa: SLF001 - the type has no public name
        size = _in_closure(own_attribute(container, "cache_parameters"), "maxsize")
        if type(size) is int:
            name = text_of(own_attribute(container, "__qualname__"), kind)
            yield Bound(size, f"{name}.cache_parameters()['maxsize']")


def _declared_by(referrer: Referrer, container: object) -> Iterator[tuple[str, Bound]]:
    """What attributes of a container's direct owner say, or its own, where they can be about this container alone."""
    owner = referrer.owner
    if not _has_attributes(referrer) or not _is_alone(owner, container):
        return
    kind = type_name(owner)
    for name, value in _own(owner):
        if type(value) is int and _BOUND.fullmatch(name):
            yield name, Bound(value, f"{kind}.{name}")


def _has_attributes(referrer: Referrer) -> bool:
    """Whether a referrer is an instance that has the container itself, or is it."""
    spelling = referrer.spelling
    return (
        spelling is not None
        and not spelling.items
        and spelling.kind in {SpellingKind.ATTRIBUTE, SpellingKind.OWN}
        and not is_any(referrer.owner, (types.ModuleType, type, types.FunctionType))
    )


def _is_alone(owner: object, container: object) -> bool:
    """Whether an owner has no other container, but such as are as long: a table of the same entries."""
    length = length_of(container)
    others = [
        value for _, value in _instance(owner) if value is not container and not is_any(value, (tuple, bytearray))
    ]
    return all(length_of(other) in {None, 0, length} for other in others)


def _own(owner: object) -> Iterator[tuple[str, object]]:
    """An instance's attributes and slots, and the plain values of its classes."""
    yield from _instance(owner)
    for base in of_class(type(owner), "__mro__"):
        if not is_made_in_c(base):
            yield from named(namespace_of(base))


def _instance(owner: object) -> Iterator[tuple[str, object]]:
    """An instance's own attributes and slots."""
    yield from named(namespace_of(owner))
    for base in of_class(type(owner), "__mro__"):
        for name, value in named(namespace_of(base)):
            if is_a(value, types.MemberDescriptorType) and not is_made_in_c(base):
                try:
                    yield name, value.__get__(owner)
                except (AttributeError, TypeError):  # an empty slot; another class's
                    continue


def _in_closure(function: object, name: str) -> object:
    """The value of a function's variable that an outer function has given it; None where it has none."""
    if not is_a(function, types.FunctionType):
        return None
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return next((cell.cell_contents for variable, cell in cells if variable == name), None)
