"""What is claimed of the leak: how much a job leaves behind, who holds it, and that the fix gives it back."""

import math
from collections.abc import Mapping

from labserver.diagnosis.verdict import Verdict
from labserver.heap.monitor import Jitter
from labserver.incident.experiments.leak.run import Experiment, Workload
from labserver.incident.experiments.leak.trace import GrowthTrace, service_line
from labserver.incident.experiments.units import MIB
from labserver.load import Summary
from labserver.suite.bound import above, at_least, between, exactly, says
from labserver.suite.declared import declares
from labserver.suite.findings import Findings

_STORE = "JobStore._jobs"
_EVERY_CHECK = exactly(1, "every check passes", percent=True)
# Shares of a result. Faces differ in size, so the PNGs that users fetched stand for those that the store kept only to
# within some percent; a hundredth of a result is far less than any one that is kept.
_PNG_SHARE, _NO_INTEREST = 0.02, 0.01
# The curves and figures that show what is claimed.
_LEAK = ["curves/02_leaky.csv", "figures/02_heap_over_time.svg", "figures/02_heap_over_jobs.svg"]
_TRACE = ["curves/03_leaky.csv", "figures/03_chain.svg", "figures/03_growth_by_site.svg"]
_BOTH = "figures/04_both_modes.svg", "figures/04_floors.svg"
_BEFORE, _AFTER = ["curves/04_leaky.csv", *_BOTH], ["curves/04_ttl.csv", *_BOTH]


@declares
def load(findings: Findings, summary: Summary, load: Workload) -> None:
    """Record what was driven in the first cycle, and whether its figures can be trusted."""
    findings.measured("users", load.users)
    findings.measured("duration_s", load.duration_s, unit="s")
    findings.measured("poll_interval_s", load.poll_interval_s, unit="s")
    most = math.floor(load.users * (load.duration_s / load.poll_interval_s + 1))
    iterations = between(load.users, most, "at least one a user, at most what the poll interval allows")
    findings.claim("iterations", summary.iterations, iterations)
    findings.measured("iteration_rate", summary.iteration_rate, unit="1/s")
    findings.claim("checks_rate", summary.check_rate, _EVERY_CHECK)
    findings.claim("littles_law_ratio", summary.littles_law.ratio, between(0.75, 1.05, "N = X·R"))


@declares
def answers(findings: Findings, summary: Summary, sample_interval_s: float, jitter: Jitter) -> None:
    """Record the service's response times in the first cycle, and the monitor's lateness."""
    duration = summary.http_req_duration["all"]
    findings.measured("http_req_duration_avg_ms", _milliseconds(duration.avg), unit="ms")
    findings.measured("http_req_duration_p95_ms", _milliseconds(duration.p95), unit="ms")
    findings.measured("sample_interval_s", sample_interval_s, unit="s")
    findings.measured("sample_jitter_p95_ms", _milliseconds(jitter.p95_s), unit="ms")


@declares
def leak(findings: Findings, leaky: Experiment, png_bytes: float, record_bytes: float) -> None:
    """Record that a job costs its PNG and its record, no more and no less.

    Args:
        findings: where they go.
        leaky: with a floor after each cycle.
        png_bytes: a PNG's mean size.
        record_bytes: what the store keeps of a job besides.
    """
    findings.measured("png_bytes_mean", png_bytes, unit="B")
    findings.measured("record_bytes", record_bytes, unit="B")
    expected, tolerance = png_bytes + record_bytes, _PNG_SHARE * png_bytes
    verdict = leaky.decide(tolerance=tolerance).verdict
    words = says("leak: more than {tolerance:,.0f} B/job, and not slowing down", tolerance=tolerance)
    findings.record("verdict", str(verdict), holds=verdict is Verdict.LEAK, bound=words)
    last = leaky.floors[-1]
    findings.claim("jobs_kept", last.live_jobs, exactly(last.finished_jobs, "every finished job"))
    bound = between(expected - tolerance, expected + tolerance, "a PNG and its record, within 2 % of a PNG")
    findings.claim("leak_bytes_per_job", leaky.bytes_per_job(), bound, unit="B/job", evidence=_LEAK)


