"""Survival: whether a holder keeps its oldest items. A leak does; what is swept, evicted or emptied does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class SurvivalThresholds:
    """When a cohort, the items that came between two looks, counts as kept or as gone.

    Attributes:
        looks: from which on a cohort is old. What came just before the last look may go with the next job.
        items: that old cohorts must have had together: of fewer, chance may have taken any.
        whole: the part of them that is still there where a holder keeps what it gets. Jobs that end early, and
            addresses that tell two items apart as little as one from itself, are the rest.
        gone: the part of a cohort that is gone with it; where some last for ever, their rate is judged by itself.
        turned_over: the part of all items that must have gone with the oldest cohorts for what is left to be believed
            to go as well: what is emptied once, as by a reload, may be a leak since.
    """

    looks: int = 2
    items: int = 6
    whole: float = 0.9
    gone: float = 0.75
    turned_over: float = 1 / 3


THRESHOLDS = SurvivalThresholds()
Cohorts = tuple[int, ...]
"""The items at one look, by the look at which each was first seen, the baseline's first; empty where not known."""


@dataclass(frozen=True)
class Survival:
    """What became of a holder's cohorts.

    Attributes:
        looks: the cohorts at each look, in order; the first one that is known has the baseline's items too.
    """

    looks: tuple[Cohorts, ...]

    @cached_property
    def last(self) -> Cohorts:
        """The cohorts at the last look; empty where it does not know them."""
        return self.looks[-1] if self.looks else ()

    @cached_property
    def born(self) -> dict[int, int]:
        """The items of each cohort at the look that counted it first."""
        known = [cohorts for cohorts in self.looks if cohorts]
        return ({0: known[0][0]} if known else {}) | {len(cohorts) - 1: cohorts[-1] for cohorts in known}

    @property
    def share(self) -> float | None:
        """The part of the items of the old cohorts that is still there; None where that is not known."""
        old = [look for look in self.born if look <= len(self.last) - 1 - THRESHOLDS.looks]
        return self._share(old)

    @property
    def passes(self) -> bool:
        """Whether the oldest cohorts are gone, with so many items that the others are believed to follow."""
        return self.let_go and sum(self._born(self.gone)) >= THRESHOLDS.turned_over * sum(self.born.values())

    @property
    def let_go(self) -> bool:
        """Whether the oldest cohorts are gone, and had items enough to say so."""
        return sum(self._born(self.gone)) >= THRESHOLDS.items

    @property
    def gone(self) -> list[int]:
        """The cohorts from the oldest on of which hardly anything is left."""
        found = []
        for look, born in sorted(self.born.items()):
            if not self.last or look > len(self.last) - 2 or self.last[look] > (1 - THRESHOLDS.gone) * born:
                break
            found.append(look)
        return found

    @property
    def left(self) -> int:
        """The items of those cohorts that are still there: what lasts for ever is among them."""
        return sum(self.last[look] for look in self.gone)

    def _born(self, cohorts: Sequence[int]) -> list[int]:
        return [self.born[look] for look in cohorts]

    def _share(self, cohorts: Sequence[int]) -> float | None:
        born = sum(self._born(cohorts))
        if born < THRESHOLDS.items:
            return None
        return sum(min(self.last[look], self.born[look]) for look in cohorts) / born
