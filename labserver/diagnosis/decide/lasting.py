"""Which of a holder's items last, by what became of them from look to look: it needs no rest and no end of traffic.

What is on its way when a look is taken is young and gone by the next one, what lives for a while is gone by some later
one, and what a leak keeps is there for ever. So a holder's items are said to last from that age on from which hardly
any goes any more, and of the oldest none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from labserver.diagnosis.decide.survival import Cohorts


@dataclass(frozen=True, slots=True)
class LastingThresholds:
    """When items count as lasting.

    Attributes:
        items: that must have come to that age: of fewer, chance may have taken any.
        whole: the part of them that is still there at the last look, of all and of the oldest. Addresses that tell two
            items apart as little as one from itself, and jobs that end early, are the rest.
        oldest: the part of the items that are the oldest.
        old: looks that the last one must be later, as a factor of the age: only then it is known what became of them.
        baseline: what may have gone of the items that were there before, as a part of those that last since: what
            keeps its size by letting go of the old for the new lets go of as many.
        turned_over: the part of all items that must have gone for the others to be believed to go as well.
    """

    items: int = 6
    whole: float = 0.9
    oldest: float = 0.1
    old: int = 2
    baseline: float = 0.25
    turned_over: float = 1 / 3


THRESHOLDS = LastingThresholds()


@dataclass(frozen=True)
class Lasting:
    """What became of a holder's cohorts.

    Attributes:
        looks: the cohorts at each look, in order; empty where a look did not know them.
    """

    looks: Sequence[Cohorts]

    @cached_property
    def known(self) -> dict[int, Cohorts]:
        """The cohorts by the number of the look; the baseline is look 0."""
        return {len(cohorts) - 1: cohorts for cohorts in self.looks if cohorts}

    @property
    def last(self) -> Cohorts:
        """The cohorts at the last look; empty where it did not know them."""
        return self.looks[-1] if self.looks else ()

    @property
    def number(self) -> int:
        """Of the last look."""
        return len(self.last) - 1

    @cached_property
    def age(self) -> int | None:
        """The looks after which an item is there for good; None where there is no such age."""
        return next((age for age in self._ages() if self._lasts_from(age)), None)

    @property
    def came(self) -> int:
        """The items that were still there one look after they had come, those before the baseline included."""
        return sum(self._settled(cohort, 1) for cohort in self._cohorts(1))

    @property
    def passes(self) -> bool:
        """Whether so many of them are gone that the others are believed to follow, or all that came since are gone."""
        came = self.came
        gone = came - sum(self._kept(cohort, 1) for cohort in self._cohorts(1))
        return gone >= THRESHOLDS.items and gone >= THRESHOLDS.turned_over * came

    @property
    def let_go(self) -> int:
        """The items that had stayed for one look and are gone by the last one."""
        return self.came - sum(self._kept(cohort, 1) for cohort in self._cohorts(1))

    def items(self, age: int) -> list[tuple[int, int]]:
        """The items of each cohort since the baseline that is that old: the look's number, and what is left of it."""
        return [(cohort, self.last[cohort]) for cohort in range(1, self.number - age + 1)]

    def _ages(self) -> Iterator[int]:
        age = 1
        while THRESHOLDS.old * age < self.number:
            yield age
            age *= 2

    def _lasts_from(self, age: int) -> bool:
        since = [cohort for cohort in self._cohorts(THRESHOLDS.old * age) if cohort]
        came = sum(self._settled(cohort, age) for cohort in since)
        kept = sum(self._kept(cohort, age) for cohort in since)
        if came < THRESHOLDS.items or kept < THRESHOLDS.whole * came:
            return False
        oldest = list(self._oldest(since, age, max(THRESHOLDS.items, THRESHOLDS.oldest * came)))
        if sum(kept for _, kept in oldest) < THRESHOLDS.whole * sum(came for came, _ in oldest):
            return False
        return self._settled(0, age) - self._kept(0, age) <= THRESHOLDS.baseline * kept

    def _oldest(self, cohorts: Sequence[int], age: int, enough: float) -> Iterator[tuple[int, int]]:
        """What came and what is left of the oldest cohorts that together had items enough."""
        seen = 0
        for cohort in cohorts:
            came = self._settled(cohort, age)
            yield came, self._kept(cohort, age)
            seen += came
            if seen >= enough:
                return

    def _cohorts(self, age: int) -> range:
        """The cohorts that are at least that old, the baseline's among them."""
        return range(max(self.number - age + 1, 0))

    def _settled(self, cohort: int, age: int) -> int:
        """A cohort's items at that age, or at the first look after it that knows them."""
        for number in range(cohort + age, self.number + 1):
            cohorts = self.known.get(number)
            if cohorts is not None:
                return cohorts[cohort]
        return 0

    def _kept(self, cohort: int, age: int) -> int:
        """What is left of these."""
        return min(self.last[cohort], self._settled(cohort, age))
