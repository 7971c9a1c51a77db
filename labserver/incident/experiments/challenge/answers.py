"""What each experiment of the challenge answers, in the figures of the run."""

from collections.abc import Mapping

from labserver.incident.experiments.answer import Answer
from labserver.incident.experiments.challenge.plateau import Grid
from labserver.incident.experiments.challenge.run_length import RunLengths
from labserver.incident.experiments.challenge.slow_job import SlowJob
from labserver.incident.experiments.units import mebibytes
from labserver.stats.interval import Interval
from labserver.suite.bound import Phrase
from labserver.text import formatted


def run_length(lengths: RunLengths, original: Phrase, needed: tuple[float, float], *, run_s: float) -> Answer:
    """When each time to live was seen, and when the incident's would be.

    Args:
        lengths: of the short times to live.
        original: the verdict on the incident's load test, to scale.
        needed: the soonest and the latest instant, in seconds, for the incident's time to live.
        run_s: how long its load test ran.
    """
    seen = [
        f"that of {ttl:g} s " + ("not at all" if apart is None else f"after {apart:.2f} s")
        for ttl, apart in lengths.measured.items()
    ]
    soonest, latest = needed
    return Answer.of(
        f"When each TTL was told apart from the leaky store: {', '.join(seen)}.",
        f"By the same rule the incident's TTL shows after {soonest:,.0f} to {latest:,.0f} s. Its load test ran "
        f"{run_s:g} s; to scale, the verdict on it is: {original}.",
    )


def bytes_kept(slopes: Mapping[str, Interval], grid: Grid, *, heap_bytes: float, rate_per_s: float) -> Answer:
    """What stays under continuing load, how far the formulas were off, and the rate that fills a heap.

    Args:
        slopes: bytes per job of `leaky` and of `ttl`.
        grid: of rates and times to live.
        heap_bytes: of the heap that is filled.
        rate_per_s: of jobs that fill it, with the incident's time to live.
    """
    errors = [abs(error) for cell in grid.cells for error in cell.errors]
    return Answer.of(
        f"While the load goes on, a job leaves {slopes['ttl']} in the store with a TTL, and {slopes['leaky']} in the "
        f"leaky one.",
        f"Plateaus and peaks are off the formulas by at most {formatted(max(errors), '.1%')}.",
        f"With the incident's TTL and sweep, {rate_per_s:.2f} jobs a second fill {mebibytes(heap_bytes, 0)}.",
    )


def slow_job(by_completion: SlowJob, by_submission: SlowJob, *, sweep_s: float) -> Answer:
    """How long the slow job's result could be had, and what a client was told two sweeps after the completion."""
    return Answer.of(
        *(
            f"Counted from the {job.age_from}, the result could be had for {job.kept_s:.2f} s after the job was done; "
            f"two sweeps after it, the answer was {job.answer_after(2 * sweep_s)}."
            for job in (by_completion, by_submission)
        )
    )
