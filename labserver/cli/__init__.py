"""The command line. A command is a module of its name and is imported when it is used: ``--help`` stays quick."""

import importlib
import sys
from collections.abc import Sequence
from typing import IO, Any

import click

from labserver import __version__
from labserver.errors import LabserverError

COMMANDS = {
    "check": "Find out whether an application leaks, and who holds the bytes.",
    "run": "Execute notebooks as experiments.",
    "report": "Write the post-mortem of a run again.",
    "serve": "Start the image-job service.",
    "faceapi": "Start the AI service that composes the faces.",
    "load": "Drive a service with virtual users.",
    "watch": "Follow the memory of a service or process.",
    "doctor": "Show what this machine has and lacks.",
}
"""Each command and its line in the help. The module ``labserver.cli.NAME`` holds it as the attribute ``NAME``."""

_INTERRUPTED = 130


class UserError(click.ClickException):
    """An error of this package in click's form: one sentence and its exit code."""

    def __init__(self, error: LabserverError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code  # type: ignore[misc] # click reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence to stderr."""
        click.echo(f"labserver: {self.format_message()}", file=file or sys.stderr)


class LazyGroup(click.Group):
    """Commands by name, imported at their first use."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"labserver.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake of a developer, not of a user
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and turn this package's errors into click's."""
        try:
            return super().invoke(ctx)
        except LabserverError as error:
            raise UserError(error) from None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="labserver")
def cli() -> None:
    """Does my service leak memory, who holds the bytes, and is the fix really a fix?"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        code = cli.main(args=arguments, prog_name="labserver", standalone_mode=False, obj=arguments)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    return code if isinstance(code, int) else 0
