"""A run's findings as the write-up quotes them: by reference (`02.leak_bytes_per_job`), never computed anew."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from labserver.suite.finding import Finding
from labserver.suite.findings import load_findings

FAILED_MARK = "✗"
_NOT_MEASURED = "not measured"  # a store's finding where this machine lacks what the store needs


class Standing(StrEnum):
    """What a run says of a statement that rests on some findings; the worst of theirs."""

    HOLDS = "holds"
    UNAVAILABLE = "unavailable"
    MISSING = "missing"
    FAILED = "failed"


class Quotes:
    """The findings of a run by reference, and which of those asked for were not there.

    Args:
        run_dir: the run.
    """

    def __init__(self, run_dir: Path) -> None:
        self.all = load_findings(run_dir)
        self._by_reference = {finding.reference: finding for finding in self.all}
        self._asked: dict[str, None] = {}
        self._quoted: dict[str, None] = {}

    def get(self, reference: str) -> Finding | None:
        """The finding, or None where the run has none of that name, which is remembered."""
        self._quoted[reference] = None
        found = self._by_reference.get(reference)
        if found is None:
            self._asked[reference] = None
        return found

    def has(self, reference: str) -> bool:
        """Whether the run has a finding, which is not asked for."""
        return reference in self._by_reference

    def missing(self) -> list[str]:
        """What was asked for and is not there, in the order of asking."""
        return list(self._asked)

    def watch(self) -> dict[str, None]:
        """Begin to note what is quoted; the returned keys are the references so far."""
        self._quoted = {}
        return self._quoted

    def expand(self, references: Iterable[str]) -> Iterator[str]:
        """The references, each with a `*` in place of all that it fits (or as it is, where it fits nothing)."""
        for reference in references:
            fitting = [known for known in self._by_reference if fnmatchcase(known, reference)]
            yield from fitting or [reference]

    def standing(self, references: Iterable[str]) -> Standing:
        """The worst that these findings say: one that fails outweighs one that is missing."""
        order = list(Standing)
        worst = [self._standing(self.get(reference)) for reference in references]
        return max(worst, key=order.index, default=Standing.HOLDS)

    def failed(self, references: Iterable[str]) -> list[Finding]:
        """Those of the findings whose claim does not hold."""
        found = [self._by_reference.get(reference) for reference in references]
        return [finding for finding in found if finding is not None and not finding.holds]

    def absent(self, references: Iterable[str]) -> list[str]:
        """Those of the references that the run has no finding for."""
        return [reference for reference in references if reference not in self._by_reference]

    @staticmethod
    def _standing(finding: Finding | None) -> Standing:
        if finding is None:
            return Standing.MISSING
        if not finding.holds:
            return Standing.FAILED
        return Standing.UNAVAILABLE if finding.value == _NOT_MEASURED else Standing.HOLDS
