"""What a notebook found: named, bounded claims with unit and evidence, kept as they are recorded.

A bound judges a claim on a figure, by its whole interval where it has one (`Findings.claim`). A claim that no bound
decides alone is recorded with whether it holds (`Findings.record`).
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from labserver.errors import ClaimFailed, UsageError
from labserver.files import write_json
from labserver.stats.interval import Interval
from labserver.suite.bound import Bound, Phrase
from labserver.suite.claim_table import ClaimTable
from labserver.suite.finding import Finding, Value

SCHEMA = "labserver.findings/1"
FILE_NAME = "findings.json"

_PLAIN = (bool, int, float, str)
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class Findings:
    """The findings of one notebook run, written to ``findings.json`` one by one so that a crash loses none.

    Args:
        run_dir: the run directory; the other notebooks' findings in it stay.
        notebook: the notebook's name without suffix. What an earlier run of it left is dropped.
    """

    def __init__(self, run_dir: Path | str, notebook: str) -> None:
        self.run_dir = Path(run_dir)
        self.notebook = notebook
        self._mine: dict[str, Finding] = {}
        self._write()

    def claim(  # noqa: PLR0913 - a finding has that many named sides
        self,
        name: str,
        value: Value | Interval,
        bound: Bound,
        *,
        unit: str | Phrase = "",
        evidence: Sequence[str] = (),
        text: str = "",
    ) -> None:
        """Keep a claim that its bound decides: of an estimate, the whole interval must lie within it.

        Args:
            name: snake_case and unique in this notebook.
            value: a finite number, an estimate, or None where there is none, which no bound holds.
            bound: what the value must be.
            unit: of ``value``, such as ``B/job``.
            evidence: files that exist, relative to the run directory.
            text: a sentence for the reader.

        Raises:
            UsageError: one of these is not so, or the bound decides nothing.
        """
        _require_bound(name, bound)
        undecided = isinstance(value, Interval) and bound.undecided(value)
        self._keep(self._finding(name, value, unit, bound, bound.holds(value), evidence, text, undecided))

    def record(  # noqa: PLR0913 - the same
        self,
        name: str,
        value: Value | Phrase,
        *,
        holds: bool,
        unit: str | Phrase = "",
        bound: Bound | None = None,
        evidence: Sequence[str] = (),
        text: str = "",
    ) -> None:
        """Keep one finding without an interval, of which the notebook says whether it holds.

        Args:
            name: as in `claim`.
            value: a finite number, a text, a truth value or None; a `Phrase` where it is a sentence with arguments.
            holds: whether the claim is true.
            unit: as in `claim`.
            bound: what the value was held against, mostly in words (`says`).
            evidence: as in `claim`.
            text: as in `claim`.

        Raises:
            UsageError: one of these is not so.
        """
        if bound is not None:
            _require_bound(name, bound)
        self._keep(self._finding(name, value, unit, bound, holds, evidence, text))

    def measured(
        self, name: str, value: Value | Interval, *, unit: str | Phrase = "", evidence: Sequence[str] = ()
    ) -> None:
        """Keep a figure, or an estimate with its interval, that the write-up quotes and that claims nothing."""
        self._keep(self._finding(name, value, unit, None, True, evidence, ""))

    def claims(self) -> ClaimTable:
        """What was claimed so far, and whether it holds."""
        return ClaimTable([finding for finding in self._mine.values() if finding.is_claim])

    def check(self) -> None:
        """End the notebook on its claims.

        Raises:
            ClaimFailed: a claim does not hold, or none was recorded, which would assert nothing.
        """
        if not self._mine:
            raise ClaimFailed(f"{self.notebook} recorded no claim.")
        claims = self.claims()
        if claims.failed:
            raise ClaimFailed("\n".join([claims.sentence(), *failed_claims(claims.failed)]))

    def _finding(  # noqa: PLR0913, PLR0917 - the same
        self,
        name: str,
        value: Value | Interval | Phrase,
        unit: str | Phrase,
        bound: Bound | None,
        holds: bool,
        evidence: Sequence[str],
        text: str,
        undecided: bool = False,
    ) -> Finding:
        phrases = {key: said for key, said in (("value", value), ("unit", unit)) if isinstance(said, Phrase)}
        low, high = (value.low, value.high) if isinstance(value, Interval) else (None, None)
        plain = value.estimate if isinstance(value, Interval) else str(value) if isinstance(value, Phrase) else value
        return Finding(
            name, self.notebook, plain, str(unit), low, high, bound, holds, [*evidence], text, undecided, phrases
        )

    def _keep(self, finding: Finding) -> None:
        name = finding.name
        if not _SNAKE_CASE.fullmatch(name):
            raise UsageError(f"The finding's name '{name}' must be snake_case.")
        if name in self._mine:
            raise UsageError(f"The finding '{name}' is recorded already in {self.notebook}.")
        plain = {key: _plain(name, getattr(finding, key)) for key in ("value", "low", "high", "holds", "undecided")}
        if not isinstance(plain["holds"], bool):
            raise UsageError(f"Finding '{name}': holds must be True or False.")
        evidence = [self._evidence(name, item) for item in finding.evidence]
        self._mine[name] = replace(finding, **plain, evidence=evidence)
        self._write()

    def _evidence(self, name: str, item: str) -> str:
        path = PurePosixPath(Path(item).as_posix())
        if path.is_absolute() or ".." in path.parts:
            raise UsageError(f"Finding '{name}': evidence '{item}' must be a path relative to the run directory.")
        if not (self.run_dir / path).is_file():
            raise UsageError(f"Finding '{name}': evidence '{item}' is not in the run directory.")
        return str(path)

    def _write(self) -> None:
        others = [f for f in load_findings(self.run_dir) if f.notebook != self.notebook]
        everything = sorted([*others, *self._mine.values()], key=lambda f: (f.notebook, f.name))
        if everything or (self.run_dir / FILE_NAME).exists():
            write_json(self.run_dir / FILE_NAME, {"schema": SCHEMA, "findings": [f.as_json() for f in everything]})


def load_findings(run_dir: Path | str) -> list[Finding]:
    """All findings of a run, by notebook and name; none when nothing was recorded.

    Raises:
        UsageError: the file is there and is not of this schema.
    """
    path = Path(run_dir) / FILE_NAME
    if not path.exists():
        return []
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise UsageError(f"{path.name} has schema {document['schema']}, not {SCHEMA}.")
        return [Finding.from_json(entry) for entry in document["findings"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{path.name} is not a file of findings.") from None


def failed_claims(findings: Iterable[Finding]) -> list[str]:
    """Each claim that does not hold, on an indented line of its own."""
    return [f"  ✗ {finding.sentence()}" for finding in findings if not finding.holds]


def run_directory(run_dir: str) -> Path:
    """The absolute run directory of a notebook, with ``curves``, ``figures`` and ``logs`` in it.

    Args:
        run_dir: the notebook's parameter; empty when somebody opened the notebook by hand.
    """
    root = Path(run_dir).resolve() if run_dir else _project_root() / "outputs" / "runs" / "lab"
    for folder in ("curves", "figures", "logs"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    return root


def _project_root() -> Path:
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "pyproject.toml").is_file()), here)


def _require_bound(name: str, bound: object) -> None:
    if not isinstance(bound, Bound):
        raise UsageError(
            f"Finding '{name}': give its bound as at_most(…), says('…') or another of labserver.suite.bound."
        )


def _plain(name: str, value: Any) -> Any:
    """A value that JSON keeps: NumPy's scalars as Python's, no NaN and no infinity."""
    plain = value.item() if hasattr(value, "item") else value
    if plain is not None and not isinstance(plain, _PLAIN):
        raise UsageError(
            f"Finding '{name}' must be a number, a text, a truth value or None, not {type(value).__name__}."
        )
    if isinstance(plain, float) and not math.isfinite(plain):
        raise UsageError(f"Finding '{name}' is {plain}, and only finite numbers are findings.")
    return plain
