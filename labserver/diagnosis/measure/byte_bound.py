"""A bound in bytes: at how many entries it is reached, and whether the owner's account is of what it keeps."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accounting:
    """What is believed of an owner's account in bytes.

    Attributes:
        overhead: bytes of an entry that hardly anybody counts: its key, its place in a table, headers, what the
            allocators round up.
        excess: how often the declared bytes are kept, beside that, from which on the account misses what entries hold:
            text takes up to four bytes a character.
        follows: part of what the first entries were counted for, that later ones must be counted for as well: what is
            compared with a number of bytes may be the traffic, or the disk.
    """

    overhead: float = 512.0
    excess: float = 4.0
    follows: float = 0.5


ACCOUNTING = Accounting()


@dataclass(frozen=True, slots=True)
class ByteBound:
    """What an owner declares at one look.

    Attributes:
        most: bytes.
        thinks: that it keeps by its own account; None where it has none.
        entries: that it keeps.
    """

    most: int
    thinks: int | None
    entries: int

    def is_followed_by(self, later: "ByteBound") -> bool:
        """Whether the account has grown with the entries since this look."""
        more = later.entries - self.entries
        if self.thinks is None or later.thinks is None or more <= 0 or self.entries <= 0:
            return True
        return later.thinks - self.thinks >= ACCOUNTING.follows * more * self.thinks / self.entries

    def is_missed(self, item_bytes: float) -> bool:
        """Whether so much more is kept than declared that the account is of something else.

        Args:
            item_bytes: what an entry holds.
        """
        return self.entries > self._missed_at(item_bytes)

    def at(self, item_bytes: float) -> int:
        """The entries at which the bound is reached, or is seen to be none."""
        each = self.thinks / self.entries if self.thinks and self.entries else max(item_bytes, 1.0)
        return math.ceil(min(self.most / each, self._missed_at(item_bytes)))

    def _missed_at(self, item_bytes: float) -> float:
        held = item_bytes - ACCOUNTING.overhead
        return ACCOUNTING.excess * self.most / held if held > 0 else math.inf
