"""The tables of the synchronous service, as Markdown."""

from collections.abc import Sequence

from labserver.incident.experiments.synchronous.measurements import Level
from labserver.incident.experiments.table import Table


def load_levels(levels: Sequence[Level]) -> Table:
    """What the users of each level met, and how well Little's law fits."""
    rows = [
        [
            f"{level.users}",
            f"{level.throughput:.2f}/s",
            f"{level.response_s:.3f} s",
            f"{1 + level.littles_error:.3f}",
            f"{level.health_ms(50):.1f} ms",
            f"{level.health_ms(95):.1f} ms",
        ]
        for level in levels
    ]
    header = ["users N", "throughput X", "response time R", "X·R/N", "`/health`, median", "`/health`, p(95)"]
    return Table.of(header, rows)
