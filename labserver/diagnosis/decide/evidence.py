"""What has been read so far: floors, and what holders have gained since the first of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from labserver.diagnosis.decide.survival import THRESHOLDS, Cohorts, Survival
from labserver.heap.heap_growth import Removal


@dataclass(frozen=True, slots=True)
class Gain:
    """What one holder keeps more than at the first floor.

    Attributes:
        path: from a root to the items.
        jobs: finished jobs at each count, ascending.
        counts: items gained since the first floor, at each.
        item_bytes: the mean size of an item.
        bound: the number of items that the holder says it keeps at most.
        looks: its cohorts at each count; empty where nobody remembers items.
        removal: what speaks for a bound in the code around it; None where nobody looked.
        length: the items that it keeps by the last count, those of the first floor included; None where not known.
    """

    path: str
    jobs: tuple[int, ...]
    counts: tuple[int, ...]
    item_bytes: float
    bound: int | None = None
    looks: tuple[Cohorts, ...] = ()
    removal: Removal | None = None
    length: int | None = None

    @property
    def survival(self) -> Survival:
        """What became of its cohorts."""
        return Survival(self.looks)

    @property
    def lets_go(self) -> bool:
        """Whether it is seen to let go of its oldest items, as a leak does not."""
        return (share := self.survival.share) is not None and share < THRESHOLDS.whole

    @property
    def items(self) -> int:
        """Items gained by the last count; below 0 where the holder has let go of more than came."""
        return self.counts[-1]

    @property
    def gained_bytes(self) -> float:
        """What they weigh."""
        return self.items * self.item_bytes

    @property
    def is_filling(self) -> bool:
        """Whether a declared bound still allows the growth."""
        return self.room > 0

    @property
    def room(self) -> int:
        """The items that may still come up to a declared bound, and one; 0 without one, and beyond it."""
        return 0 if self.bound is None else max(self.bound - max(self.items, self.length or 0) + 1, 0)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Floors and gains.

    Attributes:
        jobs: finished jobs at each floor.
        floors: bytes at each floor.
        gains: of each holder that has gained something; None where nobody can count.
        counted_at: finished jobs at the last count.
        final: whether there will be no more floors.
    """

    jobs: Sequence[int]
    floors: Sequence[float]
    gains: tuple[Gain, ...] | None = None
    counted_at: int = 0
    final: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether the holders were counted at the last floor."""
        return self.gains is not None and self.counted_at >= self.jobs[-1]
