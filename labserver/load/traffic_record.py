"""What a run of traffic went like, request by request: plain values, with the arithmetic that experiments share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Job:
    """One iteration of a user, or one arrival.

    Attributes:
        start_s: when it began, seconds after the run did.
        seconds: how long it took; None where the end of the run cut it off.
        ok: whether it ended in a face.
        status: of its first request's answer; None without one.
        error: why that request got no whole answer.
        retry_after: what the first answer's header of that name said.
    """

    start_s: float
    seconds: float | None
    ok: bool
    status: int | None
    error: str | None
    retry_after: str | None

    @property
    def end_s(self) -> float:
        """When it ended; infinite for one that was cut off."""
        return float("inf") if self.seconds is None else self.start_s + self.seconds


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at `/health`: when it began, and how long the answer took; None without one."""

    start_s: float
    seconds: float | None


@dataclass(frozen=True, slots=True)
class TrafficRecord:
    """A whole run.

    Attributes:
        began: on the clock of `time.monotonic`, which all processes of a machine share.
        duration_s: seconds in which jobs could begin.
        jobs: in no order.
        probes: in the order in which they began.
    """

    began: float
    duration_s: float
    jobs: tuple[Job, ...]
    probes: tuple[Probe, ...]

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "TrafficRecord":
        """The record that the worker sent."""
        jobs = tuple(Job(*values) for values in plain["jobs"])
        probes = tuple(sorted((Probe(*values) for values in plain["probes"]), key=lambda probe: probe.start_s))
        return cls(plain["began"], plain["duration_s"], jobs, probes)

    def finished(self, from_s: float, to_s: float) -> list[Job]:
        """The jobs that ended in a face within a window."""
        return [job for job in self.jobs if job.ok and from_s <= job.end_s < to_s]

    def backlog(self, times_s: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """How many jobs had begun and not ended at each instant."""
        began = np.sort([job.start_s for job in self.jobs])
        ended = np.sort([job.end_s for job in self.jobs])
        times = np.asarray(times_s)
        counts = np.searchsorted(began, times, "right") - np.searchsorted(ended, times, "right")
        return np.asarray(counts, dtype=float)

    def health_s(self, from_s: float, to_s: float) -> npt.NDArray[np.float64]:
        """The times of the looks that began within a window; infinite where there was no answer."""
        looks = [probe for probe in self.probes if from_s <= probe.start_s < to_s]
        return np.array([float("inf") if look.seconds is None else look.seconds for look in looks])
