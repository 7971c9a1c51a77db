"""A test that has passed, run again and again by pytest's own machinery, which keeps nothing of the further runs."""

import shutil
import sys
import types
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self

import pytest
from _pytest.fixtures import FixtureDef

from labserver.plugins.pytest_settings import FixtureSetup

Step = Literal["setup", "call", "teardown"]


class RunFailed(Exception):  # noqa: N818 - what became of a run, which is no error of this program
    """A further run of a test failed, was skipped or could not be set up, though the first one passed."""

    def __init__(self, report: pytest.TestReport) -> None:
        super().__init__(report.nodeid)
        self.step = str(report.when)
        self.report = report

    @property
    def place(self) -> tuple[str, str]:
        """Where it ended, as `file:line`, and why, in a line."""
        shown, where = self.report.longrepr, self.report.location
        if isinstance(shown, tuple):  # it was skipped
            file, line, text = shown
        elif (crash := getattr(shown, "reprcrash", None)) is not None:
            file, line, text = crash.path, crash.lineno, crash.message
        else:
            file, line, text = where[0], (where[1] or 0) + 1, str(shown)
        return f"{_from_here(file)}:{line}", next(iter(text.splitlines()), "")


class TeardownFailed(RunFailed):
    """The teardown of the first run failed: a test that fails without being repeated."""


class Repetition:
    """The further runs of one test, between its first call and its teardown.

    With fixtures set up each time, a run is what pytest does with a test: setup, call and teardown, with the hooks of
    all plugins. Fixtures of a wider scope stay. On leaving, the test is run once more up to pytest's own teardown.

    Args:
        item: the test; its setup and its first call have passed.
        setup: how often its fixtures are set up.
    """

    def __init__(self, item: pytest.Item, setup: FixtureSetup) -> None:
        self._item = item
        self._each = setup is FixtureSetup.EACH
        self._fixtures = _active_fixtures(item)
        self._kept: _KeptByPytest

    def __enter__(self) -> Self:
        _cancel_timeout(self._item)
        if self._each:
            try:
                self._end()
            except RunFailed as failed:
                self._run_up_to_teardown()
                raise TeardownFailed(failed.report) from None
        else:
            _drain(self._item)
        self._kept = _KeptByPytest(self._item, self._fixtures)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # After an interrupt or pytest.exit, pytest tears down what there is.
        if self._each and (kind is None or issubclass(kind, Exception)):
            self._run_up_to_teardown()
            self._kept.restore()

    def run(self) -> None:
        """Run the test once.

        Raises:
            RunFailed: it did not pass.
        """
        try:
            if self._each:
                try:
                    self._begin()
                    self._step("call")
                finally:
                    self._end()
            else:
                with _renewed(self._item):
                    self._step("call")
                _drain(self._item)
        finally:
            self._kept.restore()

    @contextmanager
    def fixtures_shown(self) -> Iterator[None]:
        """Let the heap show the fixtures of a wider scope by their names, and what they keep below these.

        pytest refers to them as well, but by a long way through its own objects.
        """
        module = types.ModuleType("(fixtures)")  # no importable name, so it takes no other module's place
        for fixture in self._fixtures:
            if fixture.scope != "function" and fixture.cached_result is not None:
                module.__dict__[fixture.argname] = fixture.cached_result[0]
        sys.modules[module.__name__] = module
        try:
            yield
        finally:
            del sys.modules[module.__name__]

    def _begin(self) -> None:
        if getattr(self._item, "_request", True) is False:
            self._item._initrequest()  # type: ignore[attr-defined] # noqa: SLF001 - as pytest does for who runs a test again
        self._step("setup")

    def _run_up_to_teardown(self) -> None:
        """Without a look at how it ends: some plugins, and pytest for `unittest`, tear down what the call left."""
        with suppress(RunFailed):
            self._begin()
            self._step("call")

    def _end(self) -> None:
        directory = _own_directory(self._item)
        # To pytest the next test is another one of the same module or class, for which their fixtures stay.
        self._step("teardown", nextitem=self._item.parent)
        if hasattr(self._item, "_request"):
            self._item._request = False  # noqa: SLF001 - as pytest does at a test's end
            self._item.funcargs = None  # type: ignore[attr-defined]
        _renew_instance(self._item)
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)

    def _step(self, when: Step, **arguments: Any) -> None:
        hook = getattr(self._item.ihook, f"pytest_runtest_{when}")
        call = pytest.CallInfo.from_call(
            lambda: hook(item=self._item, **arguments), when=when, reraise=(pytest.exit.Exception, KeyboardInterrupt)
        )
        report = self._item.ihook.pytest_runtest_makereport(item=self._item, call=call)
        if not report.passed:
            raise RunFailed(report)


