"""What is claimed of the challenge to the fix: run length, steady state, bytes by rate and time to live, a slow job."""

from collections.abc import Mapping, Sequence

from labserver.incident.experiments.challenge.plateau import Grid, traced_plateau_error
from labserver.incident.experiments.challenge.run import Run
from labserver.incident.experiments.challenge.run_length import Noise, RunLengths, largest_difference, told_apart_s
from labserver.incident.experiments.challenge.slow_job import SlowJob
from labserver.incident.experiments.steady_state import exhausting_rate, peak_bytes
from labserver.incident.experiments.units import MIB
from labserver.stats.interval import Interval
from labserver.suite.bound import Phrase, above, at_most, between, exactly, says
from labserver.suite.findings import Findings

_GONE, _THERE = 410, 200
_LARGEST_ERROR = 0.1
_ALIKE = Phrase("cannot be told apart")


def record_run_lengths(findings: Findings, lengths: RunLengths, evidence: Sequence[str]) -> None:
    """Claim that each run was told apart between the two predicted instants, and no leaky run from the others.

    Args:
        findings: where to.
        lengths: of three times to live: the shortest, twice and four times it.
        evidence: files of curves and figures.
    """
    ttls = sorted(lengths.measured)
    findings.measured("told_apart_confidence", lengths.noise.confidence)
    findings.measured("noise_limit_results", lengths.limit_results)
    findings.measured("shortest_ttl_s", ttls[0], unit="s")
    why = "the soonest and the latest that the TTL, the sweep and the rate allow"
    for ttl in ttls:
        bound = between(*lengths.predicted[ttl], why)
        name = f"first_told_apart_s_ttl_{ttl / ttls[0]:.0f}"
        findings.claim(name, lengths.measured[ttl], bound, unit="s", evidence=evidence)
    none = exactly(0, "no leaky run is told apart from the others")
    findings.claim("false_alarms", lengths.false_alarms, none, unit="runs")


def run_verdict(run: Run, noise: Noise) -> Phrase:
    """Whether the test told a run apart from the leaky ones, and when."""
    apart = told_apart_s(run, noise)
    return _ALIKE if apart is None else Phrase("told apart after {seconds:.2f} s", {"seconds": apart})


def record_original_run(findings: Findings, original: Run, noise: Noise, evidence: Sequence[str]) -> None:
    """Claim that the incident's load test, to scale, could not have told the two stores apart."""
    verdict = run_verdict(original, noise)
    bound = says(_ALIKE.form)
    findings.record("original_run_verdict", verdict, holds=verdict == _ALIKE, bound=bound, evidence=evidence)
    findings.measured("original_run_largest_difference", largest_difference(original, noise), unit="results")


def record_original_length(
    findings: Findings, needed: tuple[float, float], *, run_s: float, confidence: float, evidence: Sequence[str]
) -> None:
    """Claim that the incident's load test was too short for its time to live.

    Args:
        findings: where to.
        needed: the soonest and the latest instant, in seconds, at which the incident's stores can be told apart.
        run_s: how long its load test ran.
        confidence: of the test.
        evidence: files of figures.
    """
    soonest, latest = needed
    findings.claim(
        "told_apart_at_original_s",
        Interval(latest, soonest, latest, confidence),
        above(run_s, "the seconds that the load test ran"),
        unit="s",
        evidence=evidence,
        text="The latest instant; the soonest is the interval's lower end.",
    )
    findings.measured("original_run_share", run_s / soonest)


def record_steady_load(findings: Findings, steady: Run, slopes: Mapping[str, Interval], figure: str) -> None:
    """Claim that under continuing load the heap is level with a time to live, and grows by each result without.

    Args:
        findings: where to.
        steady: the run with a time to live.
        slopes: bytes per job of `leaky` and of `ttl`.
        figure: the evidence beside the curves.
    """
    size, leak = steady.result_bytes, slopes["leaky"]
    level = between(-size / 10, size / 10, "a tenth of a result")
    shown = ["curves/07_steady.csv", figure]
    findings.claim("ttl_steady_bytes_per_job", slopes["ttl"], level, unit="B/job", evidence=shown)
    growing = above(size / 2, "half a result")
    shown = ["curves/07_growing.csv", figure]
    findings.claim("leaky_bytes_per_job", leak, growing, unit="B/job", evidence=shown)
    bound = between(0.95, 1.15, "the traced heap grows by what the store counts, and a record")
    findings.claim("traced_per_kept_byte", leak.scaled(1 / size), bound, unit="B/B")
    error = traced_plateau_error(steady, leak.estimate)
    bound = between(-_LARGEST_ERROR, _LARGEST_ERROR, "by the traced heap")
    findings.claim("traced_plateau_error", error, bound, evidence=["curves/07_steady.csv"])


def record_grid(findings: Findings, grid: Grid, evidence: Sequence[str]) -> None:
    """Claim that plateau and peak of every cell are what Little's law gives."""
    bound = at_most(_LARGEST_ERROR, "in all cells")
    for name, errors in zip(("plateau", "peak"), zip(*(cell.errors for cell in grid.cells), strict=True), strict=True):
        findings.claim(f"{name}_error_max", max(map(abs, errors)), bound, evidence=evidence)


def record_exhaustion(  # noqa: PLR0913 - keyword-only, each with a unit of its own
    findings: Findings,
    heaps: Mapping[str, float],
    *,
    result_bytes: float,
    larger_bytes: float,
    ttl_s: float,
    sweep_s: float,
    rate_per_s: float,
    evidence: Sequence[str],
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
        evidence: files of figures.
    """
    findings.measured("result_bytes", result_bytes, unit="B")
    for name, heap in heaps.items():
        rate = exhausting_rate(heap, ttl_s, sweep_s, result_bytes)
        findings.measured(f"rate_that_exhausts_{name}_per_s", rate, unit="1/s", evidence=evidence)
    for name, size in (("original_rate_heap_mib", result_bytes), ("original_rate_heap_mib_at_2_mb", larger_bytes)):
        findings.measured(name, peak_bytes(rate_per_s, ttl_s, sweep_s, size) / MIB, unit="MiB")


def record_slow_jobs(
    findings: Findings, by_completion: SlowJob, by_submission: SlowJob, *, sweep_s: float, evidence: Sequence[str]
) -> None:
    """Claim that a slow job's result is there to be read only where its age counts from its completion."""
    why = "the HTTP status for a client who asks two sweeps after the completion"
    for name, job, status in (("", by_completion, _THERE), ("_if_stamped_at_submission", by_submission, _GONE)):
        answer = job.answer_after(2 * sweep_s)
        findings.claim(f"slow_job_answer{name}", answer, exactly(status, why), evidence=evidence)
        findings.measured(f"slow_job_kept{name}_s", job.kept_s, unit="s")
