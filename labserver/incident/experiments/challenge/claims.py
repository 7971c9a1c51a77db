"""What is claimed of the challenge to the fix: run length, steady state, bytes by rate and time to live, a slow job."""

from collections.abc import Mapping

from labserver.incident.experiments.challenge.plateau import Grid, traced_plateau_error
from labserver.incident.experiments.challenge.run import Run
from labserver.incident.experiments.challenge.run_length import (
    ALIKE,
    Noise,
    RunLengths,
    largest_difference,
    run_verdict,
)
from labserver.incident.experiments.challenge.slow_job import SlowJob
from labserver.incident.experiments.steady_state import exhausting_rate, peak_bytes
from labserver.incident.experiments.units import MIB
from labserver.stats.interval import Interval
from labserver.suite.bound import above, at_most, between, exactly, says
from labserver.suite.declared import declares
from labserver.suite.findings import Findings

_GONE, _THERE = 410, 200
_LARGEST_ERROR = 0.1
# The curves and figures that show what is claimed.
_LEAKY_RUN = ["curves/07_leaky.csv"]
_RUN_LENGTHS, _EXTRAPOLATED = [*_LEAKY_RUN, "figures/07_curves.svg"], ["figures/07_run_length.svg"]
_STEADY = ["curves/07_steady.csv", "figures/07_steady.svg"]
_GROWING = ["curves/07_growing.csv", "figures/07_steady.svg"]
_GRID = ["curves/07_grid.csv", "figures/07_sawtooth.svg", "figures/07_grid.svg"]
_EXHAUSTION, _SLOW_JOB = ["figures/07_rate_and_heap.svg"], ["figures/07_stamp.svg"]


@declares
def run_lengths(findings: Findings, lengths: RunLengths) -> None:
    """Claim that each run was told apart between the two predicted instants, and no leaky run from the others.

    Args:
        findings: where to.
        lengths: of three times to live: the shortest, twice and four times it.
    """
    ttls = sorted(lengths.measured)
    findings.measured("told_apart_confidence", lengths.noise.confidence)
    findings.measured("noise_limit_results", lengths.limit_results)
    findings.measured("shortest_ttl_s", ttls[0], unit="s")
    why = "the soonest and the latest that the TTL, the sweep and the rate allow"
    for ttl in ttls:
        bound = between(*lengths.predicted[ttl], why)
        name = f"first_told_apart_s_ttl_{ttl / ttls[0]:.0f}"
        findings.claim(name, lengths.measured[ttl], bound, unit="s", evidence=_RUN_LENGTHS)
    none = exactly(0, "no leaky run is told apart from the others")
    findings.claim("false_alarms", lengths.false_alarms, none, unit="runs")


@declares
def original_run(findings: Findings, original: Run, noise: Noise) -> None:
    """Claim that the incident's load test, to scale, could not have told the two stores apart."""
    verdict = run_verdict(original, noise)
    bound = says(ALIKE.form)
    findings.record("original_run_verdict", verdict, holds=verdict == ALIKE, bound=bound, evidence=_LEAKY_RUN)
    findings.measured("original_run_largest_difference", largest_difference(original, noise), unit="results")


@declares
def original_length(findings: Findings, needed: tuple[float, float], *, run_s: float, confidence: float) -> None:
    """Claim that the incident's load test was too short for its time to live.

    Args:
        findings: where to.
        needed: the soonest and the latest instant, in seconds, at which the incident's stores can be told apart.
        run_s: how long its load test ran.
        confidence: of the test.
    """
    soonest, latest = needed
    findings.claim(
        "told_apart_at_original_s",
        Interval(latest, soonest, latest, confidence),
        above(run_s, "the seconds that the load test ran"),
        unit="s",
        evidence=_EXTRAPOLATED,
        text="The latest instant; the soonest is the interval's lower end.",
    )
    findings.measured("original_run_share", run_s / soonest)


@declares
def steady_load(findings: Findings, steady: Run, slopes: Mapping[str, Interval]) -> None:
    """Claim that under continuing load the heap is level with a time to live, and grows by each result without.

    Args:
        findings: where to.
        steady: the run with a time to live.
        slopes: bytes per job of `leaky` and of `ttl`.
    """
    size, leak = steady.result_bytes, slopes["leaky"]
    level = between(-size / 10, size / 10, "a tenth of a result")
    findings.claim("ttl_steady_bytes_per_job", slopes["ttl"], level, unit="B/job", evidence=_STEADY)
    growing = above(size / 2, "half a result")
    findings.claim("leaky_bytes_per_job", leak, growing, unit="B/job", evidence=_GROWING)
    bound = between(0.95, 1.15, "the traced heap grows by what the store counts, and a record")
    findings.claim("traced_per_kept_byte", leak.scaled(1 / size), bound, unit="B/B")
    error = traced_plateau_error(steady, leak.estimate)
    bound = between(-_LARGEST_ERROR, _LARGEST_ERROR, "by the traced heap")
    findings.claim("traced_plateau_error", error, bound, evidence=_STEADY[:1])


@declares
def grid(findings: Findings, grid: Grid) -> None:
    """Claim that plateau and peak of every cell are what Little's law gives."""
    bound = at_most(_LARGEST_ERROR, "in all cells")
    for name, errors in zip(("plateau", "peak"), zip(*(cell.errors for cell in grid.cells), strict=True), strict=True):
        findings.claim(f"{name}_error_max", max(map(abs, errors)), bound, evidence=_GRID)


@declares
def exhaustion(  # noqa: PLR0913 - keyword-only, each with a unit of its own
    findings: Findings,
    heaps: Mapping[str, float],
    *,
    result_bytes: float,
    larger_bytes: float,
    ttl_s: float,
    sweep_s: float,
    rate_per_s: float,
) -> None:
    """Record at which rate the incident's service fills a heap, and what its own rate needs.

    Args:
        findings: where to.
        heaps: sizes in bytes, by name.
        result_bytes: what a result of the usual size costs.
        larger_bytes: what a larger one would, of 2 MB.
        ttl_s: the incident's time to live.
        sweep_s: its seconds between two sweeps.
        rate_per_s: its jobs per second.
    """
    findings.measured("result_bytes", result_bytes, unit="B")
    for name, heap in heaps.items():
        rate = exhausting_rate(heap, ttl_s, sweep_s, result_bytes)
        findings.measured(f"rate_that_exhausts_{name}_per_s", rate, unit="1/s", evidence=_EXHAUSTION)
    for name, size in (("original_rate_heap_mib", result_bytes), ("original_rate_heap_mib_at_2_mb", larger_bytes)):
        findings.measured(name, peak_bytes(rate_per_s, ttl_s, sweep_s, size) / MIB, unit="MiB")


@declares
def slow_jobs(findings: Findings, by_completion: SlowJob, by_submission: SlowJob, *, sweep_s: float) -> None:
    """Claim that a slow job's result is there to be read only where its age counts from its completion."""
    why = "the HTTP status for a client who asks two sweeps after the completion"
    for name, job, status in (("", by_completion, _THERE), ("_if_stamped_at_submission", by_submission, _GONE)):
        answer = job.answer_after(2 * sweep_s)
        findings.claim(f"slow_job_answer{name}", answer, exactly(status, why), evidence=_SLOW_JOB)
        findings.measured(f"slow_job_kept{name}_s", job.kept_s, unit="s")
