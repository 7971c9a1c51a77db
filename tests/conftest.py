"""Generic to all tests: on a CI machine a skipped test is a failed one, or it rots unseen."""

import os
import signal
import socket
import sys

import pytest

# A shell starts background jobs with SIGINT ignored, which the processes that tests interrupt would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        reason = call.excinfo.value if call.excinfo else "no reason"
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {reason}. On CI every test must run."
    return report


def pytest_runtest_setup(item):
    for mark in item.iter_markers("linux"):
        if sys.platform != "linux":
            pytest.skip(f"only on Linux: {mark.args[0]}")


@pytest.fixture
def kept_port():
    """A port that nobody else is given while a server that listened on it is away: bound, and not listened on."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]
