"""When a process that leaks reaches its memory limit."""

from dataclasses import dataclass

from labserver.heap.wire import LimitKind
from labserver.stats.interval import Interval


@dataclass(frozen=True, slots=True)
class Forecast:
    """The time to a limit.

    Attributes:
        kind: of limit.
        limit_bytes: that it allows.
        used_bytes: of these, by the last look.
        hours: to it.
        low_hours: at the fastest that the growth may be.
        high_hours: at the slowest; None where it may be none.
    """

    kind: LimitKind
    limit_bytes: int
    used_bytes: int
    hours: float
    low_hours: float
    high_hours: float | None

    @classmethod
    def of(cls, kind: LimitKind, limit_bytes: int, used_bytes: int, per_hour: Interval) -> "Forecast | None":
        """The forecast for growth that goes on as it is; None where there is none.

        Args:
            kind: of limit.
            limit_bytes: that it allows.
            used_bytes: of these.
            per_hour: bytes that stay.
        """
        if per_hour.estimate <= 0:
            return None
        left = float(max(limit_bytes - used_bytes, 0))
        slowest = left / per_hour.low if per_hour.low > 0 else None
        return cls(kind, limit_bytes, used_bytes, left / per_hour.estimate, left / per_hour.high, slowest)
