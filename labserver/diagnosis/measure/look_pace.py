"""How often a process under traffic is looked at: as often as its looks cost little of it, and hold it up briefly."""

import statistics
from dataclasses import dataclass

from labserver.heap.wire import LookCost


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """What looks may cost.

    Attributes:
        core_share: the part of one core that they may take.
        least_s: seconds from one to the next, however cheap they are.
        most_looks: of an observation: more would tell nothing more, and each is remembered.
        first: looks at the beginning, one after the other: the baseline, and what looking itself brings.
        recent: looks that say what the next one will cost.
        telling: looks from which on it is believed that they hold the process up for too long.
    """

    core_share: float = 0.03
    least_s: float = 1.0
    most_looks: int = 240
    first: int = 2
    recent: int = 5
    telling: int = 3


LIMITS = PaceLimits()


class LookPace:
    """The time from one look to the next, adapted to what the looks so far have cost.

    Args:
        observe_s: seconds of the whole observation.
        every_s: seconds from one look to the next, where somebody has said so.
        allowed_stall_ms: for which a look may hold the process up.
        limits: what they may cost.
    """

    def __init__(
        self, observe_s: float, every_s: float | None, allowed_stall_ms: float, limits: PaceLimits = LIMITS
    ) -> None:
        self._observe_s, self._given_s, self._limits = observe_s, every_s, limits
        self.allowed_stall_ms = allowed_stall_ms
        self._costs: list[LookCost] = []

    def add(self, cost: LookCost | None) -> None:
        """What a look has cost; nothing is learnt from one that did not tell."""
        if cost is not None:
            self._costs.append(cost)

    @property
    def every_s(self) -> float:
        """Seconds from the beginning of a look to that of the next."""
        if self._given_s is not None:
            return self._given_s
        limits = self._limits
        return max(self._cheap_s(), limits.least_s, self._observe_s / limits.most_looks)

    def _cheap_s(self) -> float:
        """Seconds from one look to the next with which all of them keep to their share, by what the last ones took."""
        recent = [cost.cpu_s for cost in self._costs[-self._limits.recent :]]
        if not recent or (each := statistics.median(recent)) <= 0:
            return 0.0
        looks = self._limits.core_share * self._observe_s / each
        return self._observe_s / max(looks - self._limits.first, 1.0)

    @property
    def stalls(self) -> bool:
        """Whether looks are seen to hold the process up for longer than is allowed."""
        return len(self._costs) >= self._limits.telling and self.stall_ms > self.allowed_stall_ms

    @property
    def stall_ms(self) -> float:
        """For how long a look holds the process up, by the last ones."""
        return statistics.median([cost.stall_ms for cost in self._costs[-self._limits.recent :]] or [0.0])

    @property
    def most_stall_ms(self) -> float:
        """The longest that one did."""
        return max((cost.stall_ms for cost in self._costs), default=0.0)

    @property
    def cpu_s(self) -> float:
        """Seconds of processor time that the looks took, all together."""
        return sum(cost.cpu_s for cost in self._costs)
