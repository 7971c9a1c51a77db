"""`%%leakcheck` checks a cell in this process, `%leakcheck` an application in a process of its own."""

import ast
import shlex
import traceback
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable
from dataclasses import Field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import CodeType
from typing import Any

from IPython.core.error import UsageError as OneSentence
from IPython.core.magic_arguments import MagicArgumentParser

from labserver.diagnosis.measure.check import Interrupted, run_check
from labserver.diagnosis.measure.in_process import leak_check
from labserver.diagnosis.measure.options import (
    DURATION,
    AttachOptions,
    CheckOptions,
    LoadOptions,
    MeasureOptions,
    OnProgress,
    options_of,
)
from labserver.diagnosis.result import CheckResult
from labserver.durations import seconds_of
from labserver.errors import LabserverError
from labserver.plugins.answer_files import AnswerFiles
from labserver.plugins.notebook_view import live_view
from labserver.report.data import load_in_words, provenance
from labserver.report.failure_detail import explained
from labserver.targets.application import in_one_line

Options = LoadOptions | AttachOptions | MeasureOptions


def register(shell: Any) -> None:
    """Add the magics to a shell."""
    magics = LeakMagics(shell)
    shell.register_magic_function(magics.check_application, "line", "leakcheck")
    shell.register_magic_function(magics.check_cell, "cell", "leakcheck")


class LeakMagics:
    """The magics, one for a cell and one for an application.

    Args:
        shell: IPython's.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell

    def check_cell(self, line: str, cell: str) -> None:
        """Run the cell as one job, over and over, and say whether this process keeps memory of every run.

            %%leakcheck [--max-jobs N] [--max-seconds S] [--tolerance BYTES] [--fast] [--into VARIABLE]
                        [--html FILE] [--json FILE] [--baseline FILE] [NAME]

        The cell is compiled once and runs in the notebook's own namespace; what it prints is not shown. All options
        are shown by `%leakcheck --help`.
        """
        arguments = _parsed(_cell_parser(), line)
        if arguments is None:
            return
        code = _compiled(self.shell, cell)
        namespace = self.shell.user_ns

        def job() -> None:
            exec(code, namespace)  # noqa: S102 - the user's own cell, as the notebook would run it

        def check(progress: OnProgress) -> CheckResult:
            return leak_check(job, name=arguments.name, on_progress=progress, **_options(arguments, MeasureOptions))

        self._show(check, arguments, f"%%leakcheck {line}".rstrip(), "the cell, over and over", code.co_filename)

    def check_application(self, line: str) -> None:
        """Serve an application from a process of its own, drive it with jobs, and say whether it leaks.

            %leakcheck TARGET --request 'METHOD /PATH' [--request …] [--journey MODULE:CALLABLE] [--users N]
                       [--max-jobs N] [--max-seconds S] [--settle S] [--tolerance BYTES] [--fast] [--into VARIABLE]
                       [--html FILE] [--json FILE] [--baseline FILE]

        TARGET and the options are what `labserver check` takes; `%leakcheck --help` shows all of them.
        """
        arguments = _parsed(_application_parser(), line)
        if arguments is None:
            return
        options = CheckOptions(arguments.target, **_options(arguments, LoadOptions, AttachOptions, MeasureOptions))
        command = f"%leakcheck {line}".rstrip()
        self._show(lambda progress: run_check(options, progress), arguments, command, load_in_words(options))

    def _show(
        self,
        check: Callable[[OnProgress], CheckResult],
        arguments: Any,
        command: str,
        load: str,
        cell_file: str = "",
    ) -> None:
        """Show the progress, and the answer in its place; a user's mistake is one sentence, not a traceback."""
        interrupted, started = False, datetime.now(UTC)
        try:
            files = AnswerFiles.of(arguments)
            with live_view(self.shell, tolerance=arguments.tolerance) as view:
                try:
                    result = check(view.progress)
                except Interrupted as error:
                    result, interrupted = error.result, True
                result = replace(result, provenance=provenance(load=load, command=command, started=started))
                result = files.judged(result)
                view.answer(result)
            files.leave(result)
        except LabserverError as error:
            raise OneSentence(explained(error)) from None
        except KeyboardInterrupt:
            raise OneSentence("Interrupted: there is no answer.") from None
        except Exception as error:
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == cell_file]
            if not lines:  # not the cell's mistake
                raise
            raise OneSentence(f"The cell fails: {in_one_line(error)} (line {lines[-1]}).") from None
        if arguments.into is not None:
            self.shell.user_ns[arguments.into] = result
        if interrupted:  # an error, so that the cells that wait do not run
            raise OneSentence("Interrupted: the answer is what was known so far.")


