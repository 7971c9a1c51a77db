"""The pytest plugin: the fixture `leak_check` and the marker of the same name.

pytest imports this at its start, whether or not a test uses it; so nothing else is imported before one does.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.unittest import TestCaseFunction

if TYPE_CHECKING:
    from labserver.plugins.pytest_check import LeakCheck

_MARKER = (
    "leak_check(max_jobs=4000, max_seconds=300, tolerance=256, confidence=0.99, fast=False): "
    "repeat the test's body as jobs, and fail if the process keeps memory of every one."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option to keep the results."""
    parser.getgroup("labserver").addoption(
        "--leak-check-json",
        metavar="DIRECTORY",
        type=Path,
        help="Write the result of every leak check there as JSON (schema labserver.check/1).",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


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
