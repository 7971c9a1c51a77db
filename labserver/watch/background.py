"""A watch in a thread of its own, beside a load."""

from array import array
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from labserver.sampler import Sampler
from labserver.stats.line import Line
from labserver.watch.sample import Source

_FEWEST = 3


class Watching:
    """Samples a service's heap until the block ends; keeps the figures, two numbers a sample.

    Args:
        source: what is sampled; closed at the end.
        jobs: how many jobs are finished, for services that do not count theirs.
        interval_s: from one sample to the next.
    """

    def __init__(self, source: Source, jobs: Callable[[], int], *, interval_s: float = 0.5) -> None:
        self._source, self._jobs = source, jobs
        self._heap, self._finished = array("d"), array("d")
        self._sampler = Sampler(lambda *_: self._take(), interval_s=interval_s, name="labserver-watch")
        self._several = False  # processes have answered

    def __enter__(self) -> Self:
        self._sampler.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self._sampler.__exit__(kind, error, tb)
            self._take()  # what the load left
        finally:
            self._source.close()

    @property
    def heap_bytes(self) -> npt.NDArray[np.float64]:
        """All readings, shape (n,)."""
        return np.array(self._heap)

    @property
    def bytes_per_job(self) -> float | None:
        """The slope of the heap on finished jobs, by least squares.

        None where too little was read, or not of one process. It holds garbage and warm-up, too: a guard rail, and no
        verdict.
        """
        jobs, heap = np.array(self._finished), np.array(self._heap)
        if self._several or len(np.unique(jobs)) < _FEWEST:
            return None
        return Line.through(jobs, heap).slope

    def _take(self) -> None:
        sample = self._source.read()
        self._several = self._several or sample.is_of_another
        if sample.heap_bytes is None:
            return
        self._heap.append(sample.heap_bytes)
        self._finished.append(self._jobs() if sample.finished_jobs is None else sample.finished_jobs)
