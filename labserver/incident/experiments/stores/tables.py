"""The comparison's tables, as Markdown."""

from collections.abc import Callable, Sequence

from labserver.incident.experiments.stores.promises import ELSEWHERE
from labserver.incident.experiments.stores.reasons import reasons
from labserver.incident.experiments.stores.run import Comparison
from labserver.incident.experiments.stores.store_run import StoreRun
from labserver.incident.experiments.table import Table


def bytes_kept(comparison: Comparison) -> Table:
    """What each store kept, by its own books and by what was found."""
    header = ["peak, kB", "after the drain, kB", "found then in the heap, kB", "largest gap, kB", "where"]
    return _by_store(comparison, header, _bytes)


def answers(comparison: Comparison) -> Table:
    """What the clients met."""
    header = ["lost unread", "refused (503)", "late: TTL − ε / TTL + ε / swept", "second fetch",
              "long job: meanwhile / after", "failed records left"]  # fmt: skip
    return _by_store(comparison, header, _answers)


def costs(comparison: Comparison) -> Table:
    """What each store cost."""
    return _by_store(comparison, ["threads at peak", "CPU per job, ms", "p(95) of all requests, ms"], _cost)


def rejected(comparison: Comparison) -> Table:
    """The alternatives that the original rejected: its reason, and whether it holds."""
    rows = [
        [f"`{reason.store}`", reason.original, f"**{reason.verdict}**", reason.measured, f"`{reason.finding}`"]
        for reason in reasons(comparison.runs)
    ]
    return Table.of(["alternative", "rejected because", "that reason", "measured", "finding"], rows)


def _by_store(comparison: Comparison, header: Sequence[str], cells: Callable[[StoreRun], list[str]]) -> Table:
    """A row a store, those that could not be measured at the end, each with its reason."""
    rows = [[f"`{name}`", *cells(run)] for name, run in comparison.runs.items()]
    missing = [
        [f"`{name}`", f"not measured: {reason}", *[""] * (len(header) - 1)]
        for name, reason in comparison.missing.items()
    ]
    return Table.of(["store", *header], [*rows, *missing])


def _bytes(run: StoreRun) -> list[str]:
    sizes = (run.peak_bytes, run.drained.kept_bytes, run.drained.heap_bytes, run.unaccounted_bytes)
    return [*(f"{size / 1000:,.0f}" for size in sizes), ELSEWHERE.get(run.store, "in the heap")]


def _answers(run: StoreRun) -> list[str]:
    late, long_job = run.late_answers.replace("/", " / "), " / ".join(map(str, run.long_job))
    return [f"{run.lost_unread}", f"{run.refused}", late, run.second_fetch, long_job, f"{run.failed_kept}"]


def _cost(run: StoreRun) -> list[str]:
    return [f"{run.threads_peak}", f"{run.cpu_ms_per_job:.1f}", f"{run.p95_ms:.0f}"]
