"""The tables of the leak and of its fix, as Markdown."""

from collections.abc import Sequence

from labserver.diagnosis.holders.find import Holder
from labserver.incident.experiments.leak.run import Experiment, Workload
from labserver.incident.experiments.table import Table
from labserver.incident.experiments.units import MIB, mebibytes
from labserver.load import Summary
from labserver.text import formatted


def reproduction(summary: Summary, load: Workload) -> Table:
    """What the incident's own load test reported, beside a load run here."""
    duration = summary.http_req_duration["all"]
    rows = [
        ["virtual users × duration", "5 × 30 s", f"{load.users} × {load.duration_s:g} s"],
        ["poll interval", "3 s", f"{load.poll_interval_s:g} s"],
        ["iterations", "50", f"{summary.iterations}"],
        ["iterations, rate", "1.48/s", f"{summary.iteration_rate:.2f}/s"],
        ["http_req_duration, avg", "29.8 ms", _milliseconds(duration.avg)],
        ["http_req_duration, p(95)", "110.15 ms", _milliseconds(duration.p95)],
        ["checks passed", "100 %", _share(summary.check_rate)],
    ]
    return Table.of(["figure", "original", "this run"], rows)


def holders(found: Sequence[Holder], growth_bytes: int) -> Table:
    """Who holds what is new, the most bytes first."""
    rows = [
        [
            f"`{holder.path}`",
            f"{holder.buffers:,}",
            mebibytes(holder.retained_bytes),
            formatted(holder.retained_bytes / growth_bytes, ".1%"),
            mebibytes(holder.holder_retained_bytes),
        ]
        for holder in found
    ]
    return Table.of(["held along", "new buffers", "bytes that came", "share of growth", "holder retains"], rows)


def before_and_after(before: Experiment, after: Experiment) -> Table:
    """Both stores' figures at the same instants of the same protocol."""
    columns = [_verified(before), _verified(after)]
    rows = [[name, columns[0][name], columns[1][name]] for name in columns[0]]
    return Table.of(["figure", f"before (`{before.store}`)", f"after (`{after.store}`)"], rows)


def _verified(run: Experiment) -> dict[str, str]:
    first, last = run.floors[0], run.floors[-1]
    growth = last.traced_bytes - first.traced_bytes
    checks = min(summary.check_rate or 0.0 for summary in run.summaries())
    return {
        "retained per finished job": str(run.bytes_per_job()),
        "heap at the first floor": mebibytes(first.traced_bytes),
        "heap after the last drain": f"{mebibytes(last.traced_bytes)} ({growth / MIB:+,.2f})",
        "jobs finished in the cycles": f"{last.finished_jobs - first.finished_jobs}",
        "jobs kept after the last drain": f"{last.live_jobs}",
        "checks passed under load": _share(checks),
    }


def _share(rate: float | None) -> str:
    return "—" if rate is None else formatted(rate, ".0%")


def _milliseconds(seconds: float | None) -> str:
    return "—" if seconds is None else f"{seconds * 1e3:.1f} ms"
