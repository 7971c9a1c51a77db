"""Does growth go on as it began, or does it slow down? A leak does the one, a cache that fills the other."""

from dataclasses import dataclass
from enum import StrEnum


class Steadiness(StrEnum):
    """How growth develops; where parts differ, the whole is what the first of theirs that stands here says."""

    FILLING = "filling"
    """It is a holder's that declares a bound and has not reached it."""
    LETS_GO = "lets-go"
    """It is a holder's that does not keep its oldest items."""
    SLOWING = "slowing"
    UNSURE = "unsure"
    UNKNOWN = "unknown"
    """It is not the number of items that grows."""
    GOES_ON = "goes-on"
    """Of items too few for a trend, some came early and no fewer late."""
    STEADY = "steady"


@dataclass(frozen=True, slots=True)
class SteadinessThresholds:
    """When growth counts as steady.

    Attributes:
        sure: standard errors by which 1 ÷ τ must lie below that of the slowest cache, while another decision may
            follow: many are then no more often wrong than one. tests/bench/verdict_simulate.py calls two of 40,000
            caches leaks with it; with 6 the leaks of half of the jobs take 1,520 jobs instead of 1,340.
        sure_at_last: the same for the last decision of a check. With 4.8 one leak in twenty of some jobs would stay
            undecided.
    """

    sure: float = 4.8
    sure_at_last: float = 3.6


THRESHOLDS = SteadinessThresholds()


@dataclass(frozen=True, slots=True)
class Fading:
    """How growth slows down: 1 ÷ τ of a cache that fills as 1 − exp(−jobs ÷ τ), and the standard error of that."""

    rate: float
    error: float

    def steadiness(self, slowest_fill_jobs: float, *, final: bool) -> Steadiness:
        """What it says.

        Args:
            slowest_fill_jobs: the τ up to which a cache must not pass for steady.
            final: whether this is the last decision.
        """
        margin = (THRESHOLDS.sure_at_last if final else THRESHOLDS.sure) * self.error
        if self.rate + margin < 1 / slowest_fill_jobs:
            return Steadiness.STEADY
        return Steadiness.SLOWING if self.rate - margin > 0 else Steadiness.UNSURE
