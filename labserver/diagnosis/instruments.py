"""The heap's instruments inside the process under test: who holds what has come since a baseline."""

import encodings.cp437  # noqa: F401 - zipfile needs it: imported in each forked child it would look like growth
import os
import resource
import tempfile
import time
import tracemalloc
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO

import numpy.ma  # noqa: F401 - the same, for NumPy

from labserver.diagnosis.holders.extensions import called_extensions
from labserver.diagnosis.holders.find import Comparison, find_growth
from labserver.diagnosis.holders.snapshot import Snapshot, snapshot_of
from labserver.diagnosis.holders.started_threads import ThreadGroup, started_threads
from labserver.diagnosis.holders.survival import Memory
from labserver.errors import CannotLook, UsageError
from labserver.heap.agent import Command
from labserver.heap.allocations import Allocations, snapshot_bytes
from labserver.heap.budget import Budget, look_budget
from labserver.heap.child import in_child
from labserver.heap.file import saving
from labserver.heap.fork import in_fork
from labserver.heap.frame import Frame
from labserver.heap.graph import HeapGraph, heap_graph
from labserver.heap.heap_growth import HeapGrowth, Site
from labserver.heap.layout.traces import trace_of
from labserver.heap.lost_references import Reached, lost_references
from labserver.heap.memory_limits import nearest_limit
from labserver.heap.process_memory import heap_bytes
from labserver.heap.roots import Roots
from labserver.heap.server_jobs import catalogue, server_jobs
from labserver.heap.stack import called_part, own_lines
from labserver.heap.tracemalloc_tools import frame_at, objects_at, telling_trace
from labserver.heap.wire import ANSWER_TIMES, BaselineTaken, FinishedJobs, LookCost
from labserver.job_counters import count_jobs

__all__ = ["COMMANDS", "Instruments", "commands"]

COMMANDS = "labserver.diagnosis.instruments:commands"
"""The name by which a child process is told to load them."""

_LOST_S = 60.0  # that looking for lost references may take
_ALL = 0.95  # of what came: the rest is half of a finding's worth, and to look through it takes as long as three looks
_MOST_SITES = 200  # more would be too thin to be seen


