"""The statuses with which an answer is the job: all below 400, unless the request names others."""

import re
from dataclasses import dataclass
from typing import Self

_STATUS = re.compile(r"[1-5](\d\d|xx)")


@dataclass(frozen=True, slots=True)
class Expected:
    """Statuses and classes of them, such as `422` or `4xx`.

    Attributes:
        statuses: any of them will do.
    """

    statuses: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Read them as a request spells them: `422`, `4xx`, `2xx|404`.

        Raises:
            ValueError: one of them is no status.
        """
        statuses = tuple(text.lower().split("|"))
        if not all(map(_STATUS.fullmatch, statuses)):
            raise ValueError(text)
        return cls(statuses)

    def __contains__(self, status: int) -> bool:
        return not {str(status), f"{status // 100}xx"}.isdisjoint(self.statuses)

    def __str__(self) -> str:
        """Give them as a request spells them."""
        return "|".join(self.statuses)


SUCCESS = Expected(("2xx", "3xx"))
