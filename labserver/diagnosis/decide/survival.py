"""Survival: whether a holder keeps its oldest items. A leak does; what is swept, evicted or emptied does not."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SurvivalThresholds:
    """When a cohort, the items that came between two looks, counts as kept.

    Attributes:
        looks: from which on a cohort is old. What came just before the last look may go with the next job.
        items: that old cohorts must have had together: of fewer, chance may have taken any.
        whole: the part of them that is still there where a holder keeps what it gets. Jobs that end early, and
            addresses that tell two items apart as little as one from itself, are the rest.
    """

    looks: int = 2
    items: int = 6
    whole: float = 0.9


THRESHOLDS = SurvivalThresholds()
Cohorts = tuple[int, ...]
"""The items at one look, by the look at which each was first seen, the baseline's first; empty where not known."""


def survival(looks: Sequence[Cohorts]) -> float | None:
    """The part of the items of the old cohorts that is still there at the last look; None where that is not known.

    Args:
        looks: the holder's cohorts at each look, in order.
    """
    known = [cohorts for cohorts in looks if cohorts]
    if not known or not looks[-1]:
        return None
    last = known[-1]
    # The baseline's cohort was first counted by the first look that remembers the holder.
    came = {0: known[0][0]} | {len(cohorts) - 1: cohorts[-1] for cohorts in known}
    old = [look for look in came if look <= len(last) - 1 - THRESHOLDS.looks]
    born = sum(came[look] for look in old)
    if born < THRESHOLDS.items:
        return None
    return sum(min(last[look], came[look]) for look in old) / born


def young(cohorts: Cohorts) -> int:
    """The items that are not old yet."""
    return sum(cohorts[max(len(cohorts) - THRESHOLDS.looks, 0) :])
