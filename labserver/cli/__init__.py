"""The command line. A command is a module of its name and is imported when it is used: ``--help`` stays quick."""

import importlib
import io
import os
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
    "heap": "Keep heaps as files, show and compare them.",
    "doctor": "Show what this machine has and lacks.",
}
"""Each command and its line in the help. The module ``labserver.cli.NAME`` holds it as the attribute ``NAME``."""

_OF_NOTEBOOKS = ("run", "report")
_INTERRUPTED = 130
_UNHEARD = 141  # what a shell says of a command whose reader has left


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
        except ModuleNotFoundError as error:
            from labserver.extras import OPTIONAL, missing

            package, extra = OPTIONAL.get(error.name or "", (error.name, None))
            if ctx.invoked_subcommand in _OF_NOTEBOOKS:
                extra = "notebooks"
            if package is None or extra is None:  # the core is not whole, which its traceback tells best
                raise
            raise UserError(missing(package, extra, by=f"labserver {ctx.invoked_subcommand}")) from None
        except BrokenPipeError:
            forget_stdout()
            ctx.exit(_UNHEARD)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="labserver")
def cli() -> None:
    """Does my service leak memory, who holds the bytes, and is the fix really a fix?"""


def say(text: str) -> None:
    """Print an answer whose exit code counts, whether or not somebody still reads."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        forget_stdout()


def forget_stdout() -> None:
    """Let it lead nowhere: its reader has left, such as `head`, and the interpreter writes what is left at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a table with a sign that a terminal lacks is still a table
    try:
        code = cli.main(args=arguments, prog_name="labserver", standalone_mode=False, obj=arguments)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    return code if isinstance(code, int) else 0
