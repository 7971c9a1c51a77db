"""This process's heap as a file, written by a forked child a piece at a time."""

import os
import stat
import sys
from pathlib import Path
from typing import IO, Any

from labserver.errors import CannotLook, UsageError
from labserver.heap.agent import Command
from labserver.heap.budget import whole_look
from labserver.heap.file.describing import about_this_process, record_of
from labserver.heap.file.record import About
from labserver.heap.file.record_file import write_record
from labserver.heap.fork import in_fork
from labserver.heap.graph import heap_graph
from labserver.heap.roots import Roots
from labserver.heap.wire import ANSWER_TIMES, HeapSaved

_OBJECT_BYTES = 40  # of the file, at most: a usual heap has a tenth of it


def save_heap(file: IO[bytes], *, target: str = "", with_names: bool = False) -> HeapSaved:
    """Write the heap of this process to a file; the process itself stands still for the fork alone.

    Args:
        file: open for writing, a real one; what it has is replaced.
        target: what the user calls the process.
        with_names: whether keys and strings are told, shortened.

    Raises:
        CannotLook: it does not fit, or failed; the text has the figures.
    """
    whole_look()
    _require_room(file)
    about = about_this_process(target=target, with_names=with_names)
    saved = in_fork(lambda roots: _saved(roots, file, about), within_s=ANSWER_TIMES.child_s, keep=(file.fileno(),))
    return HeapSaved.from_json(saved)


def _saved(roots: Roots, file: IO[bytes], about: About) -> dict[str, Any]:
    file.seek(0)  # a first child may have begun and died
    file.truncate()
    with heap_graph(roots) as graph:
        record = record_of(graph, roots, about)
        graph.objects.clear()
        write_record(record, file)
    return HeapSaved(
        objects=record.types.size,
        references=record.targets.size,
        bytes=int(record.sizes.sum()),
        file_bytes=file.tell(),
        notes=record.about.notes,
    ).to_json()


def _require_room(file: IO[bytes]) -> None:
    """Refuse what the file's disk may have no room for.

    Raises:
        CannotLook: with the figures.
    """
    disk = os.fstatvfs(file.fileno())
    free, needed = disk.f_bavail * disk.f_frsize, _OBJECT_BYTES * sys.getallocatedblocks()
    if needed > free:
        raise CannotLook(f"the file may take {needed / 2**20:,.0f} MiB, and its disk has {free / 2**20:,.0f} MiB free")


def commands() -> dict[str, Command]:
    """The command `save_heap`, for the agent in a process."""
    return {"save_heap": _save_there}


def _save_there(*, path: str, target: str = "", with_names: bool = False) -> dict[str, Any]:
    """Write into a file that whoever asks has made, so that it is that one's by name and mode."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(
            f"{Path(path).parent} cannot be written from inside of the process ({error.strerror})"
        ) from error
    with os.fdopen(descriptor, "wb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{path} is no file")
        return save_heap(file, target=target, with_names=with_names).to_json()
