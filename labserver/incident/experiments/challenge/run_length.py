"""The run length at which a leaky store and one with a time to live can first be told apart, by their heaps.

Both get the same arrivals, so that up to the first sweep after the time to live they do the same. The test compares the
heap at equal numbers of finished jobs with that of leaky runs, and looks again after each job. Its limit is Student's t
on the scatter between leaky runs, with the error shared out evenly over all looks (Bonferroni), and at least one
result: less than that is no difference in what a store keeps. Two looks in a row must lie beyond it, because what a
job under way holds for a moment is none either.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labserver.incident.experiments.challenge.arrivals import Array
from labserver.incident.experiments.challenge.run import Run
from labserver.incident.experiments.measured import Measured
from labserver.stats.student import t_quantile
from labserver.suite.bound import Phrase

ALIKE = Phrase("cannot be told apart")
"""The verdict on a run that the test found no difference in."""

_LOOKS_IN_A_ROW = 2


@dataclass(frozen=True, slots=True)
class Noise(Measured):
    """How far runs of one and the same store scatter.

    Attributes:
        reference: the leaky runs' mean heap by finished jobs, in bytes.
        limit_bytes: a difference beyond it is none of chance, at the stated confidence over all looks together.
        confidence: the same as a share.
        looks: at how many numbers of finished jobs a run is compared at most.
    """

    reference: dict[int, float]
    limit_bytes: float
    confidence: float
    looks: int


@dataclass(frozen=True, slots=True)
class RunLengths(Measured):
    """When each run with a time to live was told apart from the leaky ones, and when it should have been.

    Attributes:
        noise: how far the leaky runs scatter.
        limit_results: the test's limit, in results.
        measured: seconds by time to live; None where the test saw no difference.
        predicted: the soonest and the latest instant in seconds, by time to live.
        false_alarms: how many of the leaky runs the test tells apart from the others.
    """

    noise: Noise
    limit_results: float
    measured: dict[float, float | None]
    predicted: dict[float, tuple[float, float]]
    false_alarms: int

    @classmethod
    def of(cls, leaky: Sequence[Run], fixed: Sequence[Run], *, confidence: float) -> "RunLengths":
        """What three or more leaky runs and those with a time to live say, at a confidence over all looks."""
        noise = noise_between(leaky, confidence=confidence)
        return cls(
            noise,
            noise.limit_bytes / leaky[0].result_bytes,
            {run.settings.ttl_s: told_apart_s(run, noise) for run in fixed},
            {run.settings.ttl_s: predicted_for(run, noise) for run in fixed},
            false_alarms(leaky, confidence=confidence),
        )


def noise_between(runs: Sequence[Run], *, confidence: float) -> Noise:
    """What leaky runs under the same load say of chance.

    Args:
        runs: two or more.
        confidence: that a run of the same store stays within the limit at all looks.
    """
    heaps = [_by_jobs(run) for run in runs]
    common = sorted(set.intersection(*(set(heap) for heap in heaps)))
    table = np.array([[heap[number] for number in common] for heap in heaps])
    dof = (len(runs) - 1) * len(common)
    deviation = math.sqrt(float(((table - table.mean(axis=0)) ** 2).sum()) / dof)
    quantile = t_quantile(1 - (1 - confidence) / (2 * len(common)), dof)
    limit = quantile * deviation * math.sqrt(1 + 1 / len(runs))
    reference = dict(zip(common, table.mean(axis=0).tolist(), strict=True))
    return Noise(reference, max(limit, runs[0].result_bytes), confidence, len(common))


def differences(run: Run, noise: Noise) -> tuple[Array, Array, Array]:
    """Finished jobs, seconds, and the heap's bytes above the leaky runs'; each of shape (k,)."""
    known = np.array([int(number) in noise.reference for number in run.jobs], dtype=bool)
    expected = np.array([noise.reference[int(number)] for number in run.jobs[known]])
    return run.jobs[known], run.since_s[known], run.heap[known] - expected


def told_apart_s(run: Run, noise: Noise) -> float | None:
    """The run length in seconds at which the test first says that this is not the leaky store, or None."""
    _, seconds, bytes_above = differences(run, noise)
    beyond = np.abs(bytes_above) > noise.limit_bytes
    rows = np.lib.stride_tricks.sliding_window_view(beyond, min(_LOOKS_IN_A_ROW, beyond.size)).all(axis=1)
    return float(seconds[np.argmax(rows) + _LOOKS_IN_A_ROW - 1]) if rows.any() else None


def run_verdict(run: Run, noise: Noise) -> Phrase:
    """Whether the test told a run apart from the leaky ones, and when."""
    apart = told_apart_s(run, noise)
    return ALIKE if apart is None else Phrase("told apart after {seconds:.2f} s", {"seconds": apart})


def false_alarms(runs: Sequence[Run], *, confidence: float) -> int:
    """How many of some leaky runs, three or more, the test tells apart from the others."""
    alarms = 0
    for number, run in enumerate(runs):
        others = noise_between([*runs[:number], *runs[number + 1 :]], confidence=confidence)
        alarms += told_apart_s(run, others) is not None
    return alarms


def predicted_s(
    ttl_s: float, sweep_s: float, *, rate_per_s: float, first_s: float, limit_results: float
) -> tuple[float, float]:
    """From when on the stores can be told apart, and by when they surely are; both in seconds since the first arrival.

    Before the first result is one time to live old, nothing differs. After that the results that are missing must
    exceed the limit, the next sweep takes up to one period, and the test looks when a job has finished, and once more.

    Args:
        ttl_s: the time to live.
        sweep_s: seconds between two sweeps.
        rate_per_s: jobs that finish per second.
        first_s: when the first job has finished.
        limit_results: the test's limit in results.
    """
    soonest = ttl_s + first_s
    return soonest, soonest + (math.ceil(limit_results) + _LOOKS_IN_A_ROW) / rate_per_s + sweep_s


def predicted_for(run: Run, noise: Noise) -> tuple[float, float]:
    """The same for a run that was made: the latest instant is put off by what the machine was late."""
    settings = run.settings
    soonest, latest = predicted_s(
        settings.ttl_s,
        settings.sweep_s,
        rate_per_s=run.rate_per_s,
        first_s=run.first_s,
        limit_results=noise.limit_bytes / run.result_bytes,
    )
    return soonest, latest + run.late_s


def largest_difference(run: Run, noise: Noise) -> float:
    """How far the run's heap was ever from the leaky ones', in results."""
    return float(np.abs(differences(run, noise)[2]).max() / run.result_bytes)


def _by_jobs(run: Run) -> dict[int, float]:
    return {int(number): float(heap) for number, heap in zip(run.jobs, run.heap, strict=True)}
