"""What was seen of a service under its own traffic: the looks, the jobs by then, and what holders kept at each."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from labserver.diagnosis.decide.evidence import Gain

HOUR_S = 3600.0


class Unit(StrEnum):
    """What growth is held against."""

    JOB = "job"
    HOUR = "hour"


@dataclass(frozen=True)
class Observation:
    """What was seen since the baseline.

    Attributes:
        seconds: at each look, ascending.
        jobs: finished by then; None where nobody counts them.
        sizes: bytes of all objects beyond those of the baseline, without what waits for the collector.
        gains: the holders that keep more than at the baseline, with their cohorts at each look.
    """

    seconds: tuple[float, ...]
    jobs: tuple[int, ...] | None
    sizes: tuple[float, ...]
    gains: tuple[Gain, ...] = ()

    @property
    def unit(self) -> Unit:
        """What growth is held against."""
        return Unit.HOUR if self.jobs is None else Unit.JOB

    @cached_property
    def done(self) -> tuple[float, ...]:
        """How much was done by each look, in jobs or in hours."""
        return tuple(each / HOUR_S for each in self.seconds) if self.jobs is None else tuple(map(float, self.jobs))

    @property
    def hours(self) -> float:
        """Of the whole observation."""
        return self.seconds[-1] / HOUR_S if self.seconds else 0.0

    @property
    def per_hour(self) -> float:
        """Units in an hour, on the average: jobs, or 1."""
        return self.done[-1] / self.hours if self.hours else 0.0
