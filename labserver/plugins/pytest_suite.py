"""A session with `--leak-check`: every test that passes is repeated and judged, and a table of all ends the session."""

import difflib
import gc
import json
import os
import time
import warnings
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import pytest
from _pytest.runner import call_and_report
from _pytest.terminal import TerminalReporter

from labserver.diagnosis.fact import Note, NoteKind
from labserver.diagnosis.measure.in_process import leak_check
from labserver.diagnosis.result import CheckResult
from labserver.diagnosis.verdict import Verdict
from labserver.errors import LabserverError
from labserver.heap.at_fork import find_hooks
from labserver.plugins.pytest_check import keep_result, record
from labserver.plugins.pytest_failure import LeakFound, failure_of
from labserver.plugins.pytest_judgement import JUDGEMENTS, Answer, Judgement, Why, WhyKind
from labserver.plugins.pytest_page import session_page
from labserver.plugins.pytest_repetition import Repetition, RunFailed, TeardownFailed
from labserver.plugins.pytest_settings import FixtureSetup, Settings, matches
from labserver.plugins.pytest_table import write_table
from labserver.report.failure_detail import explained
from labserver.report.terminal import render

LINES = "leak-check.jsonl"
_LEAST_RUNS = 40  # five floors, the fewest that are decided by, with some runs between them after a warm-up
_NOT_RUN = ("setuponly", "setupplan", "setupshow")  # options that look at fixtures, of each run
_SOME = ("lf", "failedfirst", "stepwise")  # options by which pytest may not collect all


