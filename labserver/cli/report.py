"""``labserver report``: export a run's post-mortem again, here or elsewhere."""

import shutil
from pathlib import Path

import click


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--format", "formats", multiple=True, help="html, md, pdf or card; repeatable.  [default: html and md]")
@click.option("--lang", "language", default="en", show_default=True, help="en or ko.")
@click.option(
    "--to", type=click.Path(path_type=Path), help="Folder to write to, findings included.  [default: the run]"
)
@click.option("--notebooks", is_flag=True, help="With --to: the executed notebooks, too, without paths and times.")
@click.option(
    "--output", type=click.Path(path_type=Path), default="outputs/runs", show_default=True, help="Where runs are."
)
def report(  # noqa: PLR0913 - one argument for each option
    run: Path | None, *, formats: tuple[str, ...], language: str, to: Path | None, notebooks: bool, output: Path
) -> None:
    """Write the post-mortem of RUN, a run directory; the newest one without RUN."""
    from labserver.errors import UsageError
    from labserver.incident.postmortem.export import DEFAULT_FORMATS, write_postmortem
    from labserver.suite import findings, provenance, published

    if notebooks and to is None:
        raise UsageError("Say where the notebooks go: --notebooks needs --to.")
    run_dir = _find(run, output)
    written = write_postmortem(run_dir, formats or DEFAULT_FORMATS, to=to, language=language)
    if to is not None and to.resolve() != run_dir.resolve():
        for name in (findings.FILE_NAME, provenance.FILE_NAME):
            if (run_dir / name).is_file():
                written.append(to / name)
                shutil.copyfile(run_dir / name, to / name)
    if to is not None and notebooks:
        written += published.publish_notebooks(run_dir, to / published.FOLDER)
    for path in written:
        click.echo(path)


def _find(run: Path | None, output: Path) -> Path:
    from labserver.errors import UsageError
    from labserver.suite.findings import FILE_NAME

    if run is not None:
        found = [run] if (run / FILE_NAME).is_file() else []
    else:
        # Run directories begin with their UTC start, so the last by name is the newest.
        found = sorted(path.parent for path in output.glob(f"2*/{FILE_NAME}"))
    if not found:
        raise UsageError(f"There is no finished run at {run or output}: make one with 'labserver run'.")
    return found[-1]
