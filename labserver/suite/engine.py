"""The papermill engine ``labserver``: a deadline for the notebook, progress, and an honest mark on whatever failed.

papermill's own engine marks every cell as completed after a dead kernel or a timeout, and knows a time limit for a cell
only. This one gives each failure the form that papermill handles: an error output in the failing cell.
"""

import asyncio
import platform
from typing import Any

from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from labserver.errors import ClaimFailed
from labserver.suite.kernel import LOGGER
from labserver.suite.result import Status
from labserver.suite.session import Failure, Session, cell_label, code_cells

ENGINE = "labserver"

_STARTUP_S = 60
_OUTPUT_S = 30  # nbclient's 4 s fail a good cell on a machine that is busy with the load
_ENAMES = {
    Status.TIMEOUT: "DeadlinePassed",
    Status.DEAD_KERNEL: "DeadKernel",
    Status.INTERRUPTED: "Interrupted",
    Status.ERROR: "NotebookError",
}


class SuiteClient(PapermillNotebookClient):  # type: ignore[misc] # papermill is untyped
    """Executes the cells in the session's kernel, which the session's owner ends."""

    def __init__(self, nb_man: Any, session: Session, **options: Any) -> None:
        super().__init__(nb_man, km=session.kernel.manager, **options)
        self.session = session
        self.timeout_func = self._cell_timeout

    def execute(self, **_kwargs: Any) -> Any:
        """Run all cells up to the first that fails; never raises for what happens in the kernel."""
        self.reset_execution_trackers()
        first = (code_cells(self.nb) or [0])[0]
        try:
            self.start_new_kernel_client()
        except (RuntimeError, TimeoutError) as error:
            self._fail(first, self._failure_of(error, 1))
            return self.nb
        self.session.kernel.client = self.kc
        self.papermill_execute_cells()
        self.nb.metadata["language_info"] = _language_info()
        self.set_widgets_metadata()
        return self.nb

    def papermill_execute_cells(self) -> None:
        """Run the cells in order; the one that fails is marked, those after it stay pending."""
        running = code_cells(self.nb)
        for index, cell in enumerate(self.nb.cells):
            number = running.index(index) + 1 if index in running else None
            failure = self.session.why_not_go_on(number) if number else None
            if failure:
                self._fail(index, failure)
                return
            self.nb_man.cell_start(cell, index)
            if number:
                self.session.cell_starts(number, len(running), cell_label(self.nb, index))
                failure = self._run(index, number)
            if failure:
                self._fail(index, failure)
            self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)
            if failure:
                return

    def _run(self, index: int, number: int) -> Failure | None:
        try:
            self.execute_cell(self.nb.cells[index], index)
        except (CellExecutionError, CellTimeoutError, DeadKernelError, RuntimeError) as error:
            return self._failure_of(error, number)
        if self.session.stop.signal:
            return self.session.why_not_go_on(number)
        return None

    def _failure_of(self, error: Exception, number: int) -> Failure:
        death = self.session.kernel.death()
        if self.session.stop.signal:
            return self.session.why_not_go_on(number) or self.session.timeout(number)
        if isinstance(error, CellExecutionError):
            return _cell_failure(error, number)
        if death or isinstance(error, DeadKernelError):
            return Failure(Status.DEAD_KERNEL, number, f"The kernel died in cell {number} ({death or 'unknown cause'})")
        if self.session.remaining_s() <= 0:
            return self.session.timeout(number)
        return Failure(Status.TIMEOUT, number, f"The kernel did not answer in cell {number}: {_first_line(str(error))}")

    def _fail(self, index: int, failure: Failure) -> None:
        """Mark the cell so that papermill finds it: its metadata, and an error output that says what happened."""
        cell = self.nb.cells[index]
        outputs = cell.setdefault("outputs", []) if cell.cell_type == "code" else []
        errors = [output for output in outputs if output.output_type == "error"]
        # papermill takes a notebook that ends itself with sys.exit() for a finished one, unless its output says more.
        unsaid = not errors or errors[-1].ename == "SystemExit"
        if unsaid:
            ename = _ENAMES.get(failure.status, "NotebookError")
            outputs.append(new_output("error", ename=ename, evalue=failure.message, traceback=[failure.message]))
        if cell.cell_type == "code" and cell.execution_count is None:
            cell.execution_count = failure.cell
        self.nb_man.cell_exception(cell, cell_index=index)
        self.session.failure = failure
        # A kernel that answered can still be asked to leave; the others would only be waited for.
        self.session.kernel.graceful = failure.status in (Status.CLAIM_FAILED, Status.ERROR)

    def _cell_timeout(self, _cell: Any = None) -> float:
        # nbclient takes zero for no limit.
        return max(self.session.remaining_s(), 0.01)


class SuiteEngine(NBClientEngine):  # type: ignore[misc] # papermill is untyped
    """Registered as ``labserver``; needs the keyword ``session``."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, session: Session, **_options: Any) -> None:
        """Execute the managed notebook in the session's kernel; the outcome is ``session.failure``."""
        startup = max(1, min(_STARTUP_S, int(session.remaining_s())))
        SuiteClient(
            nb_man, session, kernel_name=kernel_name, startup_timeout=startup, iopub_timeout=_OUTPUT_S, log=LOGGER
        ).execute()
        _settle()


def register() -> None:
    """Make the engine known to papermill under the name ``labserver``."""
    papermill_engines.register(ENGINE, SuiteEngine)


def _settle() -> None:
    """Let the tasks that nbclient cancelled come to their end, or asyncio complains about them later."""
    loop = ensure_event_loop()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def _cell_failure(error: Any, number: int) -> Failure:
    if error.ename == ClaimFailed.__name__:
        return Failure(Status.CLAIM_FAILED, number, (error.evalue or "").strip())
    text = _first_line(error.evalue or "")
    if error.ename == "SystemExit":
        return Failure(Status.ERROR, number, f"The notebook ended itself in cell {number}, before its last")
    return Failure(Status.ERROR, number, f"{error.ename} in cell {number}: {text}")


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0]


def _language_info() -> dict[str, Any]:
    """What the kernel would say of itself; not asked, because a kernel that is just dying would be waited for."""
    return {
        "name": "python",
        "version": platform.python_version(),
        "mimetype": "text/x-python",
        "codemirror_mode": {"name": "ipython", "version": 3},
        "pygments_lexer": "ipython3",
        "nbconvert_exporter": "python",
        "file_extension": ".py",
    }
