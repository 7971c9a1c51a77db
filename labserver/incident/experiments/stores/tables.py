"""The comparison's tables, as Markdown."""

from labserver.incident.experiments.stores.promises import ELSEWHERE
from labserver.incident.experiments.stores.reasons import reasons
from labserver.incident.experiments.stores.run import Comparison
from labserver.incident.experiments.stores.store_run import StoreRun
from labserver.incident.experiments.table import table


def bytes_kept(comparison: Comparison) -> str:
    """What each store kept, by its own books and by what was found."""
    header = [
        "store",
        "peak, kB",
        "after the drain, kB",
        "found then in the heap, kB",
        "largest gap, kB",
        "where",
    ]
    rows = [
        [
            f"`{name}`",
            _kb(run.peak_bytes),
            _kb(run.drained.kept_bytes),
            _kb(run.drained.heap_bytes),
            _kb(run.unaccounted_bytes),
            ELSEWHERE.get(name, "in the heap"),
        ]
        for name, run in comparison.runs.items()
    ]
    return table(header, [*rows, *_missing(comparison, len(header))])


def answers(comparison: Comparison) -> str:
    """What the clients met."""
    header = [
        "store",
        "lost unread",
        "refused (503)",
        "late: TTL − ε / TTL + ε / swept",
        "second fetch",
        "long job: meanwhile / after",
        "failed records left",
    ]
    rows = [
        [
            f"`{name}`",
            f"{run.lost_unread}",
            f"{run.refused}",
            run.late_answers.replace("/", " / "),
            run.second_fetch,
            " / ".join(map(str, run.long_job)),
            f"{run.failed_kept}",
        ]
        for name, run in comparison.runs.items()
    ]
    return table(header, [*rows, *_missing(comparison, len(header))])


def costs(comparison: Comparison) -> str:
    """What each store cost."""
    header = ["store", "threads at peak", "CPU per job, ms", "p(95) of all requests, ms"]
    rows = [[f"`{name}`", *_cost(run)] for name, run in comparison.runs.items()]
    return table(header, [*rows, *_missing(comparison, len(header))])


def rejected(comparison: Comparison) -> str:
    """The alternatives that the original rejected: its reason, and whether it holds."""
    rows = [
        [f"`{reason.store}`", reason.original, f"**{reason.verdict}**", reason.measured, f"`{reason.finding}`"]
        for reason in reasons(comparison.runs)
    ]
    return table(["alternative", "rejected because", "that reason", "measured", "finding"], rows)


def _cost(run: StoreRun) -> list[str]:
    return [f"{run.threads_peak}", f"{run.cpu_ms_per_job:.1f}", f"{run.p95_ms:.0f}"]


def _missing(comparison: Comparison, columns: int) -> list[list[str]]:
    return [
        [f"`{name}`", f"not measured: {reason}", *[""] * (columns - 2)] for name, reason in comparison.missing.items()
    ]


def _kb(size: int) -> str:
    return f"{size / 1000:,.0f}"
