"""The kernel of one notebook: this very Python, alone in its own session, and gone with everything it started.

An installed kernel specification named ``python3`` may point to another environment, so the command is explicit. The
user's startup files, history and configuration stay out: the kernel has a temporary IPython directory of its own.
"""

import contextlib
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psutil
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync

from labserver.errors import CannotRun
from labserver.processes.leftovers import KERNEL, Mark, end_all
from labserver.processes.running import runs

LOGGER = logging.getLogger("labserver.suite")
# Without a handler Python would print the client's remarks in the midst of the progress lines.
LOGGER.addHandler(logging.NullHandler())

_LONGEST_TEMPORARY_PATH = 65
_FAREWELL_S = 3.0
"""Seconds for a kernel to leave, half of them before a SIGTERM.

The exit handlers of what ran in it come first. ipykernel itself may then wait 10 s for a thread that it has stopped.
"""

_ARGUMENTS = (
    "--HistoryManager.enabled=False",
    # What is printed goes to the log as well, straight from the process: a kernel that dies takes its messages along.
    "--IPKernelApp.quiet=False",
)


class _ThisPython(KernelSpecManager):  # type: ignore[misc] # jupyter_client is untyped here
    """Answers for every kernel name with the interpreter that runs this."""

    def get_kernel_spec(self, kernel_name: str) -> Any:
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *_ARGUMENTS],
            display_name=kernel_name,
            language="python",
        )


class Kernel:
    """A running kernel. ``kill`` and ``interrupt`` may be called at any time and from any thread.

    ``client`` is whoever talks to it (closed with it), ``graceful`` whether it is asked to leave or made to.
    """

    def __init__(self, manager: Any, mark: Mark) -> None:
        self.manager = manager
        self.mark = mark
        self.process = psutil.Process(manager.provisioner.pid)
        self.client: Any = None
        self.graceful = True

    def interrupt(self) -> None:
        """Raise ``KeyboardInterrupt`` in the running cell, and in what it started in the same session."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End the kernel and all its descendants, also those that left its session or lost their parent."""
        end_all(self._family)

    def _family(self) -> list[psutil.Process]:
        family = self.mark.processes()
        with contextlib.suppress(psutil.Error):
            if runs(self.process):
                family += [self.process, *filter(runs, self.process.children(recursive=True))]
        return family

    def death(self) -> str:
        """How the process ended, such as ``SIGKILL`` or ``exit code 1``; empty while it is alive."""
        process = getattr(self.manager.provisioner, "process", None)
        code = process.poll() if process else None
        if code is None:
            return ""
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def close(self) -> None:
        """Shut the kernel down, politely unless ``graceful`` was cleared, and leave nothing of it."""
        # What the provisioner says is an error here (the process is gone already) is what is wanted.
        with contextlib.suppress(RuntimeError, OSError):
            if self.graceful and not self.death():
                # Not `shutdown_kernel`: it begins with an interrupt, which would also cut exit handlers short.
                run_sync(self.manager.request_shutdown)()
                run_sync(self.manager.finish_shutdown)(waittime=_FAREWELL_S)
            else:
                run_sync(self.manager.shutdown_kernel)(now=True)
        self.kill()
        if self.client is not None:
            # After the kernel has left: a kernel that still has something to say to a closed channel waits for it.
            self.client.stop_channels()
        run_sync(self.manager.cleanup_resources)()


@contextmanager
def running_kernel(run_dir: Path, folder: Path, log: IO[bytes]) -> Iterator[Kernel]:
    """Start a kernel and end it.

    Args:
        run_dir: told to the kernel as ``LABSERVER_RUN_DIR``.
        folder: the working directory.
        log: takes what the process and its children print.

    Raises:
        CannotRun: the process does not start.
    """
    with _scratch_directory() as scratch:
        mark = Mark(KERNEL)  # a kernel that died has descendants that no parent tells of
        manager = AsyncKernelManager(
            kernel_name="python3",
            kernel_spec_manager=_ThisPython(log=LOGGER),
            connection_file=str(Path(scratch) / "kernel.json"),
            # Sockets in the private directory: no port that another run could take, and nobody else listens.
            transport="ipc" if os.name == "posix" else "tcp",
            log=LOGGER,
        )
        environment = _environment(run_dir, Path(scratch), mark)
        try:
            run_sync(manager.start_kernel)(cwd=str(folder), env=environment, stdout=log, stderr=log)
        except OSError as error:
            raise CannotRun(f"The kernel cannot be started: {error}.") from None
        kernel = Kernel(manager, mark)
        try:
            yield kernel
        finally:
            kernel.close()


def _scratch_directory() -> tempfile.TemporaryDirectory[str]:
    """A private directory whose path leaves room for a socket's name; the system's limit is some hundred bytes."""
    long = os.name == "posix" and len(tempfile.gettempdir()) > _LONGEST_TEMPORARY_PATH
    return tempfile.TemporaryDirectory(prefix="labserver-", dir="/tmp" if long else None, ignore_cleanup_errors=True)  # noqa: S108 - the one short path there is


def _environment(run_dir: Path, scratch: Path, mark: Mark) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSTARTUP"}
    return environment | {
        "LABSERVER_RUN_DIR": str(run_dir),
        "IPYTHONDIR": str(scratch / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # a debugger's remark at the top of every log helps nobody
        **mark.environment,
    }
