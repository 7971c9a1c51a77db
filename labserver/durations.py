"""Durations as people write them: `40`, `40s`, `10m`, `2h`."""

import math
import re

_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)\s*(ms|s|m|min|h|d)?")
_IN_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds_of(text: str) -> float:
    """The seconds that a text says; a plain number is of seconds.

    Raises:
        ValueError: it is no duration; the sentence says how one is written.
    """
    found = _DURATION.fullmatch(text.strip())
    seconds = math.inf if found is None else float(found[1]) * _IN_SECONDS[found[2] or "s"]
    if seconds == math.inf:
        raise ValueError("give a duration, such as 40 or 40s for seconds, 10m or 2h.")
    return seconds
