"""Growth that comes of repeating a test, and that no other run of it would show."""

from collections.abc import Iterator
from enum import StrEnum

import pytest

from labserver.diagnosis.result import CheckResult, Finding, NamedHolder
from labserver.heap.edge import EdgeKind
from labserver.plugins.pytest_settings import FixtureSetup

_MOST = 0.5  # of the growth, from which on what has a name accounts for it


class Artefact(StrEnum):
    """The kinds."""

    FIXTURES_ONCE = "fixtures-once"
    """What belongs to one run of the test, which all runs share here."""
    MOCK_CALLS = "mock-calls"
    """The calls that a mock records for assertions, where it outlives a run."""
    PYTEST_KEEPS = "pytest-keeps"
    """What pytest or one of its plugins notes of each run."""


def artefact_of(holder: NamedHolder, item: pytest.Item, setup: FixtureSetup) -> Artefact | None:
    """Which kind a holder is of; None for one that the code under test fills."""
    if any(link.type == "_CallList" for link in holder.chain):
        return Artefact.MOCK_CALLS
    passes_fixture = any(
        link.edge is not None and link.edge.kind is EdgeKind.ATTRIBUTE and link.edge.name == "cached_result"
        for link in holder.chain
    )
    if any(link.type == type(item).__name__ for link in holder.chain):
        # Fixtures of a wider scope have a shorter way (`pytest_repetition.fixture_module`) than that through the test.
        return Artefact.FIXTURES_ONCE if setup is FixtureSetup.ONCE else Artefact.PYTEST_KEEPS
    root = holder.chain[0].name if holder.chain else ""
    return Artefact.PYTEST_KEEPS if root.partition(".")[0] == "_pytest" and not passes_fixture else None


def only_artefacts(
    result: CheckResult, item: pytest.Item, setup: FixtureSetup
) -> tuple[Artefact, NamedHolder] | tuple[None, None]:
    """The largest of the artefacts that account for all growth above the tolerance; none where something else grows."""
    jobs = 1 if result.growth is None else result.growth.jobs
    artefact, largest, explained = None, None, 0.0
    for holder in result.holders:
        kind = artefact_of(holder, item, setup)
        per_run = holder.growth_bytes / jobs
        if kind is not None:
            explained += per_run
            artefact, largest = (artefact, largest) if largest is not None else (kind, holder)
        elif per_run >= result.tolerance:
            return None, None
    if artefact is None or largest is None or any(one.bytes_per_job >= result.tolerance for one in _others(result)):
        return None, None
    whole = sum(one.growth_bytes for one in result.holders) / jobs + sum(one.bytes_per_job for one in result.findings)
    return (artefact, largest) if explained >= _MOST * whole else (None, None)


def own_holders(result: CheckResult, item: pytest.Item, setup: FixtureSetup) -> Iterator[NamedHolder]:
    """The holders that the code under test fills, most bytes first."""
    return (holder for holder in result.holders if artefact_of(holder, item, setup) is None)


def _others(result: CheckResult) -> Iterator[Finding]:
    """The findings that are growth of their own, rather than what is left of a whole."""
    return (one for one in result.findings if one.kind != "unexplained")
