"""The three answers of a check."""

from enum import StrEnum


class Verdict(StrEnum):
    """Whether a service keeps memory of every job; `INCONCLUSIVE` where the evidence does not say."""

    LEAK = "leak"
    NO_LEAK = "no-leak"
    INCONCLUSIVE = "inconclusive"
