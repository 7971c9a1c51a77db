"""What the pytest plugin does once a test asks for it."""

import functools
import inspect
import json
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn, Unpack

import pytest
from _pytest.logging import LogCaptureHandler

from labserver.diagnosis.measure.check import run_check
from labserver.diagnosis.measure.in_process import leak_check
from labserver.diagnosis.measure.options import CheckOptions, LoadOptions, MeasureKeywords, spells_out_options
from labserver.diagnosis.result import CheckResult
from labserver.diagnosis.verdict import Verdict
from labserver.errors import LabserverError
from labserver.plugins.pytest_judgement import JUDGEMENTS, Answer, Judgement
from labserver.plugins.pytest_settings import json_directory, page_path
from labserver.plugins.wsgi import wsgi_job
from labserver.report.failure_detail import explained
from labserver.report.html import html_of
from labserver.report.terminal import render


class LeakCheck:
    """The fixture's value: called with a callable or an application, it passes or fails the test.

    Args:
        item: the test.
    """

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._checks = 0

    @spells_out_options
    def __call__(
        self,
        body: Callable[..., object] | str,
        *,
        requests: Sequence[str] = (),
        journey: str | None = None,
        users: int = LoadOptions.users,
        **options: Unpack[MeasureKeywords],
    ) -> CheckResult:
        """Check, and fail the test where there is a leak, or no answer: an undecided check has proved nothing.

        Args:
            body: one job, called in this process; or with `requests` a WSGI application, also in this process; or
                `module:attribute`, an application that is served from a process of its own.
            requests: of an application: one job, request by request, as `METHOD /path`.
            journey: of `module:attribute`: one job, as `module:callable`, in place of requests.
            users: of `module:attribute`: jobs under way at the same time.
            **options: see `labserver.diagnosis.measure.options.MeasureOptions`.
        """
        __tracebackhide__ = True
        self._checks += 1
        name = self._item.name if self._checks == 1 else f"{self._item.name}, check {self._checks}"
        try:
            if isinstance(body, str):
                result = run_check(CheckOptions(body, tuple(requests), journey=journey, users=users, **options))
            else:
                job = wsgi_job(body, requests) if requests else body
                with _no_captured_logs():
                    result = leak_check(job, name=name, **options)
        except LabserverError as error:
            _fail(explained(error))
        keep_result(self._item, result, check=self._checks)
        record(self._item, Judgement.of(self._item, result, check=self._checks), result)
        if result.verdict is not Verdict.NO_LEAK:
            _fail(render(result))
        return result


def keep_result(item: pytest.Item, result: CheckResult, *, check: int = 1) -> None:
    """Write the result of a test's check, where that is asked for."""
    folder = json_directory(item.config)
    if folder is None:
        return
    number = "" if check == 1 else f"-{check}"
    path = folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', item.nodeid)}{number}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        _fail(f"The result cannot be written ({error.strerror}: {error.filename}).")


def record(item: pytest.Item, judgement: Judgement, result: CheckResult | None = None) -> None:
    """Note what was found for the session's table, and as properties in a JUnit file."""
    if result is not None and judgement.answer is not Answer.NO_LEAK and page_path(item.config) is not None:
        judgement = replace(judgement, page=html_of(result))
    item.stash.setdefault(JUDGEMENTS, []).append(judgement)
    known: dict[str, str | float] = {"leak_check": str(judgement.answer)}
    if judgement.estimate is not None:
        known["leak_check_bytes_per_run"] = float(judgement.estimate)
    if judgement.holder:
        known["leak_check_holder"] = judgement.holder
    if judgement.why is not None:
        known["leak_check_why"] = str(judgement.why.kind)
    item.user_properties += known.items()


def repeat_test(item: pytest.Function, marker: pytest.Mark, body: Callable[..., object]) -> None:
    """Check a test's own body as the job; its fixtures are set up once and handed to every call."""
    __tracebackhide__ = True
    if inspect.iscoroutinefunction(body):
        _fail("The marker leak_check cannot repeat a coroutine: use the fixture, with a function that runs it.")
    check = LeakCheck(item)
    try:
        inspect.signature(check).bind(body, *marker.args, **marker.kwargs)
    except TypeError as error:
        _fail(f"The marker leak_check has a wrong argument: {error}.")
    fixtures = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}  # noqa: SLF001 - as pytest itself calls it
    check(functools.partial(body, **fixtures), **marker.kwargs)


@contextmanager
def _no_captured_logs() -> Iterator[None]:
    """Keep pytest from collecting the records that the jobs log: its list of them would grow with every job."""
    root = logging.getLogger()
    handlers = [handler for handler in root.handlers if isinstance(handler, LogCaptureHandler)]
    for handler in handlers:
        root.removeHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            root.addHandler(handler)


def _fail(reason: str) -> NoReturn:
    __tracebackhide__ = True
    raise pytest.fail.Exception(reason, pytrace=False) from None
