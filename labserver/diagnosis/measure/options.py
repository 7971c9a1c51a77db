"""What to check and how, and how far a check is."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real

from labserver.errors import UsageError
from labserver.load.templates import parse_requests
from labserver.stats.interval import Interval
from labserver.targets.target import parse_target

_COUNTS = ("users", "max_jobs")
_FIGURES = ("max_seconds", "tolerance", "confidence", "settle_s")


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What to check, and how.

    Attributes:
        target: `module:attribute`, `http://host:port` or `pid:N`.
        requests: one job, request by request.
        journey: one job, as `module:callable`, in place of requests.
        users: jobs under way at the same time.
        max_jobs: measured jobs after which an undecided check ends.
        max_seconds: seconds after which it ends.
        tolerance: bytes per job below which growth is of no interest.
        confidence: of the interval.
        settle_s: seconds to wait before each floor: the longest time a result may rightly live.
        fast: fewer jobs, for a coarser answer.
        stall_ms: for how long a look at the heap may hold the application up where it can be taken in no forked child;
            if not given, a second for an application that the check starts, and 0 for one that runs already.
    """

    target: str
    requests: tuple[str, ...] = ()
    journey: str | None = None
    users: int = 5
    max_jobs: int = 4000
    max_seconds: float = 300.0
    tolerance: float = 256.0
    confidence: float = 0.99
    settle_s: float = 0.0
    fast: bool = False
    stall_ms: float | None = None


@dataclass(frozen=True, slots=True)
class CheckProgress:
    """How far a check is: what it does, measured jobs, seconds since its start, and what it knows so far."""

    phase: str
    jobs: int
    seconds: float
    interval: Interval | None = None


OnProgress = Callable[[CheckProgress], None]


def validate(options: CheckOptions) -> None:
    """Look at everything that can be wrong before anything is started.

    Raises:
        UsageError: an option makes no sense; the sentence says which.
    """
    parse_target(options.target)
    if bool(options.requests) == (options.journey is not None):
        raise UsageError("Say what a job is: --request 'GET /path' (repeatable) or --journey module:callable.")
    parse_requests(options.requests)
    if options.journey is not None:
        module, _, name = options.journey.partition(":")
        if not all(part.isidentifier() for part in [*module.split("."), name]):
            raise UsageError(f"{options.journey!r} is no journey: give it as module:callable.")
    for name in (*_FIGURES, *_COUNTS):
        value = getattr(options, name)
        if not isinstance(value, Integral if name in _COUNTS else Real):
            raise UsageError(f"{name} is {value!r}: it must be a {'whole ' * (name in _COUNTS)}number.")
    if not 0.5 <= options.confidence < 1:
        raise UsageError(f"confidence is {options.confidence}: it must be from 0.5 to below 1, such as 0.99.")
    for name in ("tolerance", "max_seconds", "max_jobs", "users"):
        if not 0 < getattr(options, name) < float("inf"):
            raise UsageError(f"{name} is {getattr(options, name)}: it must be more than 0.")
    if not 0 <= options.settle_s < options.max_seconds:
        raise UsageError(f"settle is {options.settle_s}: it must be 0 or more seconds, and less than max-seconds.")
