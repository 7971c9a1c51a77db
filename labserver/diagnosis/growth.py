"""The sums of a check's growth: what has a name, and what has none."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Growth:
    """What came between the first and the last floor: total = held + found + small + unexplained.

    Attributes:
        total: bytes.
        jobs: finished jobs between the two.
        held: bytes that the holders explain.
        found: bytes that the other findings explain.
        small: bytes that holders below the tolerance explain.
    """

    total: int
    jobs: int
    held: int
    found: int
    small: int = 0

    @property
    def freed(self) -> int:
        """Other memory that must have been freed meanwhile, where what has a name is more than the growth."""
        return max(-self.unexplained, 0)

    @property
    def came(self) -> int:
        """Bytes that came, what was freed meanwhile included: the whole that no part is larger than."""
        return self.total + self.freed

    @property
    def unexplained(self) -> int:
        """Bytes without a name; below 0 where other memory was freed meanwhile."""
        return self.total - self.held - self.found - self.small

    @property
    def unexplained_share(self) -> float:
        """The same as a part of the growth."""
        return self.unexplained / self.total if self.total > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The sums as JSON."""
        return {
            "bytes": self.total,
            "held_bytes": self.held,
            "found_bytes": self.found,
            "small_bytes": self.small,
            "unexplained_bytes": self.unexplained,
            "unexplained_share": round(self.unexplained_share, 4),
        }
