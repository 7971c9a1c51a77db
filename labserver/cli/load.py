import json
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labserver.cli import say
from labserver.cli._duration import Duration
from labserver.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labserver.load import Progress, Summary, VirtualUsers

PLAIN_LINE_S = 3.0
INTERRUPTED = 130  # what a shell expects of a command that Ctrl-C ended


@click.command()
@click.argument("url")
@click.option("--users", default=5, show_default=True, type=click.IntRange(min=1), help="Virtual users.")
@click.option("--duration", type=Duration(), metavar="DURATION", help="In which iterations may begin.  [default: 30]")
@click.option(
    "--iterations", type=click.IntRange(min=1), help="Iterations to share among the users, in place of a duration."
)
@click.option("--poll-interval", default=3.0, show_default=True, help="Seconds between two polls of a job.")
@click.option(
    "--max-polls", default=40, show_default=True, type=click.IntRange(min=1), help="Polls before giving a job up."
)
@click.option("--photos", type=click.Path(path_type=Path), help="A folder with pictures to upload.")
@click.option("--seed", default=0, show_default=True, help="What the pictures' variation is drawn from.")
@click.option(
    "--poll-policy",
    default="fixed",
    show_default=True,
    metavar="NAME",
    help="fixed, exponential, full-jitter, decorrelated or retry-after.",
)
@click.option("--max-poll-interval", type=float, help="Longest wait where the waits grow [ten --poll-interval].")
@click.option("--threshold", "thresholds", multiple=True, help="Such as 'http_req_duration:p(95)<500'; repeatable.")
@click.option("--memory-from", metavar="URL|PID", help="Where thresholds on memory are read [URL].")
@click.option("--out", "outputs", multiple=True, metavar="json=FILE|csv=FILE", help="Write each sample; repeatable.")
@click.option(
    "--summary-export",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write the summary in k6's shape there; - is standard output.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write the summary there; - is standard output.",
)
def load(  # noqa: PLR0913 - one argument an option
    *,
    url: str,
    users: int,
    duration: float | None,
    iterations: int | None,
    poll_interval: float,
    max_polls: int,
    photos: Path | None,
    seed: int,
    json_file: Path | None,
    poll_policy: str,
    max_poll_interval: float | None,
    thresholds: tuple[str, ...],
    memory_from: str | None,
    outputs: tuple[str, ...],
    summary_export: Path | None,
) -> None:
    """Drive the image service at URL with virtual users and print what they met.

    Exit: 0 all checks passed, 1 a check failed (unless a threshold on checks decides), 2 usage, 3 could not run, 99 a
    threshold was crossed, 130 interrupted.
    """
    from labserver.cli._files import write
    from labserver.cli._load_thresholds import Thresholds
    from labserver.files import STDOUT, require_writable
    from labserver.load import virtual_users
    from labserver.load.export import k6_summary

    if duration is not None and iterations is not None:
        raise UsageError("Give --duration or --iterations, not both.")
    if iterations is None and duration is None:
        duration = 30.0
    require_writable(json_file, summary_export)
    limits = Thresholds(thresholds)
    with (
        _exit_on_interrupt(),
        limits.watching(memory_from or url),
        _progress() as show,
        virtual_users(
            url,
            users,
            poll_interval_s=poll_interval,
            max_polls=max_polls,
            seed=seed,
            photos=photos,
            poll_policy=poll_policy,
            max_poll_interval_s=max_poll_interval,
            outputs=outputs,
            thresholds=limits.of_the_load,
            on_progress=limits.counting(show),
        ) as crowd,
    ):
        summary, interrupted = _run(crowd, duration, iterations)
    if summary is not None:
        summary = limits.judge(summary)
        if STDOUT in {json_file, summary_export}:
            print(summary.table(), file=sys.stderr)
        else:
            say(summary.table())
        write(json_file, lambda: _text(summary.to_dict()))
        write(summary_export, lambda: _text(k6_summary(summary)))
    if interrupted:
        sys.exit(INTERRUPTED)
    sys.exit(limits.exit_code(summary))


def _run(crowd: "VirtualUsers", duration: float | None, iterations: int | None) -> "tuple[Summary | None, bool]":
    """The summary, and whether Ctrl-C ended the run."""
    try:
        return crowd.run(duration_s=duration, iterations=iterations), False
    except KeyboardInterrupt:
        return crowd.interrupt(), True


@contextmanager
def _exit_on_interrupt() -> "Iterator[None]":
    """Ctrl-C outside of a run, or a second one, ends the command without a summary."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@contextmanager
def _progress() -> "Iterator[Callable[[Progress], None]]":
    """A callback that shows progress on stderr: one line that changes on a terminal, a line now and then in a pipe."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _PlainLines()
        return
    with console.status("starting the virtual users") as status:
        yield lambda progress: status.update(_sentence(progress))


class _PlainLines:
    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, progress: "Progress") -> None:
        if time.monotonic() - self._last >= PLAIN_LINE_S:
            self._last = time.monotonic()
            print(_sentence(progress), file=sys.stderr, flush=True)


def _sentence(progress: "Progress") -> str:
    return (
        f"{progress.elapsed_s:.0f} s: {progress.iterations} iterations ({progress.rate:.2f}/s), "
        f"{progress.running} users at work, {progress.failed_checks} failed checks"
    )


def _text(summary: dict[str, Any]) -> str:
    return json.dumps(summary, indent=2, allow_nan=False) + "\n"
