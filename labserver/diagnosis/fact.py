"""What a check tells about its own measuring, as typed values; `sentences` makes the words where they are shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was found, with its figures and names.

    Attributes:
        kind: which fact; every kind has a form of words in `sentences`.
        arguments: the figures, names and further facts that the form asks for.
    """

    kind: StrEnum
    arguments: Mapping[str, "str | float | Fact"] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The fact as JSON: its kind, and its arguments by their names."""
        return {"kind": str(self.kind)} | {
            name: value.to_dict() if isinstance(value, Fact) else value for name, value in self.arguments.items()
        }


class Reason(Fact):
    """Why a verdict is inconclusive."""

    __slots__ = ()


class Note(Fact):
    """What should be known beside a verdict."""

    __slots__ = ()


def said(*texts: str) -> tuple[Note, ...]:
    """Notes in the words of somebody else, such as the process under test, which has none of these kinds."""
    return tuple(Note(NoteKind.SAID, {"text": text}) for text in texts)


class ReasonKind(StrEnum):
    """The reasons, each with the arguments it has."""

    NO_SLOPE = "no-slope"
    """Fewer than three floors: `floors`."""
    FEW_FLOORS = "few-floors"
    """`floors`, where `least` are needed."""
    FEW_JOBS = "few-jobs"
    SPANS_TOLERANCE = "spans-tolerance"
    NEAR_TOLERANCE = "near-tolerance"
    COMES_BACK = "comes-back"
    MAY_BE_NONE = "may-be-none"
    COUNTED_BUT_MAY_BE_NONE = "counted-but-may-be-none"
    """What a holder gained: `path`, `items`, `jobs`."""
    MAY_BE_A_CACHE = "may-be-a-cache"
    SLOWS_DOWN = "slows-down"
    FILLS = "fills"
    LETS_GO = "lets-go"
    NOT_FULL = "not-full"
    """The holder's `path`, and the `bound` that there was no time to fill."""
    NOT_COUNTED = "not-counted"
    FEW_LARGE_ITEMS = "few-large-items"
    MAPPED_GROWS = "mapped-grows"
    EXPIRES = "expires"
    """Memory falls without load within `seconds`."""
    REPLACED = "replaced"
    """Other processes served than before, so many `times`, the last after so many `jobs`."""
    FEW_LOOKS = "few-looks"
    """Only so many `looks` could be taken."""
    MAY_EVICT = "may-evict"
    """The holder's `path`, and `by` what something may be taken out."""
    UNSEEN_CODE = "unseen-code"
    """The holder's `path`."""
    UNHELD = "unheld"
    SEEN_IN_PART = "seen-in-part"
    STALLS = "stalls"
    """A look holds the process up for `stall_ms`, and `allowed_ms` are."""


class NoteKind(StrEnum):
    """The notes, each with the arguments it has."""

    FEW_JOBS = "few-jobs"
    FEW_ITEMS = "few-items"
    FOUND_BY_COUNTING = "found-by-counting"
    """The holder's `path`, and its `items` in so many `jobs`."""
    GAINED = "gained"
    """The same, and `item_bytes`, an item's mean size."""
    MAPPED_GROWS = "mapped-grows"
    SLOW_WARM_UP = "slow-warm-up"
    """It ended after so many `jobs`."""
    EXPIRED = "expired"
    """Memory fell without load within `seconds`."""
    FILLED = "filled"
    """The holder's `path`, and the `bound` up to which it was filled."""
    STOPPED = "stopped"
    """The holder's `path`, and the `entries` at which it was seen to grow no further."""
    CHALLENGED = "challenged"
    """The holder's `path`, its `entries`, their `bytes`, and `although` what could remove them."""
    CHALLENGED_BYTES = "challenged-bytes"
    """So many `jobs` and `bytes`, without a holder."""
    LETS_GO = "lets-go"
    """The holder's `path`, and the `most` items that it kept at a time."""
    BEYOND_MEMORY = "beyond-memory"
    """The holder's `path`, its `bound`, and the `bytes` of so many entries."""
    BYTES_BEYOND_MEMORY = "bytes-beyond-memory"
    """The holder's `path`, and the `bytes` that it declares."""
    MISSES_BYTES = "misses-bytes"
    """The holder's `path`, its `bound` in bytes, what it `thinks` that it keeps, and the `bytes` that it does."""
    IN_BYTES = "in-bytes"
    """The holder's `path`, the `bytes` that it declares, and at how many `entries` it keeps as much."""
    RISES = "rises"
    """By `per_job` bytes, within the `tolerance`, `by` whom."""
    NEXT = "next"
    """The `option` to give and its `value`."""
    JOBS_FAILED = "jobs-failed"
    """So many `failed` of the `jobs`, as a `share` of them, and `why` the first one did."""
    THREADS_LEFT = "threads-left"
    """So many `threads` were started by so many `jobs`."""
    TRACED = "traced"
    MAY_HIDE = "may-hide"
    """What fewer than one of so many `jobs` keeps may not have shown."""
    UNDECIDED = "undecided"
    """After so many `jobs`, for a `reason`."""
    OBSERVED_UNDECIDED = "observed-undecided"
    """After so many `seconds`, for a `reason`."""
    MOST_HELD = "most-held"
    """The holder's `path`, and its `items`."""
    TOGETHER = "together"
    """So many `processes`, by their `pids`, serve together."""
    REGROUPED = "regrouped"
    """Other processes served than before, so many `times`."""
    NO_LOOK = "no-look"
    """No look at the heap succeeded, and `why`."""
    IN_PART = "in-part"
    LINES_TRACED = "lines-traced"
    """From so many more `jobs`, traced with so many `frames`."""
    NO_TIME_FOR_LINES = "no-time-for-lines"
    NO_LINES = "no-lines"
    """`why` not."""
    FOUND_IN_TIME = "found-in-time"
    """The holder's `path`, and its `items` of `item_bytes` in so many `seconds`."""
    GAINED_IN_TIME = "gained-in-time"
    """The same."""
    LASTED = "lasted"
    """The holder's `path`, the `seconds` that its oldest items have been there, and `by` what something may be taken
    out."""
    LOOKED = "looked"
    """So many `looks`, one `every` so many seconds: the `share` of a core that they took, and for how long they held
    the process up: `stall_ms` mostly, `most_ms` at most, where `allowed_ms` are."""
    JOBS_COUNTED = "jobs-counted"
    """By whom, as `by`."""
    NOBODY_COUNTS = "nobody-counts"
    STANDS_STILL = "stands-still"
    """What counts, as `by`, does not."""
    RESTARTED = "restarted"
    """So many `times`."""
    ENDED = "ended"
    """After so many `seconds`, and `why`."""
    OBJECTS_ALONE = "objects-alone"
    FORECAST = "forecast"
    """The `limit`, its `bytes`, those `used`, and the `hours` to it with their bounds, as `span`."""
    LINES_OBSERVED = "lines-observed"
    """From so many more `seconds`, traced with so many `frames`."""
    INTERRUPTED = "interrupted"
    """After so many `jobs`."""
    CANNOT_RUN = "cannot-run"
    """The error's own `text`."""
    SAID = "said"
    """The `text` of the process under test, or of what was met on the way to it."""


