"""The tables of the challenge to the fix, as Markdown."""

from collections.abc import Mapping, Sequence

from labserver.incident.experiments.challenge.plateau import Grid
from labserver.incident.experiments.steady_state import exhausting_rate
from labserver.incident.experiments.table import Table
from labserver.incident.experiments.units import mebibytes
from labserver.text import formatted


def run_lengths(measured: Mapping[float, float | None], predicted: Mapping[float, tuple[float, float]]) -> Table:
    """Measured and predicted run length by time to live, the incident's own included."""
    rows = []
    for ttl, (soonest, latest) in predicted.items():
        apart = measured.get(ttl)
        seen = f"{apart:.2f} s" if apart is not None else "not told apart" if ttl in measured else "—"
        rows.append([f"{ttl:g} s", f"{soonest:,.2f} to {latest:,.2f} s", seen])
    return Table.of(["TTL", "predicted", "measured"], rows)


def plateaus(grid: Grid) -> Table:
    """Each cell's mean and peak, measured and predicted."""
    rows = [
        [
            f"{cell.rate_per_s:.1f}/s",
            f"{cell.settings.ttl_s:g} s",
            *_both(cell.mean_bytes, cell.predicted_mean_bytes),
            *_both(cell.peak_bytes, cell.predicted_peak_bytes),
        ]
        for cell in grid.cells
    ]
    return Table.of(["λ", "TTL", "plateau", "predicted", "error", "peak", "predicted", "error"], rows)


def exhausting_rates(heaps: Sequence[float], sizes: Sequence[float], *, ttl_s: float, sweep_s: float) -> Table:
    """The rate that fills each heap, by the size of a result."""
    rows = [
        [mebibytes(heap, 0), *(f"{exhausting_rate(heap, ttl_s, sweep_s, size):.2f}/s" for size in sizes)]
        for heap in heaps
    ]
    return Table.of(["heap for results", *(f"{size / 1000:,.0f} kB a result" for size in sizes)], rows)


def _both(measured: float, predicted: float) -> list[str]:
    return [mebibytes(measured, 3), mebibytes(predicted, 3), formatted(measured / predicted - 1, "+.1%")]
