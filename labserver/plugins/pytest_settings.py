"""What a session's options and its configuration file say about leak checks."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

import pytest

from labserver.diagnosis.measure.options import MeasureKeywords, MeasureOptions
from labserver.durations import seconds_of
from labserver.errors import UsageError

NumberT = TypeVar("NumberT", int, float)
_SECONDS = 60.0  # a leaky test that takes no time needs some 10 s, and machines of CI systems may be slow


class FixtureSetup(StrEnum):
    """How often the function-scoped fixtures of a test are set up."""

    ONCE = "once"
    EACH = "each"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a session checks its tests.

    Attributes:
        only: patterns of node ids; all tests where there is none.
        only_here: whether the command line gave them. Those of a file also hold for a run of other tests.
        fixtures: how often fixtures are set up.
        seconds: that a test may take to be judged.
        tolerance: bytes per run below which growth is of no interest.
        max_jobs: measured runs of a test.
        fast: fewer runs, for a coarser answer. A suite has hundreds of tests, and the seconds of each add up.
        settle: seconds to wait before each floor.
        challenge: entries that a suspected holder may gain while it gets the chance to show a bound.
        challenge_seconds: seconds that it gets for them.
        html: the file for the session's page.
        json: the directory for results.
    """

    only: tuple[str, ...]
    only_here: bool
    fixtures: FixtureSetup
    seconds: float
    tolerance: float
    max_jobs: int
    fast: bool
    settle: float
    challenge: int
    challenge_seconds: float
    html: Path | None
    json: Path | None

    @classmethod
    def of(cls, config: pytest.Config) -> "Settings":
        """Read them.

        Raises:
            pytest.UsageError: one makes no sense; the sentence says which.
        """
        only, fast = _said(config, "only"), _said(config, "fast")
        setup = _said(config, "fixtures") or FixtureSetup.EACH
        if setup not in list(FixtureSetup):
            raise pytest.UsageError(f"leak_check_fixtures is {setup!r}: it must be once or each.")
        settings = cls(
            only=tuple(only or ()),
            only_here=bool(config.getoption("leak_check_only")),
            fixtures=FixtureSetup(setup),
            seconds=_number(config, "seconds", seconds_of, _SECONDS),
            tolerance=_number(config, "tolerance", float, MeasureOptions.tolerance),
            max_jobs=_number(config, "max_jobs", int, MeasureOptions.max_jobs),
            fast=True if fast is None else bool(fast),
            settle=_number(config, "settle", seconds_of, MeasureOptions.settle),
            challenge=_number(config, "challenge", int, MeasureOptions.challenge),
            challenge_seconds=_number(config, "challenge_seconds", seconds_of, MeasureOptions.challenge_seconds),
            html=page_path(config),
            json=json_directory(config),
        )
        try:
            MeasureOptions(**settings.measure).validate()
        except UsageError as error:
            raise pytest.UsageError(f"leak_check_{error}".replace("max_seconds", "seconds")) from error
        return settings

    @property
    def measure(self) -> MeasureKeywords:
        """The options of each check."""
        return {
            "max_seconds": self.seconds,
            "tolerance": self.tolerance,
            "max_jobs": self.max_jobs,
            "fast": self.fast,
            "settle": self.settle,
            "challenge": self.challenge,
            "challenge_seconds": self.challenge_seconds,
        }

    def wants(self, nodeid: str) -> bool:
        """Whether a test is to be checked."""
        return not self.only or any(matches(pattern, nodeid) for pattern in self.only)


def matches(pattern: str, nodeid: str) -> bool:
    """Whether a pattern is a part of a node id, or a glob for it."""
    return pattern in nodeid or fnmatchcase(nodeid, pattern)


def json_directory(config: pytest.Config) -> Path | None:
    """Where to write results; None where nobody asked for them."""
    return _path(config, "json")


def page_path(config: pytest.Config) -> Path | None:
    """Where to write the session's page; None where nobody asked for it."""
    return _path(config, "html")


def _said(config: pytest.Config, name: str) -> Any:
    """What the command line says, else the file; None where neither does."""
    option = f"leak_check_{name}"
    given = config.getoption(option)
    return config.getini(option) if given is None else given


def _number(config: pytest.Config, name: str, kind: Callable[[str], NumberT], default: NumberT) -> NumberT:
    said = _said(config, name)
    if said is None:
        return default
    try:
        value = kind(said)
    except ValueError as error:
        why = "it must be a whole number." if kind is int else "it must be a number." if kind is float else str(error)
        raise pytest.UsageError(f"leak_check_{name} is {said!r}: {why}") from error
    if math.isnan(value):
        raise pytest.UsageError(f"leak_check_{name} is {said!r}: it must be a number.")
    return value


def _path(config: pytest.Config, name: str) -> Path | None:
    """A path of the command line starts from where pytest was called, one of the file from where the file is."""
    given, option = config.getoption(f"leak_check_{name}"), f"leak_check_{name}"
    if given is not None:
        return Path(config.invocation_params.dir, given)
    written = config.getini(option)
    return None if not written else Path(config.rootpath if config.inipath is None else config.inipath.parent, written)
