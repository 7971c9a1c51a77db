"""What a mode is: a small server that keeps something of its jobs or keeps nothing, and what is right to say of it.

A mode's function makes `work(number)`, one job, which a peer calls in its own process; by its name, as `labserver check
MODULE:NAME` calls it, the same function serves that work. Its libraries are imported within it, so that every module
can be read where they are not installed.
"""

import functools
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flask import Flask
from serve import serve

HERE = Path(__file__).parent
NO_MODES = ("floors", "mode", "serve")


@dataclass(frozen=True, slots=True)
class Truth:
    """What is right to say of a mode.

    Attributes:
        verdict: `leak` or `no-leak`.
        bytes_per_job: what stays, in the long run; None where it cannot be said beforehand.
        give: the part by which that may be off in a few hundred jobs: a table that doubles, an allocator's blocks.
        item: a pattern of the type of what hangs directly below the holder; None where nothing Python holds it.
        holder: a pattern that occurs in the path of the first holder, or in the finding that leads.
        line: text of the application's lines that allocate, each as it stands in the file.
        may_be_undecided: whether nobody can tell in the jobs that a check has.
    """

    verdict: str
    bytes_per_job: float | None = None
    give: float = 0.02
    item: str | None = None
    holder: str | None = None
    line: tuple[str, ...] | None = None
    may_be_undecided: bool = False

    @property
    def bytes_range(self) -> tuple[float, float] | None:
        """The least and the most bytes per job that are right."""
        if self.bytes_per_job is None:
            return None
        return self.bytes_per_job * (1 - self.give), self.bytes_per_job * (1 + self.give)


NO_LEAK = Truth("no-leak")


def leak(bytes_per_job: float | None = None, *, line: str | None = None, **names: Any) -> Truth:
    """The truth of a mode that keeps something; ` | ` stands between lines that are as right."""
    return Truth("leak", bytes_per_job, line=tuple(line.split(" | ")) if line else None, **names)


@dataclass(frozen=True, slots=True)
class Mode:
    """One mode.

    Attributes:
        module: the file that it is in, which is its kind.
        name: its function's.
        make: makes the job, or an application where there is no job without one.
        options: of the check.
        alone: whether its jobs come one after the other, as what it calls is not made for threads.
    """

    module: str
    name: str
    make: Callable[[], Callable[[int], object]]
    truth: Truth
    options: tuple[str, ...] = ()
    alone: bool = False

    @property
    def key(self) -> str:
        """`module:name`, as the check takes it."""
        return f"{self.module}:{self.name}"

    @property
    def dependencies(self) -> tuple[str, ...]:
        """What its module needs beyond the project's own environment, by PEP 723."""
        text = (HERE / f"{self.module}.py").read_text(encoding="utf-8")
        block = re.search(r"(?ms)^# /// script$\n(.*?)^# ///$", text)
        return tuple(re.findall(r'"([^"]+)"', block[1])) if block else ()


FOUND: dict[str, Mode] = {}


def mode(truth: Truth, *, options: tuple[str, ...] = (), alone: bool = False) -> Callable:
    """Make a server of the function that makes its job."""

    def register(make: Callable) -> Callable:
        found = Mode(make.__module__, make.__name__, make, truth, options, alone)
        FOUND[found.key] = found

        @functools.wraps(make)
        def application() -> object:
            made = make()
            return made if isinstance(made, Flask) else serve(made, alone=alone)

        return application

    return register


def mode_of(key: str) -> Mode:
    """One mode, whose module alone is imported."""
    importlib.import_module(key.partition(":")[0])
    return FOUND[key]


def every_mode() -> dict[str, Mode]:
    """All modes by their keys; the modules must be importable by name."""
    for file in sorted(HERE.glob("*.py")):
        if file.stem not in NO_MODES:
            importlib.import_module(file.stem)
    return FOUND


def undecidable(truth: Truth) -> Truth:
    """The same, of which nobody can tell in the jobs that a check has."""
    return replace(truth, may_be_undecided=True)
