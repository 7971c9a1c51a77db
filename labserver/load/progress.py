from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        elapsed_s: seconds since it began.
        iterations: finished so far.
        running: users still at work.
        failed_checks: so far.
        rate: finished iterations a second so far.
    """

    elapsed_s: float
    iterations: int
    running: int
    failed_checks: int
    rate: float
