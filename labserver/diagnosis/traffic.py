"""What was observed of a service under its own traffic, beside the verdict: pace, age, cost and forecast."""

from dataclasses import asdict, dataclass
from typing import Any

from labserver.diagnosis.decide.forecast import Forecast
from labserver.diagnosis.decide.observation import Unit
from labserver.diagnosis.decide.observed_holder import Standing
from labserver.stats.interval import Interval


@dataclass(frozen=True, slots=True)
class HolderPace:
    """How fast a holder gains items that last, and for how long it keeps them.

    Attributes:
        fingerprint: the holder's.
        standing: what it is seen to do.
        items_per_hour: that last.
        items_per_1000_jobs: the same; None where nobody counts jobs.
        bytes_per_hour: of these.
        oldest_s: seconds that the oldest of those that came meanwhile have been there.
        since_s: seconds from the first look to the one that saw these first.
    """

    fingerprint: str
    standing: Standing
    items_per_hour: float
    items_per_1000_jobs: float | None
    bytes_per_hour: Interval | None
    oldest_s: float
    since_s: float

    def to_dict(self) -> dict[str, Any]:
        """The pace as JSON."""
        return asdict(self) | {"standing": str(self.standing)}


@dataclass(frozen=True, slots=True)
class LooksTaken:
    """The looks and what they cost.

    Attributes:
        count: of them.
        every_s: seconds from one to the next, by the last ones.
        core_share: the part of one core that they took.
        stall_ms: for which one held the process up, the median.
        most_stall_ms: the longest.
        allowed_stall_ms: what it may be.
    """

    count: int
    every_s: float
    core_share: float
    stall_ms: float
    most_stall_ms: float
    allowed_stall_ms: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was observed.

    Attributes:
        seconds: from the first look to the last.
        jobs: finished meanwhile; None where nobody counts them.
        counted_by: who does; empty where nobody does.
        unit: what the answer's interval is held against.
        bytes_per_hour: the same interval for each hour; None without one.
        looks: that were taken.
        holders: their paces, most bytes first.
        forecast: when the process reaches its limit; None where it does not leak, or nobody knows its limit.
        restarts: how often another process took the place of the one that was looked at.
    """

    seconds: float
    jobs: int | None
    counted_by: str
    unit: Unit
    bytes_per_hour: Interval | None
    looks: LooksTaken
    holders: tuple[HolderPace, ...] = ()
    forecast: Forecast | None = None
    restarts: int = 0

    def of(self, fingerprint: str) -> HolderPace | None:
        """A holder's pace; None where it has none."""
        return next((one for one in self.holders if one.fingerprint == fingerprint), None)

    def to_dict(self) -> dict[str, Any]:
        """What was observed as JSON."""
        return {
            "seconds": round(self.seconds, 2),
            "jobs": self.jobs,
            "counted_by": self.counted_by or None,
            "unit": str(self.unit),
            "bytes_per_hour": None if self.bytes_per_hour is None else asdict(self.bytes_per_hour),
            "looks": asdict(self.looks),
            "holders": [one.to_dict() for one in self.holders],
            "forecast": None if self.forecast is None else asdict(self.forecast) | {"kind": str(self.forecast.kind)},
            "restarts": self.restarts,
        }