class _KeptByPytest:
    """What pytest adds to with every run of a test, as long as it was before the further runs.

    That is what was printed and logged, what `record_property` noted, and at each fixture of a wider scope a finalizer
    for every one of the test's own that has asked for it.
    """

    def __init__(self, item: pytest.Item, fixtures: Sequence[FixtureDef[Any]]) -> None:
        self._notes = [(notes, len(notes)) for notes in (item._report_sections, item.user_properties)]  # noqa: SLF001
        alive = [fixture for fixture in fixtures if fixture.cached_result is not None]
        self._fixtures = [(fixture, fixture.cached_result, len(fixture._finalizers)) for fixture in alive]  # noqa: SLF001

    def restore(self) -> None:
        """Drop what came."""
        for notes, length in self._notes:
            del notes[length:]
        for fixture, result, length in self._fixtures:
            if fixture.cached_result is result:  # else it was set up anew, and all of its finalizers are
                del fixture._finalizers[length:]  # noqa: SLF001


def _active_fixtures(item: pytest.Item) -> list[FixtureDef[Any]]:
    """Those that a test has, by its arguments, of their own accord, and by asking for them as it runs."""
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    asked = getattr(getattr(item, "_request", None), "_fixture_defs", {})
    every = {id(one): one for one in [*(one for several in known.values() for one in several), *asked.values()]}
    return [one for one in every.values() if isinstance(one, FixtureDef) and one.cached_result is not None]


@contextmanager
def _renewed(item: pytest.Item) -> Iterator[None]:
    """Give a run those of pytest's fixtures anew that would collect something of each."""
    arguments: dict[str, Any] = getattr(item, "funcargs", None) or {}
    before = dict(arguments)
    with ExitStack() as stack:
        stack.callback(arguments.update, before)
        if "monkeypatch" in arguments:
            arguments["monkeypatch"] = stack.enter_context(pytest.MonkeyPatch.context())
        if "recwarn" in arguments:
            arguments["recwarn"] = stack.enter_context(pytest.WarningsRecorder(_ispytest=True))
            warnings.simplefilter("default")
        yield


def _renew_instance(item: pytest.Item) -> None:
    """Have a method called on a new instance of its class, as every other test has one."""
    if isinstance(item.parent, pytest.Class) and hasattr(item, "_instance"):
        del item._instance  # noqa: SLF001 - as pytest does for `unittest`
        item._obj = None  # type: ignore[attr-defined] # noqa: SLF001 - the method of the old one


def _drain(item: pytest.Item) -> None:
    """Forget what a run printed and did not read, as if the next one were the first."""
    for value in (getattr(item, "funcargs", None) or {}).values():
        if isinstance(value, pytest.CaptureFixture):
            value.readouterr()


def _own_directory(item: pytest.Item) -> Path | None:
    """The directory that pytest made for this run alone: there would be hundreds of them."""
    path = (getattr(item, "funcargs", None) or {}).get("tmp_path")
    fixtures = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}).get("tmp_path", ())
    own = [one.func.__module__ for one in fixtures] == ["_pytest.tmpdir"]
    return path if own and isinstance(path, Path) else None


def _from_here(file: str) -> str:
    path = Path(file)
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else file


def _cancel_timeout(item: pytest.Item) -> None:
    """A limit for one run is none for hundreds, which have their own."""
    cancel = getattr(item.ihook, "pytest_timeout_cancel_timer", None)
    if cancel is not None:
        cancel(item=item)
