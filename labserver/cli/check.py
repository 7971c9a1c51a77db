import os
import shlex
import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labserver.cli._check_options import check_options
from labserver.errors import CannotRun, CannotSay, UsageError

if TYPE_CHECKING:
    from labserver.cli._check_progress import Watcher
    from labserver.diagnosis.accepted import Accepted
    from labserver.diagnosis.fact import Note
    from labserver.diagnosis.measure.options import CheckOptions
    from labserver.diagnosis.result import CheckResult

INTERRUPTED = 130
_EXIT_CODES = {"no-leak": 0, "leak": 1, "inconclusive": CannotSay.exit_code}
_FILE = click.Path(path_type=Path, dir_okay=False)
_FILE_OR_STDOUT = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.command()
@click.argument("target", required=False, default="")
@check_options
@click.option("--jobs-from", metavar="URL#NAME", help="With --observe, a Prometheus counter of the jobs.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--json", "json_file", type=_FILE_OR_STDOUT, help="Write the result there; - is standard output.")
@click.option("--junit", "junit_file", type=_FILE, help="Write the result as JUnit XML there.")
@click.option("--html", "html_file", type=_FILE, help="Write the result as one self-contained page there.")
@click.option("--baseline", "baseline_file", type=_FILE, help="Findings that are accepted for a time; new ones fail.")
@click.option("--write-baseline", "new_baseline", type=_FILE, help="Accept all that is found, for 90 days, there.")
def check(  # noqa: PLR0913 - one argument for each of the command's own options
    *,
    target: str,
    jobs_from: str | None,
    quiet: bool,
    json_file: Path | None,
    junit_file: Path | None,
    html_file: Path | None,
    baseline_file: Path | None,
    new_baseline: Path | None,
    **given: Any,
) -> None:
    """Drive TARGET with jobs, or --observe its traffic, and say whether it leaks, how much, and who holds the bytes.

    TARGET is module:attribute, an application or a factory without arguments, imported from the working directory; or
    http://127.0.0.1:PORT or pid:N, a service of this machine that runs already, best with labserver.listen() in it.
    In its place, --command 'gunicorn shop.app:app -w 2 -b 127.0.0.1:{port}' starts your own server, looks at all its
    workers, and ends it.
    A request is 'METHOD /path', with json={...} or data=a=1 at its end and header=NAME:VALUE, file=FIELD@PATH,
    until=FIELD=VALUE (ask again until the answer says so) or expect=STATUS (where that is 400 or above) before that;
    {name} in it is filled from the JSON answers before it, {n} and {uuid} are fresh for each job.

    Exit: 0 no leak (or an accepted one), 1 leak, 125 cannot say (inconclusive, the application cannot be started, every
    job fails), 2 usage, 130 interrupted.
    """
    from labserver.cli._files import write
    from labserver.diagnosis.accepted import accept_all, judge, read_baseline, text_of
    from labserver.diagnosis.measure.options import CheckOptions
    from labserver.files import STDOUT, require_writable
    from labserver.report.data import load_in_words, provenance
    from labserver.report.failure_detail import explained

    require_writable(json_file, junit_file, html_file, new_baseline)
    known: dict[str, Accepted] = {} if baseline_file is None else read_baseline(baseline_file)
    options = CheckOptions(target, **given)
    started, today = datetime.now(UTC), date.today()  # noqa: DTZ011 - days are those of the reader's calendar
    if jobs_from is not None and options.observe is None:
        raise UsageError("--jobs-from goes with --observe.")
    result, exit_code, error = _run(options, jobs_from, quiet=quiet)
    command = shlex.join(["labserver", *_arguments()])
    result = replace(result, provenance=provenance(load=load_in_words(options), command=command, started=started))
    if baseline_file is not None:
        result = judge(result, known, today)
        exit_code = 0 if result.accepted else exit_code
    _show(result, page=error is None, to_stderr=json_file == STDOUT)
    _leave(result, json_file, junit_file, html_file)
    if new_baseline is not None and result.verdict == "leak":
        write(new_baseline, lambda: text_of(accept_all(result, known, today)))
    elif new_baseline is not None:
        click.echo(f"labserver: {new_baseline} was not written: there is no leak to accept.", err=True)
    if error is not None:
        raise CannotSay(explained(error))
    click.get_current_context().exit(exit_code)


def _run(options: "CheckOptions", jobs_from: str | None, *, quiet: bool) -> "tuple[CheckResult, int, CannotRun | None]":
    """The result with its exit code; where the check came to none, one that says so, and why."""
    from labserver.cli._check_progress import watching
    from labserver.diagnosis.fact import Note, NoteKind
    from labserver.diagnosis.failure import JobsFailed
    from labserver.diagnosis.measure.check import Interrupted

    began = time.monotonic()
    with watching(quiet=quiet, tolerance=options.tolerance) as watcher:
        try:
            result = _checked(options, watcher, jobs_from)
        except CannotRun as error:
            seconds = time.monotonic() - began
            why = Note(NoteKind.CANNOT_RUN, {"text": str(error)})
            nothing = _nothing(options, watcher, seconds, why)
            if isinstance(error, JobsFailed):
                nothing = replace(nothing, errors=nothing.jobs, failure=error.failure)
            return nothing, CannotSay.exit_code, error
        except KeyboardInterrupt as error:
            if not isinstance(error, Interrupted):  # nothing ran yet
                error = Interrupted(_nothing(options, watcher, time.monotonic() - began))
            return error.result, INTERRUPTED, None
    return result, _EXIT_CODES[result.verdict], None


def _checked(options: "CheckOptions", watcher: "Watcher", jobs_from: str | None) -> "CheckResult":
    """The check, with the jobs counted where somebody has said so."""
    from labserver.diagnosis.measure.check import run_check

    if jobs_from is None:
        return run_check(options, watcher)
    from labserver.watch.job_counter import open_job_counter

    options.validate()  # before anything is asked
    with closing(open_job_counter(jobs_from)) as counter:
        return run_check(options, watcher, jobs=counter.read, jobs_by=jobs_from)


def _nothing(options: "CheckOptions", watcher: "Watcher", seconds: float, *noted: "Note") -> "CheckResult":
    from labserver.diagnosis.result import CheckResult
    from labserver.diagnosis.verdict import Verdict

    last = watcher.last
    return CheckResult(
        target=options.name,
        verdict=Verdict.INCONCLUSIVE,
        interval=last.interval if last else None,
        tolerance=options.tolerance,
        meter="both",
        jobs=last.jobs if last else 0,
        seconds=seconds,
        errors=0,
        noted=noted,
    )


def _leave(result: "CheckResult", json_file: Path | None, junit_file: Path | None, html_file: Path | None) -> None:
    """Write the files that were asked for, and what a CI system shows."""
    from labserver.cli._files import write
    from labserver.cli._github_page import add_to_github
    from labserver.report.data import json_of
    from labserver.report.html import html_of
    from labserver.report.junit import junit_of

    add_to_github(result)
    write(json_file, lambda: json_of(result))
    write(junit_file, lambda: junit_of(result))
    write(html_file, lambda: html_of(result))


def _show(result: "CheckResult", *, page: bool, to_stderr: bool) -> None:
    """Print the page, and on GitHub the annotations, which it reads from either stream."""
    from rich.console import Console

    from labserver.report.github import annotations_of
    from labserver.report.terminal import show

    if page:
        show(result, Console(stderr=to_stderr))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in annotations_of(result):
            click.echo(line, err=to_stderr)


def _arguments() -> list[str]:
    """What the command line was, the command's name first."""
    given = click.get_current_context().obj
    return list(given) if given is not None else sys.argv[1:]