class Instruments:
    """Remembers a baseline, and compares the heap with it.

    The work is done in forked children. What they remember lies in a file without a name, which goes with the process;
    the process itself keeps a descriptor, and neither objects nor numbers.
    """

    def __init__(self) -> None:
        self._file, self._mark = (_nameless_file(self) for _ in range(2))
        # A look that dies and is taken again may have written: so it reads the one and writes the other.
        self._memories = tuple(_nameless_file(self) for _ in range(2))
        self._looks = 0
        self._complete: bool | None = None
        self._books: int | None = None  # at the baseline
        self._sees_all = False
        self._stall_ms = 0.0
        self._cost: LookCost | None = None  # of the last look
        self._pid = os.getpid()

    def baseline(self, *, stall_ms: float | None = None) -> BaselineTaken:
        """The command `baseline`: remember what is there now; `stall_ms` holds for this look and those that follow."""
        self._complete = None
        self._stall_ms = self._stall_ms if stall_ms is None else stall_ms
        self._books = heap_bytes()
        jobs = _own_jobs()
        taken = BaselineTaken.from_json(self._in_fork(self._take))
        self._complete = taken.complete
        self._looks = 0
        return replace(taken, jobs=jobs or taken.jobs, cost=self._cost)

    def growth(self) -> HeapGrowth:
        """The command `growth`: what has come since the baseline and who holds it, most bytes first."""
        if self._complete is None:
            raise UsageError("There is no baseline to compare with.")
        jobs = _own_jobs()
        growth = HeapGrowth.from_json(self._in_fork(self._compare))
        self._looks += 1
        growth = replace(growth, jobs=jobs or growth.jobs, cost=self._cost)
        if not (growth.complete and self._complete):
            growth = replace(growth, complete=False, bytes=None)  # what has come is known in part
        if not tracemalloc.is_tracing():
            self._sees_all = self._is_all_seen(growth)
        return growth

    def _is_all_seen(self, growth: HeapGrowth) -> bool:
        """Whether a look has met what the allocators' books have grown by, so that no reference can be lost."""
        books = heap_bytes()
        if books is None or self._books is None or growth.bytes is None:
            return False
        held_by_c = any(one.is_held_by_c for one in growth.holders)
        return not held_by_c and growth.bytes > _ALL * (books - self._books) > 0

    def sites(self) -> tuple[Site, ...]:
        """The command `sites`: the stacks that allocated what came since the baseline and stayed, most bytes first.

        Since tracing began, where that was later; nothing where the traces are too many to be seen.
        """
        return tuple(map(Site.from_json, self._in_fork(self._sites)))

    @property
    def _kept(self) -> tuple[int, ...]:
        return (self._file, self._mark, *self._memories)

    def _in_fork(self, look: Callable[[Roots, Budget], Any]) -> Any:
        budget, within_s = look_budget(), ANSWER_TIMES.child_s
        held_up: list[float] = []
        began = time.thread_time()
        answer, cpu_s = in_fork(
            lambda roots: _timed(lambda: look(roots, budget)),
            within_s=within_s,
            keep=self._kept,
            stall_ms=self._stall_ms,
            held_up=held_up.append,
        )
        own_s = time.thread_time() - began
        self._cost = LookCost(stall_ms=1000 * sum(held_up), cpu_s=own_s + cpu_s)
        return answer

    def _take(self, roots: Roots, budget: Budget) -> dict[str, Any]:
        self._mark_allocations(budget)
        with heap_graph(roots, max_bytes=budget.max_bytes, max_seconds=budget.max_seconds) as graph:
            snapshot = snapshot_of(graph)
            with open(self._file, "w+b", closefd=False) as file:
                file.seek(0)
                file.truncate()
                snapshot.save(file)
            return BaselineTaken(
                objects=snapshot.addresses.size,
                bytes=int(snapshot.allocated.sum()),
                complete=graph.complete,
                notes=graph.notes,
                jobs=server_jobs(graph),
            ).to_json()

    def _compare(self, roots: Roots, budget: Budget) -> dict[str, Any]:
        if not tracemalloc.is_tracing() or not self._in_child:
            return self._look(roots, budget).to_json()
        # Tracing makes a look many times slower. So a child of the child looks without it; what it found has the same
        # addresses here, where the traces still are.
        with _notes() as notes:
            answer: dict[str, Any] = in_child(
                lambda: self._look_untraced(roots, budget, notes),
                within_s=ANSWER_TIMES.child_s,
                keep=(*self._kept, notes.fileno()),
            )
            answer["lost"] = _lost(notes) if answer["complete"] and not self._sees_all else []
        examples: list[list[int]] = answer.pop("examples")
        objects = objects_at({address for addresses in examples for address in addresses})
        traced = [telling_trace(objects[one] for one in addresses if one in objects) for addresses in examples]
        started = [next(filter(None, map(trace_of, blocks)), ()) for blocks in answer.pop("blocks")]
        self._stop_tracing()
        for told, trace in zip([*answer["holders"], *answer["threads"]], [*traced, *started], strict=True):
            told.update(_allocated_by([frame_at(file, line) for file, line in trace]))
        return answer

    def _look_untraced(self, roots: Roots, budget: Budget, notes: BinaryIO) -> dict[str, Any]:
        tracemalloc.stop()
        with heap_graph(roots, max_bytes=budget.max_bytes, max_seconds=budget.max_seconds) as graph:
            growth, found, threads = self._growth_of(graph, roots)
            Reached.by(graph).save(notes)
            notes.flush()
        told = replace(growth, extensions=called_extensions()).to_json()
        examples, blocks = [holder.examples for holder in found.holders], [one.blocks for one in threads]
        return told | {"examples": examples, "blocks": blocks}

    def _mark_allocations(self, budget: Budget) -> None:
        with self._opened(self._mark) as file:
            file.truncate()
            if snapshot_bytes() <= budget.max_bytes:
                Allocations.now(last=self._in_child).mark(file)
        self._stop_tracing()

    def _sites(self, _: Roots, budget: Budget) -> list[dict[str, Any]]:
        if snapshot_bytes() > budget.max_bytes:
            return []
        there = Allocations.now(last=self._in_child)
        with self._opened(self._mark) as file:
            grown = there.since(file) if os.fstat(self._mark).st_size else there
        sites = grown.largest(_MOST_SITES)
        return [Site(one.bytes, one.blocks, own_lines(one.frames), one.frames).to_json() for one in sites]

    @property
    def _in_child(self) -> bool:
        return os.getpid() != self._pid

    def _stop_tracing(self) -> None:
        """In a child: tracing would make what follows many times slower."""
        if self._in_child:
            tracemalloc.stop()

    @staticmethod
    def _opened(descriptor: int) -> BinaryIO:
        file = open(descriptor, "r+b", closefd=False)  # noqa: SIM115 - the caller closes it
        file.seek(0)
        return file

    def _look(self, roots: Roots, budget: Budget) -> HeapGrowth:
        with heap_graph(roots, max_bytes=budget.max_bytes, max_seconds=budget.max_seconds) as graph:
            return self._growth_of(graph, roots)[0]

    def _growth_of(self, graph: HeapGraph, roots: Roots) -> tuple[HeapGrowth, Comparison, list[ThreadGroup]]:
        """What has come, and the same as this process alone sees it."""
        # Only now: what reading it imports and allocates is no growth.
        with open(self._file, "rb", closefd=False) as file:
            file.seek(0)
            before = Snapshot.load(file)
        found, threads = find_growth(graph, before), started_threads(graph, before, roots.frames)
        growth = replace(self._remembering(graph, before, found), jobs=server_jobs(graph))
        return replace(growth, threads=tuple(one.told for one in threads)), found, threads

    def _remembering(self, graph: HeapGraph, before: Snapshot, found: Comparison) -> HeapGrowth:
        """What has come, with the cohorts of the holders' items; a look at a part of the heap says nothing of them."""
        growth = found.growth()
        memory, reading = Memory.at_baseline(), self._memories[self._looks % 2]
        if self._looks:
            with open(reading, "rb", closefd=False) as file:
                file.seek(0)
                memory = Memory.load(file)
        whole = found.complete and self._complete
        if whole:
            memory = memory.after(graph, before, ((one.fingerprint, one.item_places) for one in found.holders))
        with open(self._memories[1 - self._looks % 2], "w+b", closefd=False) as file:
            file.seek(0)
            file.truncate()
            memory.save(file)
        return memory.told_in(growth) if whole else growth


