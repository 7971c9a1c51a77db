"""What a notebook found: named, bounded claims with unit and evidence, kept as they are recorded.

A claim on a figure that has an interval is judged by the interval (`Findings.judge`), any other by its notebook
(`Findings.record`), which therefore takes no interval.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from labserver.errors import ClaimFailed, UsageError
from labserver.files import write_json
from labserver.stats.interval import Interval

SCHEMA = "labserver.findings/1"
FILE_NAME = "findings.json"

_PLAIN = (bool, int, float, str)
_UNDECIDED = ", which is undecided: the interval lies on both sides of the bound"
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

Value = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Finding:
    """A figure: ``value`` in ``unit``, its interval from ``low`` to ``high``, the ``bound`` it was held against.

    ``evidence`` lists files relative to the run directory; ``text`` is an optional sentence for the reader;
    ``undecided`` says that the claim fails because the interval is too wide, and not because it is refuted.
    """

    name: str
    notebook: str
    value: Value
    unit: str
    low: float | None
    high: float | None
    bound: str
    holds: bool
    evidence: list[str]
    text: str
    undecided: bool = False

    @property
    def is_claim(self) -> bool:
        """Whether it claims something: one without a bound does not, but one that fails is never passed over."""
        return bool(self.bound) or not self.holds

    def number(self) -> str:
        """The value for people, without its unit."""
        return _number(self.value) if isinstance(self.value, int | float) else str(self.value)

    def interval(self) -> str:
        """The interval as `low to high`, or nothing."""
        return f"{_number(self.low)} to {_number(self.high)}" if self.low is not None and self.high is not None else ""

    def sentence(self) -> str:
        """The claim in one line: name, value, interval, unit and bound."""
        interval = f" ({self.interval()})" if self.interval() else ""
        unit = f" {self.unit}" if self.unit else ""
        bound = f", claimed: {self.bound}" if self.bound else ""
        return f"{self.name} = {self.number()}{interval}{unit}{bound}{_UNDECIDED if self.undecided else ''}"


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

    def record(  # noqa: PLR0913 - a finding has that many named sides
        self,
        name: str,
        value: Value,
        *,
        holds: bool,
        unit: str = "",
        bound: str = "",
        evidence: Sequence[str] = (),
        text: str = "",
    ) -> None:
        """Keep one finding without an interval.

        Args:
            name: snake_case and unique in this notebook.
            value: a finite number, a text, a truth value or None.
            holds: whether the claim is true.
            unit: of ``value``, such as ``B/job``.
            bound: what the value was held against, in words.
            evidence: files that exist, relative to the run directory.
            text: a sentence for the reader.

        Raises:
            UsageError: one of these is not so.
        """
        self._keep(Finding(name, self.notebook, value, unit, None, None, bound, holds, [*evidence], text))

    def judge(  # noqa: PLR0913 - the same
        self,
        name: str,
        interval: Interval,
        *,
        bound: str,
        above: float = -math.inf,
        below: float = math.inf,
        covers: float | None = None,
        unit: str = "",
        evidence: Sequence[str] = (),
        text: str = "",
    ) -> None:
        """Keep a claim on an estimate: it holds if the whole interval lies within the bound, else it fails.

        Args:
            name: as in `record`.
            interval: the estimate and its interval.
            bound: what follows, in words.
            above: what the interval must lie above.
            below: what it must lie below.
            covers: a value that it must cover, too.
            unit: of the estimate.
            evidence: as in `record`.
            text: as in `record`.

        Raises:
            UsageError: one of these is not so.
        """
        value, low, high = interval.estimate, interval.low, interval.high
        covered, inside = covers is None or covers in interval, above < low and high < below
        undecided = covered and not inside and above < high and low < below
        holds = covered and inside
        self._keep(Finding(name, self.notebook, value, unit, low, high, bound, holds, [*evidence], text, undecided))

    def measured(self, name: str, value: Value | Interval, *, unit: str = "", evidence: Sequence[str] = ()) -> None:
        """Keep a figure, or an estimate with its interval, that the write-up quotes and that claims nothing."""
        if isinstance(value, Interval):
            estimate, low, high = value.estimate, value.low, value.high
            self._keep(Finding(name, self.notebook, estimate, unit, low, high, "", True, [*evidence], ""))
        else:
            self._keep(Finding(name, self.notebook, value, unit, None, None, "", True, [*evidence], ""))

    def check(self) -> None:
        """End the notebook on its claims.

        Raises:
            ClaimFailed: a claim does not hold, or none was recorded, which would assert nothing.
        """
        if not self._mine:
            raise ClaimFailed(f"{self.notebook} recorded no claim.")
        failed = failed_claims(self._mine.values())
        if failed:
            verb = "does" if len(failed) == 1 else "do"
            claims = sum(finding.is_claim for finding in self._mine.values())
            raise ClaimFailed("\n".join([f"{len(failed)} of {claims} claims {verb} not hold:", *failed]))

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
            write_json(self.run_dir / FILE_NAME, {"schema": SCHEMA, "findings": [asdict(f) for f in everything]})


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
        return [Finding(**entry) for entry in document["findings"]]
    except (ValueError, KeyError, TypeError):
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


def _number(value: float) -> str:
    """Whole from 1000 on, else four digits: more would be noise."""
    if isinstance(value, bool):
        return str(value)
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:.4g}"


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
