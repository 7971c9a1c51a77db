"""Several checks side by side: a table of their answers, as Markdown."""

from collections.abc import Mapping

from labserver.diagnosis.result import CheckResult
from labserver.incident.experiments.table import Table
from labserver.text import formatted


def answers(results: Mapping[str, CheckResult]) -> Table:
    """A row a service: verdict, bytes per job with their interval, the first holder and its share, as Markdown."""
    return Table.of(
        ["service", "verdict", "kept of every job", "held by", "its share"],
        [
            [f"`{name}`", str(result.verdict), str(result.interval or "—"), *_holder(result)]
            for name, result in results.items()
        ],
    )


def _holder(result: CheckResult) -> list[str]:
    if not result.holders:
        return ["—", "—"]
    first = result.holders[0]
    return [f"`{first.path}`", formatted(first.share_of_growth, ".0%")]