def _cell_parser() -> MagicArgumentParser:
    parser = _parser(
        "%%leakcheck", "Run the cell as one job, over and over, and say whether this process keeps memory."
    )
    parser.add_argument("name", nargs="?", default="the cell", metavar="NAME")
    return _with_options(parser, MeasureOptions)


def _application_parser() -> MagicArgumentParser:
    parser = _parser(
        "%leakcheck",
        "Serve an application from a process of its own, drive it with jobs, and say whether it leaks.\n"
        "%%leakcheck in a cell's first line checks the cell itself: see %%leakcheck --help.",
    )
    parser.add_argument("target", metavar="TARGET")
    return _with_options(parser, LoadOptions, AttachOptions, MeasureOptions)


def _parser(name: str, description: str) -> MagicArgumentParser:
    parser = MagicArgumentParser(name, description=description, formatter_class=RawDescriptionHelpFormatter)
    parser.color = False  # from CPython 3.14 on help is coloured, also where it is shown as text
    return parser


def _with_options(parser: MagicArgumentParser, *kinds: type[Options]) -> MagicArgumentParser:
    for one in options_of(*kinds):
        spelling = "--" + one.name.replace("_", "-").removesuffix("s" if one.default == () else "")
        say: dict[str, Any] = {"dest": one.name, "help": one.metadata["help"]}
        if one.default == ():
            parser.add_argument(spelling, action="append", **say)
        elif one.default is False:
            parser.add_argument(spelling, action="store_true", **say)
        else:
            parser.add_argument(spelling, type=_kind(one), default=one.default, metavar=one.metadata["metavar"], **say)
    parser.add_argument("--into", metavar="VARIABLE", help="Keep the answer there.")
    parser.add_argument("--html", type=Path, metavar="FILE", help="Write the answer as one self-contained page there.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="Write the answer there as JSON; - prints it.")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="Findings that are accepted for a time.")
    parser.add_argument("--help", "-h", action="store_true", help="Show this.")
    return parser


def _kind(one: Field[Any]) -> Callable[[str], Any]:
    """What reads an option's value."""
    if one.metadata["metavar"] == DURATION:
        return _duration
    return str if one.name == "journey" else int if isinstance(one.default, int) else float


def _duration(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is none: {error}") from None


def _options(arguments: Any, *kinds: type[Options]) -> dict[str, Any]:
    """What was given, by the options' names."""
    given = {one.name: getattr(arguments, one.name) for one in options_of(*kinds)}
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return {name: value for name, value in (given | lists).items() if value is not None}


def _parsed(parser: MagicArgumentParser, line: str) -> Any:
    """The line's arguments; None where it only asks for help, which is then shown."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise OneSentence(f"The line cannot be read: {error}.") from None
    if {"--help", "-h"}.intersection(words):  # also without the target that is missing
        print(parser.format_help().rstrip("\n"))  # noqa: T201 - it is asked for
        return None
    arguments = parser.parse_args(words)
    if arguments.into is not None and not arguments.into.isidentifier():
        raise OneSentence(f"--into {arguments.into}: this is no name of a variable.")
    return arguments


def _compiled(shell: Any, cell: str) -> CodeType:
    """The cell's code, compiled once, with the notebook's own `from __future__` imports and magics."""
    try:
        source = shell.transform_cell(cell)
        tree = ast.parse(source)
    except SyntaxError as error:
        raise OneSentence(f"The cell is not Python: {error.msg} (line {error.lineno}).") from None
    if not tree.body:
        raise OneSentence("The cell is empty: what it does is the job that is checked.")
    try:
        # Not `execution_count`: some versions count on before a cell is run, others after it.
        number = len(shell.history_manager.input_hist_parsed) - 1
        code: CodeType = shell.compile(source, shell.compile.cache(source, number, raw_code=cell), "exec")
    except SyntaxError as error:  # `return`, `await` and the like, outside a function
        raise OneSentence(f"The cell cannot be repeated: {error.msg} (line {error.lineno}).") from None
    return code
