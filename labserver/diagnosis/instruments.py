"""The heap's instruments inside the process under test: who holds what has come since a baseline."""

import encodings.cp437  # noqa: F401 - zipfile needs it: imported in each forked child it would look like growth
import os
import tempfile
import tracemalloc
import weakref
from typing import Any

import numpy.ma  # noqa: F401 - the same, for NumPy
import psutil

from labserver.diagnosis.holders import Growth, find_growth, own_lines
from labserver.diagnosis.snapshot import Baseline, take_baseline
from labserver.errors import UsageError
from labserver.heap.agent import Command
from labserver.heap.fork import in_fork
from labserver.heap.graph import heap_graph
from labserver.heap.roots import Roots
from labserver.heap.tracemalloc_tools import allocated_at, largest_sites, objects_at

__all__ = ["COMMANDS", "Instruments", "commands"]

COMMANDS = "labserver.diagnosis.instruments:commands"
"""The name by which a child process is told to load them."""

_WITHIN_S = 240.0
# What a look may take: a heap that is larger is seen in part. Walking is about half of the work that it makes.
_WALK_S = 90.0
_SHARE_OF_FREE = 0.5  # of the memory that the machine has to give
_MOST_SITES = 5


class Instruments:
    """Remembers a baseline, and compares the heap with it.

    The work is done in forked children. What they remember lies in a file without a name, which goes with the process;
    the process itself keeps a descriptor, and neither objects nor numbers.
    """

    def __init__(self) -> None:
        self._file, name = tempfile.mkstemp(prefix="labserver-")
        os.unlink(name)  # noqa: PTH108 - mkstemp gives a string
        weakref.finalize(self, os.close, self._file)
        self._complete: bool | None = None
        self._pid = os.getpid()

    def baseline(self) -> dict[str, Any]:
        """The command `baseline`: remember what is there now."""
        self._complete = None
        answer: dict[str, Any] = in_fork(self._take, within_s=_WITHIN_S, keep=(self._file,))
        self._complete = answer["complete"]
        return answer

    def growth(self) -> dict[str, Any]:
        """The command `growth`: what has come since the baseline and who holds it, most bytes first."""
        if self._complete is None:
            raise UsageError("There is no baseline to compare with.")
        answer: dict[str, Any] = in_fork(self._compare, within_s=_WITHIN_S, keep=(self._file,))
        answer["complete"] = answer["complete"] and self._complete
        if not answer["complete"]:
            answer["bytes"] = None  # what has come is known in part
        return answer

    @staticmethod
    def sites() -> list[dict[str, Any]]:
        """The command `sites`: the lines that allocated most of what came since tracing began and is still there."""
        found: list[dict[str, Any]] = in_fork(lambda _: _sites(), within_s=_WITHIN_S)
        return found

    def _take(self, roots: Roots) -> dict[str, Any]:
        with heap_graph(roots, **_budget()) as graph:
            baseline = take_baseline(graph)
            with open(self._file, "w+b", closefd=False) as file:
                file.seek(0)
                file.truncate()
                baseline.save(file)
            return {
                "objects": baseline.addresses.size,
                "bytes": int(baseline.allocated.sum()),
                "complete": graph.complete,
            }

    def _compare(self, roots: Roots) -> dict[str, Any]:
        if not tracemalloc.is_tracing() or os.getpid() == self._pid:
            return self._look(roots).to_dict()
        # Tracing makes a look many times slower. So a child of the child looks without it; what it found has the same
        # addresses here, where the traces still are.
        answer: dict[str, Any] = in_fork(lambda _: self._look_untraced(roots), within_s=_WITHIN_S, keep=(self._file,))
        examples: list[list[int]] = answer.pop("examples")
        objects = objects_at({address for addresses in examples for address in addresses})
        for holder, addresses in zip(answer["holders"], examples, strict=True):
            known = (objects[address] for address in addresses if address in objects)
            holder["allocated_at"] = own_lines(next(filter(None, map(allocated_at, known)), ()))
        return answer

    def _look_untraced(self, roots: Roots) -> dict[str, Any]:
        tracemalloc.stop()
        growth = self._look(roots)
        return growth.to_dict() | {"examples": [holder.examples for holder in growth.holders]}

    def _look(self, roots: Roots) -> Growth:
        with heap_graph(roots, **_budget()) as graph:
            # Only now: what reading it imports and allocates is no growth.
            with open(self._file, "rb", closefd=False) as file:
                file.seek(0)
                baseline = Baseline.load(file)
            return find_growth(graph, baseline)


def _budget() -> dict[str, Any]:
    free = psutil.virtual_memory().available
    return {"max_seconds": _WALK_S, "max_bytes": round(_SHARE_OF_FREE * free)}


def _sites() -> list[dict[str, Any]]:
    return [
        {"bytes": site.bytes, "blocks": site.blocks, "allocated_at": own_lines(site.frames)}
        for site in largest_sites(_MOST_SITES)
    ]


def commands() -> dict[str, Command]:
    """The commands, for `labserver.targets.host`."""
    instruments = Instruments()
    return {name: getattr(instruments, name) for name in ("baseline", "growth", "sites")}
