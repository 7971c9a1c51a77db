"""Have a process write its heap, into a file that is whole and private to its user, or not there."""

import contextlib
import os
import tempfile
from pathlib import Path

import psutil

from labserver.diagnosis.instruments import COMMANDS
from labserver.errors import CannotRun, UsageError
from labserver.files import require_writable
from labserver.heap.wire import HeapSaved
from labserver.targets.instrumented import Target
from labserver.targets.one_process import open_to_look


def save(target: str, file: Path, *, with_names: bool, force: bool, attach_s: float) -> HeapSaved:
    """Write the heap of a target.

    Raises:
        UsageError: the file is there already, or cannot be written.
        CannotRun: the target is not there, or its heap cannot be had.
    """
    require_writable(file)
    if file.exists() and not (force and file.is_file()):
        hint = "give another name, or --force" if file.is_file() else "give the name of a file"
        raise UsageError(f"{file} is there already: {hint}.")
    with open_to_look(target, instruments=COMMANDS, attach_s=attach_s) as process:
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        os.close(descriptor)
        temporary = Path(name).absolute()
        try:
            _hand_over(temporary, process)
            saved = process.save_heap(temporary, target=target, with_names=with_names)
            if not temporary.stat().st_size:
                raise CannotRun(
                    f"{target} has written its heap elsewhere: it does not see the directory {file.parent}."
                )
            _hand_over(temporary)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    return saved


def _hand_over(file: Path, process: Target | None = None) -> None:
    """Let a process of another user write the file, which only root can ask for; or have it back."""
    if os.geteuid() != 0:
        return
    owner = os.geteuid()
    with contextlib.suppress(psutil.Error):
        owner = psutil.Process(process.pid).uids().effective if process is not None else owner
    os.chown(file, owner, -1)
