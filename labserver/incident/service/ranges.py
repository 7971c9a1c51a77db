"""The numbers that a setting may be."""

import math
from collections.abc import Mapping
from typing import Any

from labserver.errors import UsageError

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest value of each setting, in the unit that its name ends in."""


def check_numbers(settings: object, *, seconds: Ranges, counts: Ranges) -> None:
    """Make sure that attributes are numbers in their ranges.

    Args:
        settings: What has them.
        seconds: Ranges of finite numbers.
        counts: Ranges of whole numbers.

    Raises:
        UsageError: One is not.
    """
    for name, allowed in seconds.items():
        value = getattr(settings, name)
        _check(name, value, allowed, is_one=isinstance(value, int | float), kind="a finite number of seconds")
    for name, allowed in counts.items():
        value = getattr(settings, name)
        _check(name, value, allowed, is_one=isinstance(value, int), kind="a whole number")


def _check(name: str, value: Any, allowed: tuple[float, float], *, is_one: bool, kind: str) -> None:
    low, high = allowed
    # bool is an int to Python, but `workers=True` is a slip.
    if is_one and not isinstance(value, bool) and low <= value <= high and math.isfinite(value):
        return
    bounds = f"of at least {low}" if math.isinf(high) else f"from {low} to {high}"
    raise UsageError(f"{name}={value!r} is not allowed: it must be {kind} {bounds}.")