class FoundKind(StrEnum):
    """What findings tell of growth without a holder: `per_job` bytes of it, and each the arguments that it has."""

    C_HELD = "c-held"
    """So many `items` of a `type`, `raised` in a function, by way of the `path`."""
    LOST_REFERENCE = "lost-reference"
    """So many `items` of a `type`, `raised` in a function, and `at` which line."""
    CYCLES = "cycles"
    """So many `objects`."""
    CYCLES_UNCOLLECTED = "cycles-uncollected"
    """`at` a line; a collection that the application leaves out has freed so many `objects`, and `freed` so much."""
    NATIVE = "native"
    """What an `owner` may own, which `extensions` are called, and what was `tried`."""
    UNEXPLAINED = "unexplained"
    """`at` a line, and what an `owner` may own."""
    THREADS = "threads"
    """So many `threads` of so many `jobs`: what they are `running`, where they were `started`, what runs `beside`, and
    what is `held` by them."""
    RUNNING = "running"
    """Part of another: the `function`, and the `place` that it is defined at."""
    PLACE = "place"
    """Part of another: the `line` at which something is defined."""
    STARTED = "started"
    """Part of another: the `line` that does it."""
    BESIDE = "beside"
    """Part of another: so many further `threads` run something else."""
    HELD = "held"
    """Part of another: `per_job` bytes."""
    RAISED = "raised"
    """Part of others: the function, as `by`."""
    EXTENSIONS = "extensions"
    """Part of another: the `nearest` one."""
    EXTENSION = "extension"
    """Part of another: its `name`, the function that calls it, as `by`, and the `next` one."""
    THEN = "then"
    """Part of another: the `next` one."""
    TRIMMED = "trimmed"
    """Part of another: the C library keeps `spare` bytes of freed memory."""
    IN_USE = "in-use"
    AT = "at"
    """Part of others: the `line`."""
    FREED = "freed"
    """Part of another: the `bytes`."""
    OWNER = "owner"
    """Part of another: so many `items` of a `type`, below the `path`."""


class PartKind(StrEnum):
    """Parts of notes."""

    ALTHOUGH = "although"
    """What could remove entries: `by`."""
    UNSEEN = "unseen"
    """The code around could not be read."""
    BY = "by"
    """The holder's `path`."""
    THINKS = "thinks"
    """An account's `bytes`."""
    NOBODY = "nobody"
    OUT_BY = "out-by"
    """`by` what something may be taken out."""
    NOT_SEEN = "not-seen"
    BETWEEN = "between"
    """The `low` and the `high` hours."""
    AT_LEAST = "at-least"
    """The `low` hours."""


class State(StrEnum):
    """How a holder or a finding stands to the accepted ones of a baseline file."""

    NEW = "new"
    ACCEPTED = "accepted"
    """`until` a day, for a `reason`."""
    EXPIRED = "expired"
    """The same."""
    GROWN = "grown"
    """To `per_job` bytes, where `at_most` so many are accepted for a `reason`."""


class FailedKind(StrEnum):
    """Which jobs failed, so that nothing can be judged; `why` the first one did."""

    EVERY = "every"
    EVERY_MEASURED = "every-measured"
    ONE = "one"
    NOTHING_SAYS_WHY = "nothing-says-why"
