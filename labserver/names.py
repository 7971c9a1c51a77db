"""Say which right name the user may have meant."""

import difflib
from collections.abc import Iterable

from labserver.errors import UsageError


def closest(name: str, known: Iterable[str], *, alike: float = 0.0) -> str | None:
    """The right name that is spelt most like a wrong one.

    Args:
        name: the wrong one.
        known: all right ones.
        alike: how alike the two have to be, from 0 for anything to 1 for the same.
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=alike)), None)


def unknown_name(kind: str, name: str, known: Iterable[str], where: str = "") -> UsageError:
    """The error for a name nobody knows: the nearest right one first, then all of them."""
    names = sorted(known)
    nearest = closest(name, names, alike=0.5)
    hint = f"did you mean '{nearest}'? " if nearest else ""
    place = f" in {where}" if where else ""
    return UsageError(f"There is no {kind} '{name}'{place}: {hint}Known: {', '.join(names) or 'none'}.")
