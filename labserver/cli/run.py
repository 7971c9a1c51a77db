"""``labserver run``: execute notebooks, then write the reports."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labserver.cli._duration import Duration

if TYPE_CHECKING:
    from labserver.suite.result import RunResult

_DEADLINES_S = {"ci": 1800.0, "seed": 14400.0}
_WRITE_UP = "10_write_the_postmortem"


@click.command("run")
@click.argument("notebooks", nargs=-1, metavar="[NOTEBOOK]...")
@click.option("-p", "--parameter", "given", nargs=2, multiple=True, metavar="NAME VALUE", help="Set a parameter.")
@click.option("--profile", type=click.Choice(list(_DEADLINES_S)), help="Values from profiles.toml.")
@click.option("--deadline", type=Duration(), metavar="DURATION", help="For each notebook [30m; --profile seed: 4h].")
@click.option("--notebooks", "folder", type=click.Path(path_type=Path), default="notebooks", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default="outputs/runs", show_default=True)
def run(  # noqa: PLR0913 - one argument an option
    *,
    notebooks: tuple[str, ...],
    given: tuple[tuple[str, str], ...],
    profile: str | None,
    deadline: float | None,
    folder: Path,
    output: Path,
) -> None:
    """Execute notebooks as experiments.

    NOTEBOOK is a number, a name with or without its number, or a path; all notebooks without one.

    Exit code: 0 when every claim holds, 1 when one does not, 2 for a wrong name or parameter, 3 when a notebook could
    not run, 130 when interrupted.
    """
    from labserver.suite.catalog import find_notebooks
    from labserver.suite.runner import run_suite

    screen = _Screen(rewrite=sys.stdout.isatty())
    result = run_suite(
        find_notebooks(notebooks, folder),
        parameters=dict(given),
        profile=profile,
        output_root=output,
        deadline_s=_DEADLINES_S[profile or "ci"] if deadline is None else deadline,
        echo=screen.line,
        progress=screen.progress,
    )
    _write_reports(result)
    if len(result.notebooks) > 1:  # what failed has scrolled away
        for notebook in result.failures:
            click.echo("\n".join(notebook.closing_lines()))
    click.get_current_context().exit(result.exit_code)


class _Screen:
    """Lines on stdout; on a terminal a progress line is rewritten in place."""

    def __init__(self, *, rewrite: bool) -> None:
        self.clear = "\r\x1b[2K" if rewrite else ""
        self.rewrite = rewrite

    def progress(self, text: str) -> None:
        click.echo(f"{self.clear}{text}", nl=not self.rewrite)

    def line(self, text: str) -> None:
        click.echo(f"{self.clear}{text}")


def _write_reports(result: "RunResult") -> None:
    from labserver.suite.junit import write_junit

    write_junit(result, result.run_dir / "junit.xml")
    if (result.run_dir / f"{_WRITE_UP}.ipynb").is_file():
        from labserver.incident.postmortem.export import FORMATS, write_postmortem
        from labserver.incident.postmortem.pdf import why_not

        reason = why_not()
        write_postmortem(result.run_dir, [name for name in FORMATS if name != "pdf" or not reason])
        if reason:
            click.echo(f"No postmortem.pdf: {reason}")
    click.echo(f"Run directory: {result.run_dir}")
    for path in sorted(result.run_dir.rglob("*")):
        if path.is_file():
            click.echo(f"  {path.relative_to(result.run_dir).as_posix()}")