@declares
def trace(findings: Findings, trace: GrowthTrace) -> None:
    """Record that the new buffers are one a job, and that the store's dictionary holds them and nearly all growth.

    Args:
        findings: where they go.
        trace: of the leaky store.
    """
    top = trace.top_holder()
    in_store = says("the job store's dictionary")
    findings.record("holder", top.holder, holds=_STORE in top.holder, bound=in_store, evidence=_TRACE)
    findings.claim("buffers", top.buffers, exactly(trace.jobs, "one for each finished job"))
    findings.claim("share_of_growth", top.retained_bytes / trace.growth_bytes, between(0.95, 1.05))
    retained = at_least(top.retained_bytes, "no less than what came")
    findings.claim("retained_bytes", top.holder_retained_bytes, retained, unit="B")
    line = service_line(top.allocated_at)
    own = line.file.startswith("labserver/incident/service/")
    findings.record("allocated_at", str(line), holds=own, bound=says("a line of the service"))


@declares
def objgraph(findings: Findings, trace: GrowthTrace) -> None:
    """Record that objgraph, which searches the other way round, ends in the same store."""
    path = trace.objgraph_path
    agrees = path is not None and _STORE in path
    findings.measured("objgraph_path", path or "no chain found")
    same = says("objgraph's chain ends in the same store")
    findings.record("objgraph_agrees", agrees, holds=agrees, bound=same)


@declares
def drain(findings: Findings, waited_s: float, *, ttl_s: float, sweep_s: float) -> None:
    """Record that the fixed store's last floor came when every result had outlived its time, in real time."""
    findings.claim("drain_s", waited_s, above(ttl_s + sweep_s, "the TTL and a sweep"), unit="s")
    findings.measured("ttl_s", ttl_s, unit="s")
    findings.measured("sweep_s", sweep_s, unit="s")


@declares
def loads(findings: Findings, stores: Mapping[str, Experiment], png_bytes: float) -> None:
    """Record what both stores were given, and what it left in the heap.

    Args:
        findings: where they go.
        stores: by their names in the findings.
        png_bytes: a PNG's mean size, of both.
    """
    findings.measured("png_bytes_mean", png_bytes, unit="B")
    for name, store in stores.items():
        first, last = store.floors[0], store.floors[-1]
        checks = min(summary.check_rate or 0.0 for summary in store.summaries())
        findings.claim(f"{name}_checks_rate", checks, _EVERY_CHECK)
        findings.measured(f"{name}_jobs", last.finished_jobs)
        findings.measured(f"{name}_growth_mib", (last.traced_bytes - first.traced_bytes) / MIB, unit="MiB")


@declares
def before(findings: Findings, leaky: Experiment, png_bytes: float) -> None:
    """Record that before the fix every job is kept, and leaves at least half a result behind."""
    last, verdict = leaky.floors[-1], leaky.decide(tolerance=_NO_INTEREST * png_bytes).verdict
    words = says("leak: more than 1 % of a result per job")
    findings.record("leaky_verdict", str(verdict), holds=verdict is Verdict.LEAK, bound=words)
    findings.claim("leaky_jobs_kept", last.live_jobs, exactly(last.finished_jobs, "every finished job"))
    half = above(png_bytes / 2, "half a result")
    findings.claim("leaky_bytes_per_job", leaky.bytes_per_job(), half, unit="B/job", evidence=_BEFORE)


@declares
def after(findings: Findings, fixed: Experiment, png_bytes: float) -> None:
    """Record that after the fix no job is kept, and that none leaves anything behind that could be told from 0."""
    most = _NO_INTEREST * png_bytes
    verdict = fixed.decide(tolerance=most).verdict
    words = says("no-leak: less than 1 % of a result per job")
    findings.record("ttl_verdict", str(verdict), holds=verdict is Verdict.NO_LEAK, bound=words)
    findings.claim("ttl_jobs_kept", fixed.floors[-1].live_jobs, exactly(0))
    findings.measured("ttl_jobs_swept", fixed.swept_while_waiting)
    nothing = between(-most, most, "1 % of a result", covers=0)
    findings.claim("ttl_bytes_per_job", fixed.bytes_per_job(), nothing, unit="B/job", evidence=_AFTER)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
