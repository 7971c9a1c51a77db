"""Run notebooks as experiments: each in a fresh kernel, each marked with what became of it."""

import contextlib
import math
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError

from labserver.errors import CannotRun, LabserverError, UsageError
from labserver.suite import engine
from labserver.suite.finding import Finding
from labserver.suite.findings import failed_claims, load_findings
from labserver.suite.kernel import running_kernel
from labserver.suite.marks import finish_notebook
from labserver.suite.plan import Step, plan_steps
from labserver.suite.provenance import write_provenance
from labserver.suite.result import NotebookResult, RunResult, Status
from labserver.suite.session import CellProgress, Failure, Session
from labserver.suite.stop import Stop

Echo = Callable[[str], None]


def run_suite(  # noqa: PLR0913 - keywords that mirror the command line
    notebooks: Sequence[Path],
    *,
    parameters: Mapping[str, str],
    profile: str | None,
    output_root: Path,
    deadline_s: float,
    echo: Echo,
    progress: Echo | None = None,
) -> RunResult:
    """Execute the notebooks in order into a new run directory.

    A notebook that fails does not keep the later ones from running: the write-up must be written with what exists.
    After Ctrl-C or SIGTERM the rest is not run.

    Args:
        notebooks: the files.
        parameters: values from the command line by name.
        profile: table of ``profiles.toml``, or None for the notebooks' own values.
        output_root: where the run directory is made.
        deadline_s: seconds that each notebook may take.
        echo: takes the closing lines of each notebook.
        progress: takes a line for each cell that starts; ``echo`` unless given.

    Raises:
        UsageError: a parameter is wrong; nothing was started and no directory made.
        CannotRun: the run directory cannot be made.
    """
    if not 0 < deadline_s < math.inf:  # also refuses NaN
        raise UsageError(f"The deadline is {deadline_s:g}: it must be a finite number of seconds, more than 0.")
    steps = plan_steps(notebooks, parameters, profile)
    started = datetime.now(UTC)
    run_dir = _create_run_directory(output_root, started)
    engine.register()
    write_provenance(run_dir, steps, profile, started, ended=None)
    with Stop() as stop:
        run = _Run(run_dir, deadline_s, stop, progress or echo)
        results = []
        for step in steps:
            results.append(run.execute(step))
            for line in results[-1].closing_lines():
                echo(line)
    ended = datetime.now(UTC)
    write_provenance(run_dir, steps, profile, started, ended=ended)
    return RunResult(run_dir, profile, started, ended, tuple(results))


@dataclass(frozen=True, slots=True)
class _Run:
    run_dir: Path
    deadline_s: float
    stop: Stop
    progress: Echo

    def execute(self, step: Step) -> NotebookResult:
        if self.stop.signal:
            return NotebookResult(
                step.name,
                step.notebook,
                Status.NOT_RUN,
                message=f"not run after {self.stop.signal}",
                parameters=step.parameters,
            )
        started = monotonic()
        output = self.run_dir / step.notebook.name
        log = self.run_dir / "logs" / f"{step.name}.log"
        failure = self._failure_of(step, output, log)
        findings, failure = self._findings(step, failure)
        finish_notebook(output, failure, log, self.run_dir / "curves")
        return NotebookResult(
            step.name,
            step.notebook,
            failure.status if failure else Status.PASSED,
            seconds=monotonic() - started,
            message=failure.message if failure else "",
            output=output,
            cell=failure.cell if failure else None,
            parameters=step.parameters,
            findings=findings,
        )

    def _failure_of(self, step: Step, output: Path, log: Path) -> Failure | None:
        try:
            with log.open("wb") as stream, running_kernel(self.run_dir, step.notebook.parent, stream) as kernel:
                self.stop.watch(kernel)
                session = Session(step.name, kernel, self.deadline_s, self.stop, self._on_cell)
                try:
                    return self._papermill(step, output, session)
                finally:
                    self.stop.watch(None)
        except CannotRun as error:
            _copy_unrun(step.notebook, output)
            return Failure(Status.DEAD_KERNEL, None, str(error))

    def _papermill(self, step: Step, output: Path, session: Session) -> Failure | None:
        changed = dict(step.changed)
        if step.wants_run_dir:
            # As seen from the notebook's folder: the saved notebook then names no directory of this machine.
            changed["run_dir"] = Path(os.path.relpath(self.run_dir, step.notebook.parent)).as_posix()
        # Raised for every error output; whether it is a failure, and which, the session knows.
        with contextlib.suppress(PapermillExecutionError):
            papermill.execute_notebook(
                step.notebook,
                output,
                parameters=changed,
                engine_name=engine.ENGINE,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                cwd=step.notebook.parent,
                session=session,
            )
        return session.failure

    def _findings(self, step: Step, failure: Failure | None) -> tuple[tuple[Finding, ...], Failure | None]:
        try:
            findings = tuple(f for f in load_findings(self.run_dir) if f.notebook == step.name)
        except LabserverError as error:
            return (), failure or Failure(Status.ERROR, None, str(error))
        broken = failed_claims(findings)
        if broken and failure is None:
            message = "\n".join(["The notebook did not check its claims:", *broken])
            failure = Failure(Status.CLAIM_FAILED, None, message)
        return findings, failure

    def _on_cell(self, cell: CellProgress) -> None:
        self.progress(cell.line())


def _create_run_directory(root: Path, started: datetime) -> Path:
    run_dir = root.resolve() / f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    try:
        for folder in ("curves", "figures", "logs"):
            (run_dir / folder).mkdir(parents=True)
    except OSError as error:
        raise CannotRun(f"The run directory cannot be made: {error}.") from None
    return run_dir


def _copy_unrun(notebook: Path, output: Path) -> None:
    document = nbformat.read(notebook, as_version=4)
    document.metadata["papermill"] = {}
    nbformat.write(document, output)