class LeakCheckedSuite:
    """The plugin that such a session has."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._settings = Settings.of(config)
        self._judgements: dict[tuple[str, int], Judgement] = {}
        self._reporting: set[str] = set()
        self._first_teardown: dict[str, pytest.TestReport] = {}  # that failed, which pytest is to be told of
        self._running: str | None = None
        self._trouble: list[str] = []

    def pytest_report_header(self) -> str:
        """Say that tests are repeated, and how."""
        setup = self._settings.fixtures
        return f"leak check: tests that pass are repeated, fixtures set up {setup}, {self._settings.seconds:g} s a test"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Look at the patterns, before other options deselect tests."""
        if not hasattr(self._config, "workerinput"):  # a worker's error would be a crash of it
            self._require_matches([item.nodeid for item in items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Look at the patterns, where the workers have collected."""
        self._require_matches(ids)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a test as pytest does, and repeat it before its teardown."""
        if not self._is_wanted(item):
            return None
        place = {"nodeid": item.nodeid, "location": item.location}
        item.ihook.pytest_runtest_logstart(**place)
        try:
            self._run(item, nextitem)
        finally:
            if hasattr(item, "_request"):
                item._request = False  # noqa: SLF001 - as pytest does at a test's end
                item.funcargs = None  # type: ignore[attr-defined]
        item.ihook.pytest_runtest_logfinish(**place)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send along what was found, and show a leak with its line."""
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, LeakFound):
            report.longrepr = failure_of(call.excinfo.value)
        if call.when == "call" and (judgements := item.stash.get(JUDGEMENTS, None)):
            del item.stash[JUDGEMENTS]
            report.__dict__["leak_check"] = [one.to_dict() for one in judgements]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what was found, here or in a worker."""
        if self._running is not None:
            self._reporting.add(self._running)
        for values in report.__dict__.get("leak_check", ()):
            judgement = Judgement.from_dict(values)
            self._judgements[judgement.test, judgement.check] = judgement

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the session's files, once."""
        if hasattr(self._config, "workerinput"):
            return
        judgements, folder, page = list(self._judgements.values()), self._settings.json, self._settings.html
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                lines = (json.dumps(one.to_json(), ensure_ascii=False) for one in judgements)
                (folder / LINES).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            if page is not None:
                page.parent.mkdir(parents=True, exist_ok=True)
                page.write_text(session_page(judgements), encoding="utf-8")
        except OSError as error:
            self._trouble.append(f"The leak checks cannot be written ({error.strerror}: {error.filename}).")
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print the table."""
        if self._config.option.collectonly:
            return
        every = terminalreporter.verbosity > 0
        write_table(list(self._judgements.values()), terminalreporter, every=every)
        for trouble in self._trouble:
            terminalreporter.write_line(trouble, red=True)

    def _require_matches(self, ids: Sequence[str]) -> None:
        """Refuse a pattern that matches no test, as it is most likely misspelt."""
        settings, option = self._settings, self._config.option
        if not settings.only_here or any(getattr(option, name, False) for name in _SOME):
            return
        for pattern in settings.only:
            if not any(matches(pattern, nodeid) for nodeid in ids):
                names = {nodeid.rpartition("::")[2]: nodeid for nodeid in ids}
                near = difflib.get_close_matches(pattern.rpartition("::")[2], names, 1)
                hint = f" Is it {names[near[0]]}?" if near else ""
                raise pytest.UsageError(f"--leak-check-only {pattern!r} matches none of {len(ids):,} tests.{hint}")

    def _is_wanted(self, item: pytest.Item) -> bool:
        """Whether to repeat a test; not one that checks by itself."""
        checks = item.get_closest_marker("leak_check") or "leak_check" in getattr(item, "fixturenames", ())
        option = self._config.option
        return (
            not checks
            and self._settings.wants(item.nodeid)
            and not any(getattr(option, one, False) for one in _NOT_RUN)
        )

    def _run(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        if getattr(item, "_request", True) is False:
            item._initrequest()  # type: ignore[attr-defined] # noqa: SLF001 - as pytest does for who runs a test again
        if call_and_report(item, "setup").passed:
            report = self._first_call(item)
            if report.passed and not hasattr(report, "wasxfail"):
                report = self._judged(item, report)
            item.ihook.pytest_runtest_logreport(report=report)
        stops = item.session.shouldfail or item.session.shouldstop
        last = call_and_report(item, "teardown", log=False, nextitem=None if stops else nextitem)
        item.ihook.pytest_runtest_logreport(report=self._first_teardown.pop(item.nodeid, last))

    def _first_call(self, item: pytest.Item) -> pytest.TestReport:
        self._running = item.nodeid
        try:
            return call_and_report(item, "call", log=False)
        finally:
            self._running = None

    def _judged(self, item: pytest.Item, first: pytest.TestReport) -> pytest.TestReport:
        """The report of a test's call, which fails where the test leaks."""
        reraise = (pytest.exit.Exception, KeyboardInterrupt)
        call = pytest.CallInfo.from_call(lambda: self._judge(item, first.duration), when="call", reraise=reraise)
        report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
        return report

    def _judge(self, item: pytest.Item, first_s: float) -> None:
        """Repeat a test and note what came out.

        Raises:
            LeakFound: the test leaks.
        """
        setup = self._settings.fixtures
        result = self._why_not(item, first_s) or self._checked(item, setup)
        if isinstance(result, Why):
            record(item, Judgement.without(item, result))
            return
        keep_result(item, result)
        judgement = Judgement.of_repetition(item, result, setup)
        if judgement.answer is Answer.LEAK and setup is FixtureSetup.ONCE and self._goes_with_fixtures(item):
            judgement = judgement.withdrawn(WhyKind.FIXTURES_ONCE)
        record(item, judgement, result)
        if judgement.answer is Answer.LEAK:
            raise LeakFound(judgement, render(result))

    def _goes_with_fixtures(self, item: pytest.Item) -> bool:
        """Whether nothing stays where fixtures are set up each time: their teardown lets go of what a run left."""
        result = self._checked(item, FixtureSetup.EACH)
        return not isinstance(result, Why) and result.verdict is Verdict.NO_LEAK

    def _why_not(self, item: pytest.Item, first_s: float) -> Why | None:
        """Why a test is not to be repeated at all."""
        return Why(WhyKind.REPORTS_ITSELF) if item.nodeid in self._reporting else self._too_slow(first_s)

    def _checked(self, item: pytest.Item, setup: FixtureSetup) -> CheckResult | Why:
        """What the check of a repeated test found, or why there was none."""
        try:
            with Repetition(item, setup) as repetition:
                began = time.monotonic()
                with warnings.catch_warnings(record=True), _nothing_printed():  # pytest would show it once more
                    repetition.run()
                if (slow := self._too_slow(time.monotonic() - began)) is not None:
                    return slow
                with repetition.fixtures_shown(), _old_objects_set_aside(), _nothing_printed():
                    result = leak_check(_runs_of(repetition), name=item.name, **self._settings.measure)
                    return replace(result, noted=tuple(map(_with_option_of_pytest, result.noted)))
        except RunFailed as failed:
            if isinstance(failed, TeardownFailed):
                self._first_teardown[item.nodeid] = failed.report
            where, text = failed.place
            shared = setup is FixtureSetup.ONCE
            kind = WhyKind.FAILS_WITH_SHARED_FIXTURES if shared else WhyKind.FAILS_AGAIN
            return Why(kind, {"step": failed.step, "where": where, "text": text})
        except LabserverError as error:
            return Why(WhyKind.CANNOT_CHECK, {"text": explained(error)})

    def _too_slow(self, run_s: float) -> Why | None:
        limit = self._settings.seconds
        if run_s * _LEAST_RUNS <= limit:
            return None
        known = {"seconds": run_s, "limit": limit, "fits": int(limit / run_s), "least": _LEAST_RUNS}
        return Why(WhyKind.SLOW, known | {"needed": -(-run_s * _LEAST_RUNS // 1)})


def _runs_of(repetition: Repetition) -> Callable[[], None]:
    """A function for one run. The heap shows no test by way of it, but where pytest has its tests."""
    known = weakref.ref(repetition)

    def run() -> None:
        if (repeated := known()) is not None:
            repeated.run()

    return run


def _with_option_of_pytest(note: Note) -> Note:
    """The option to try next by its name here."""
    if note.kind is not NoteKind.NEXT:
        return note
    option = str(note.arguments["option"]).removeprefix("--").replace("max-seconds", "seconds")
    return Note(NoteKind.NEXT, {**note.arguments, "option": f"--leak-check-{option}"})


@contextmanager
def _nothing_printed() -> Iterator[None]:
    """Let what the runs write by descriptor go nowhere, where pytest does not capture it either (`-s`)."""
    with ExitStack() as stack:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, nowhere)
        for stream in (1, 2):
            with suppress(OSError):  # it is closed
                saved = os.dup(stream)
                stack.callback(os.close, saved)
                stack.callback(os.dup2, saved, stream)
                os.dup2(nowhere, stream)
        yield


@contextmanager
def _old_objects_set_aside() -> Iterator[None]:
    """Keep the collector from going over pytest and all modules at every floor, which is most of a check's time.

    A look at the heap sees them all the same. What a test itself has frozen stays so.
    """
    if gc.get_freeze_count():
        yield
        return
    find_hooks()  # they are not found among what is frozen
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
