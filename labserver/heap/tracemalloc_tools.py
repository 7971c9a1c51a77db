"""Tools over the standard library's tracemalloc: which lines allocated what is still there.

tracemalloc is blind to what was allocated before it started, to memory that C code takes from malloc (Pillow's image
cores, mmap) and to everything below the frames it was told to keep.
"""

import ast
import gc
import sys
import tokenize
import tracemalloc
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress, repeat
from pathlib import Path

import numpy as np

from labserver.heap.cells import cell_name, code_at
from labserver.heap.frame import Frame
from labserver.heap.is_a import text_of
from labserver.heap.kinds import bytes_before
from labserver.heap.layout.objects import addresses_of, type_addresses
from labserver.heap.layout.traces import Trace, trace_of
from labserver.heap.origin import Origin, is_cell, origin_of

# Ten frames tell two request handlers apart that share their helpers; one names the helper only.
DEFAULT_FRAMES = 10

# The analyst must not find itself: allocations that any of these had a part in are left out.
ANALYSTS = (
    "*/ipykernel_*/*.py",
    "*/ipykernel/*.py",
    "*/IPython/*.py",
    "*/labserver/heap/*.py",
    "*/labserver/load/*.py",
    "*/objgraph.py",
    tracemalloc.__file__,
)

_UNTRACKED_LEVELS = 3


@dataclass(frozen=True, slots=True)
class AllocationSite:
    """Blocks that one call stack allocated and that are still there.

    Attributes:
        frames: the stack, the allocating line first (tracemalloc itself gives the oldest first).
        bytes: what is there now.
        blocks: how many blocks that is.
        growth_bytes: how much more than in the earlier snapshot.
        growth_blocks: the same, blocks.
    """

    frames: tuple[Frame, ...]
    bytes: int
    blocks: int
    growth_bytes: int
    growth_blocks: int


@contextmanager
def tracing(frames: int = DEFAULT_FRAMES) -> Iterator[None]:
    """Trace allocations inside the block, and stop tracing at its end if this block began it."""
    began = not tracemalloc.is_tracing()
    if began:
        tracemalloc.start(frames)
    try:
        yield
    finally:
        if began:
            tracemalloc.stop()


def take_snapshot() -> tracemalloc.Snapshot:
    """Collect garbage, take a snapshot and leave the analyst's own allocations out.

    Where the collector is switched off, garbage is part of what is kept, and nothing is collected.

    Raises:
        RuntimeError: tracing is off.
    """
    if gc.isenabled():
        gc.collect()
    snapshot = tracemalloc.take_snapshot()
    # all_frames: the newest frame of a notebook's allocation is often a library's.
    return snapshot.filter_traces([tracemalloc.Filter(False, pattern, all_frames=True) for pattern in ANALYSTS])


def allocation_growth(before: tracemalloc.Snapshot, after: tracemalloc.Snapshot) -> list[AllocationSite]:
    """Allocation sites whose bytes differ between two snapshots, the largest growth first.

    Sites are told apart by their whole stack, up to the frames that were traced.

    Args:
        before: the earlier snapshot.
        after: the later one.
    """
    statistics = sorted(after.compare_to(before, "traceback"), key=lambda s: s.size_diff, reverse=True)
    return [
        AllocationSite(
            frames=frames_of(statistic.traceback),
            bytes=statistic.size,
            blocks=statistic.count,
            growth_bytes=statistic.size_diff,
            growth_blocks=statistic.count_diff,
        )
        for statistic in statistics
        if statistic.size_diff
    ]


def allocated_at(obj: object) -> tuple[Frame, ...]:
    """The stack that allocated an object, the allocating line first; empty where it was not traced."""
    return tuple(frame_at(file, line) for file, line in trace_of_object(obj))


def telling_trace(objects: Iterable[object]) -> Trace:
    """The stack of the first of some objects that the application had a part in, else of the first that was traced."""
    first: Trace = ()
    for trace in map(trace_of_object, objects):
        if any(origin_of(file) is Origin.APPLICATION for file, _ in trace):
            return trace
        first = first or trace
    return first


