"""``labserver watch``: a service's memory in time, from outside."""

import sys
from contextlib import ExitStack, closing
from pathlib import Path

import click

from labserver.cli._check_options import attach_options
from labserver.cli._duration import Duration
from labserver.errors import CannotRun

_INTERRUPTED = 130


@click.command("watch")
@click.argument("target", metavar="URL|PID")
@click.option(
    "--interval",
    default=1.0,
    show_default=True,
    type=Duration(least=0.05),
    metavar="DURATION",
    help="Between two samples.",
)
@click.option(
    "--duration",
    default=60.0,
    show_default=True,
    type=Duration(),
    metavar="DURATION",
    help="Until the last sample.",
)
@click.option("--csv", "csv_path", type=click.Path(path_type=Path, dir_okay=False), help="Write the samples there.")
@click.option("--force", is_flag=True, help="Write a --csv file anew that is there already.")
@attach_options("no_attach", "attach_timeout")
@click.option("-q", "--quiet", is_flag=True, help="Print the summary only.")
def watch(  # noqa: PLR0913 - one argument an option
    *,
    target: str,
    interval: float,
    duration: float,
    csv_path: Path | None,
    force: bool,
    no_attach: bool,
    attach_timeout: float,
    quiet: bool,
) -> None:
    """Follow the memory of a service at URL (Spring Boot's Actuator, Prometheus' format) or of a process PID.

    URL is a service's address, an Actuator's with its port and path, or that of one metric. What is not read stays
    empty: gaps and restarts are marked, and nothing is interpolated.

    Exit: 0 watched to the end, 2 usage, 3 nothing can be read there or the process has ended, 130 interrupted.
    """
    from labserver.cli._watch_view import view, words
    from labserver.watch.open import open_source
    from labserver.watch.series import Account, CsvFile, samples

    account, ended, interrupted = Account(), False, False
    with ExitStack() as stack:
        # Opened before the file is made: what cannot be watched must leave no file behind.
        source = stack.enter_context(closing(open_source(target, attach_s=None if no_attach else attach_timeout)))
        file = stack.enter_context(closing(CsvFile(csv_path, force=force))) if csv_path is not None else None
        show = stack.enter_context(view(source.what, quiet=quiet))
        try:
            for sample in samples(source, interval_s=interval, duration_s=duration):
                account.add(sample)
                if file is not None:
                    file.add(sample)
                show(sample)
                ended = sample.event == "ended"
        except KeyboardInterrupt:
            interrupted = True
    print(words(account), flush=True)
    if interrupted:
        sys.exit(_INTERRUPTED)
    if ended:
        raise CannotRun(f"What was watched has ended: {source.what.partition(',')[0]}.")
    if not account.count:
        raise CannotRun(f"{source.what} gave no figure in {duration:g} s.")
