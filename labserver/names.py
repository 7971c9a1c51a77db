"""Say which right name the user may have meant."""

import difflib
from collections.abc import Iterable

from labserver.errors import UsageError


def unknown_name(kind: str, name: str, known: Iterable[str], where: str = "") -> UsageError:
    """The error for a name nobody knows: the nearest right one first, then all of them."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean '{nearest[0]}'? " if nearest else ""
    listed = ", ".join(names) if names else "none"
    place = f" in {where}" if where else ""
    return UsageError(f"There is no {kind} '{name}'{place}: {hint}There is {listed}.")
