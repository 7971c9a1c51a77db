"""The pytest plugin: `--leak-check` for whole suites, the fixture `leak_check`, and the marker of the same name.

pytest imports this at its start, whether or not a test uses it; so nothing else is imported before one does.
"""

import argparse
import functools
from typing import TYPE_CHECKING

import pytest
from _pytest.unittest import TestCaseFunction

if TYPE_CHECKING:
    from labserver.plugins.pytest_check import LeakCheck

_MARKER = (
    "leak_check(max_jobs=4000, max_seconds=300, tolerance=256, confidence=0.99, fast=False): "
    "repeat the test's body as jobs, and fail if the process keeps memory of every one."
)
_SWITCH: dict[str, object] = {"action": argparse.BooleanOptionalAction, "default": None}
# An option of the command line, and the default of the same name in the configuration file: name, help, the file's
# type of it, and how the command line takes it.
_OPTIONS: tuple[tuple[str, str, str, dict[str, object]], ...] = (
    ("", "Repeat every test that passes, and fail those that keep memory of every run.", "bool", _SWITCH),
    (
        "only",
        "Check the tests whose node id has this in it or matches it as a glob; may be given again.",
        "linelist",
        {"action": "append", "metavar": "PATTERN"},
    ),
    (
        "fixtures",
        "Set up a test's fixtures before each run of it (default), or once for all runs.",
        "string",
        {"choices": ("once", "each")},
    ),
    ("seconds", "Time a test may take to be judged (60).", "string", {"metavar": "DURATION"}),
    ("tolerance", "Growth per run that is allowed (512).", "string", {"metavar": "BYTES"}),
    ("max-jobs", "Measured runs of a test (4000; 250 where it is fast).", "string", {"metavar": "N"}),
    ("fast", "Fewer runs, for a coarser answer (the default here).", "bool", _SWITCH),
    ("settle", "Wait before a floor: a result's longest life (0).", "string", {"metavar": "DURATION"}),
    (
        "challenge",
        "Entries that a suspected holder may gain to show a bound; 0 for none (25000).",
        "string",
        {"metavar": "N"},
    ),
    ("challenge-seconds", "Seconds that it gets for them (45).", "string", {"metavar": "DURATION"}),
    ("html", "Write the session's page there.", "string", {"metavar": "FILE"}),
    (
        "json",
        "Write the result of every leak check there as JSON (schema labserver.check/1), and a line for each test.",
        "string",
        {"metavar": "DIRECTORY"},
    ),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and their defaults in the configuration file."""
    group = parser.getgroup("labserver", "leak checks by labserver")
    for name, text, kind, taken in _OPTIONS:
        option = f"leak-check-{name}".rstrip("-")
        group.addoption(f"--{option}", help=text, **taken)
        # A switch of the file that is not there is None, and one that is off is False.
        parser.addini(option.replace("-", "_"), text, type=kind, default=None)  # type: ignore[arg-type]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and begin to check where that is asked for."""
    config.addinivalue_line("markers", _MARKER)
    wanted = config.getoption("leak_check")
    if wanted or (wanted is None and config.getini("leak_check")):
        from labserver.plugins.pytest_suite import LeakCheckedSuite  # noqa: PLC0415 - see the module's docstring

        config.pluginmanager.register(LeakCheckedSuite(config), "labserver-leak-check")


@pytest.fixture
def leak_check(request: pytest.FixtureRequest) -> "LeakCheck":
    """Fail the test if what it is given leaks: `leak_check(lambda: client.get("/"))`.

    A string is an application and served from a process of its own: `leak_check("shop.app:app", requests=["GET /"])`.
    All options: `labserver.plugins.pytest_check.LeakCheck`. It returns the result.
    """
    from labserver.plugins.pytest_check import LeakCheck  # noqa: PLC0415 - see the module's docstring

    return LeakCheck(request.node)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Repeat a marked test's body; its fixtures are set up once."""
    marker = pyfuncitem.get_closest_marker("leak_check")
    if marker is None:
        return None
    from labserver.plugins.pytest_check import repeat_test  # noqa: PLC0415 - see the module's docstring

    repeat_test(pyfuncitem, marker, pyfuncitem.obj)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Repeat a marked method of a `unittest.TestCase`, which unittest calls; its `setUp` and `tearDown` run once."""
    marker = item.get_closest_marker("leak_check")
    if marker is None or not isinstance(item, TestCaseFunction):
        return
    from labserver.plugins.pytest_check import repeat_test  # noqa: PLC0415 - see the module's docstring

    # pytest hands to unittest what stands here, until the test's own teardown; unittest reads the method's marks.
    item.obj = functools.wraps(item.obj)(functools.partial(repeat_test, item, marker, item.obj))