def _own_jobs() -> FinishedJobs | None:
    """What the services that count their jobs themselves say; None where there is none."""
    told = count_jobs()
    return FinishedJobs(told["finished_jobs"], "the service itself") if told else None


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What work gives back, and the seconds of processor time that this thread and its children took for it."""

    def spent() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.thread_time() + children.ru_utime + children.ru_stime

    began = spent()
    return work(), spent() - began


@contextmanager
def _notes() -> Iterator[BinaryIO]:
    """A file in memory, for what one child tells another."""
    with os.fdopen(os.memfd_create("labserver"), "w+b") as file:
        yield file


def _lost(notes: BinaryIO) -> list[dict[str, Any]]:
    """What is kept for no reference; nothing where that cannot be found out: all else is told nevertheless."""
    notes.seek(0)
    try:
        return list(
            in_child(
                lambda: [one.to_json() for one in lost_references(Reached.load(notes))],
                within_s=_LOST_S,
                keep=(notes.fileno(),),
            )
        )
    except CannotLook:
        return []


def _allocated_by(stack: Sequence[Frame]) -> dict[str, Any]:
    """The stack that allocated something, as a message's fields."""
    called = called_part(stack)
    return {"allocated_at": own_lines(called), "stack": [frame.to_json() for frame in called]}


def _nameless_file(owner: object) -> int:
    """A descriptor of a file that goes with its owner."""
    descriptor, name = tempfile.mkstemp(prefix="labserver-")
    os.unlink(name)  # noqa: PTH108 - mkstemp gives a string
    weakref.finalize(owner, os.close, descriptor)
    return descriptor


def commands() -> dict[str, Command]:
    """The commands, for `labserver.targets.host`."""
    instruments = Instruments()
    catalogue()  # read once, and not in each forked child
    return {
        "baseline": lambda **wanted: instruments.baseline(**wanted).to_json(),
        "growth": lambda: instruments.growth().to_json(),
        "sites": lambda: [site.to_json() for site in instruments.sites()],
        "limit": lambda: nearest_limit().to_json(),
        **saving.commands(),
    }