def trace_of_object(obj: object) -> Trace:
    """The same, frame by frame as file and line; of plain instances up to CPython 3.11, too."""
    traceback = tracemalloc.get_object_traceback(obj)
    if traceback is None:
        return trace_of(id(obj) - bytes_before(type(obj))) or ()
    return tuple((frame.filename, frame.lineno) for frame in reversed(traceback))


def objects_at(addresses: Collection[int]) -> dict[int, object]:
    """Those objects of some addresses that there are; no address is trusted to be one.

    Found is what the collector knows, what that refers to, and what is held by dictionaries and tuples that it does not
    know.
    """
    wanted = np.array(sorted(addresses), dtype=np.int64)
    found: dict[int, object] = {}
    level: list[object] = gc.get_objects()
    for depth in range(_UNTRACKED_LEVELS + 1):
        there = addresses_of(level)
        for at in np.flatnonzero(np.isin(there, wanted)).tolist():
            found[int(there[at])] = level[at]
        if depth:
            containers = np.isin(type_addresses(level, there), [id(dict), id(tuple)])
            # Hardly any number is made for what is tracked: where allocations are traced, each would take its time.
            inner = compress(level, containers.tolist())
            level = list({id(obj): obj for obj in inner if not gc.is_tracked(obj)}.values())
        if not level or len(found) == wanted.size:
            break
        level = gc.get_referents(*level)
    return found


def own_frames(frames: Sequence[Frame], package: str) -> tuple[Frame, ...]:
    """Those frames of a stack that lie in one package: the lines its owner can change."""
    prefix = package.replace(".", "/") + "/"
    return tuple(frame for frame in frames if frame.file.startswith(prefix))


def frame_at(filename: str, line: int) -> Frame:
    """A line as it is shown: the application's by the way to it from the working directory, others' as imported."""
    origin = origin_of(filename)
    file = (origin is Origin.APPLICATION and _from_here(filename)) or short_path(filename)
    return Frame(file, line, _function_at(filename, line), origin, code_at(filename, line))


def frames_of(traceback: Iterable[tracemalloc.Frame]) -> tuple[Frame, ...]:
    """The stack of a traceback, the allocating line first."""
    return tuple(frame_at(frame.filename, frame.lineno) for frame in reversed(tuple(traceback)))


def _from_here(filename: str) -> str | None:
    """The way to a file from the working directory, where that is above it."""
    try:
        here = Path.cwd()
    except OSError:  # a deployment may remove what a service was started from
        return None
    path = Path(filename)
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else None


def short_path(filename: str) -> str:
    """A path as an import would name it, the same in every run and on every machine; a cell's number may differ."""
    return cell_name(filename) if is_cell(filename) else _imported_as(filename)


@lru_cache(maxsize=1024)
def _imported_as(filename: str) -> str:
    path = Path(filename)
    # Whatever else an application has put there, an import passes over.
    roots = [Path(entry) for entry in map(text_of, list.__iter__(sys.path), repeat("")) if entry]
    inside = [root for root in roots if path.is_relative_to(root)]
    if not inside:
        return filename
    return path.relative_to(max(inside, key=lambda root: len(root.parts))).as_posix()


@lru_cache(maxsize=256)
def _functions(filename: str) -> tuple[tuple[int, int, str], ...]:
    """First line, last line and qualified name of every function in a file; outer ones first."""
    try:
        # Not linecache: it would keep every file's text.
        with tokenize.open(filename) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what there is to warn of is the owner's affair
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # the last two where expressions nest deep
        return ()
    found: list[tuple[int, int, str]] = []
    inside: list[tuple[ast.AST, str]] = [(tree, "")]
    while inside:
        node, prefix = inside.pop()
        for child in ast.iter_child_nodes(node):
            name = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}.{child.name}" if prefix else child.name
                if not isinstance(child, ast.ClassDef):
                    found.append((child.lineno, child.end_lineno or child.lineno, name))
            if not isinstance(child, ast.expr):
                inside.append((child, name))
    return tuple(found)


def _function_at(filename: str, line: int) -> str:
    enclosing = [name for first, last, name in _functions(filename) if first <= line <= last]
    return enclosing[-1] if enclosing else ""
