"""What was allocated since tracing began and is still there, by the whole stacks that allocated it."""

import tracemalloc
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from labserver.heap.frame import Frame
from labserver.heap.origin import origin_of
from labserver.heap.stack import called_part
from labserver.heap.tracemalloc_tools import AllocationSite, frame_at, short_path

_Stack = tuple[tuple[str, int], ...]
"""File and line of each frame, the newest first."""

_COLUMNS = 3  # of a mark: hash, bytes and blocks of each stack
_TRACE_BYTES = 4  # of a snapshot's own objects for each byte of tracemalloc's books


@dataclass(frozen=True, slots=True)
class Allocations:
    """Bytes and blocks by stack."""

    totals: dict[_Stack, tuple[int, int]]

    @classmethod
    def now(cls, *, last: bool = False) -> "Allocations":
        """What there is now; nothing where nobody traces.

        A snapshot's own statistics make an object of every trace; here the traces are summed up as they come.

        Args:
            last: end the tracing as soon as the traces are had: to trace the summing up, too, takes ten times as long.
        """
        if not tracemalloc.is_tracing():
            return cls({})
        # Each: domain, size, frames (the newest first, one tuple for all traces of a stack), number of frames.
        traces: list[tuple[int, int, _Stack, int]] = tracemalloc.take_snapshot().traces._traces  # type: ignore[attr-defined] # noqa: SLF001
        if last:
            tracemalloc.stop()
        sums: dict[_Stack, list[int]] = {}
        by_stack: dict[int, list[int]] = {}
        for _, size, frames, _ in traces:
            total = by_stack.get(id(frames))
            if total is None:
                total = by_stack[id(frames)] = sums.setdefault(frames, [0, 0])
            total[0] += size
            total[1] += 1
        return cls({frames: (size, blocks) for frames, (size, blocks) in sums.items()})

    def mark(self, file: BinaryIO) -> None:
        """Write down what there is, for `grown_since`: numbers only, which mean something in this process alone."""
        rows = [(hash(frames), size, blocks) for frames, (size, blocks) in self.totals.items()]
        np.save(file, np.array(rows, dtype=np.int64).reshape(-1, _COLUMNS))

    def since(self, marked: BinaryIO) -> "Allocations":
        """What has grown since a mark, stack by stack."""
        before = {stack: (size, blocks) for stack, size, blocks in np.load(marked).tolist()}
        grown: dict[_Stack, tuple[int, int]] = {}
        for frames, (size, blocks) in self.totals.items():
            size_before, blocks_before = before.get(hash(frames), (0, 0))
            if size > size_before:
                grown[frames] = size - size_before, blocks - blocks_before
        return Allocations(grown)

    def largest(self, most: int) -> list[AllocationSite]:
        """The stacks that hold the most, the largest first; without what this package has allocated for itself.

        Only these get names: that reads the files of their lines.

        Args:
            most: how many.
        """
        found: dict[tuple[Frame, ...], tuple[int, int]] = {}
        for frames, (size, blocks) in sorted(self.totals.items(), key=lambda item: item[1][0], reverse=True):
            if len(found) == most:
                break
            called = called_part([Frame(short_path(file), line, "", origin_of(file)) for file, line in frames])
            if called:
                stack = tuple(frame_at(file, line) for file, line in frames[: len(called)])
                bytes_before, blocks_before = found.get(stack, (0, 0))  # that differ in what called them alone
                found[stack] = bytes_before + size, blocks_before + blocks
        sites = [AllocationSite(stack, size, blocks, size, blocks) for stack, (size, blocks) in found.items()]
        return sorted(sites, key=lambda site: site.bytes, reverse=True)


def snapshot_bytes() -> int:
    """About what it takes to see all traces at once."""
    return _TRACE_BYTES * tracemalloc.get_tracemalloc_memory()
