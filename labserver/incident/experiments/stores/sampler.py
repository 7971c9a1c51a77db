"""Samples of a store under the script, and the processor time of the server that keeps it."""

import threading
import time
import tracemalloc
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil

from labserver.incident.experiments.stores.script import ScriptClock
from labserver.incident.service.stores import JobStore
from labserver.sampler import Sampler

COLUMNS = ("clock_s", "kept_bytes", "jobs_kept", "threads", "traced_bytes")
_EVERY_S = 0.02


class StoreSampler:
    """Reads a store from a thread of its own, and whenever told; rows go to the file at once.

    Attributes:
        csv: the file, with `COLUMNS`.
        peak_bytes: the most image bytes in any sample.
        peak_jobs: the most kept jobs.
        peak_threads: the most threads beyond those that there were at the beginning.
    """

    def __init__(self, store: JobStore, clock: ScriptClock, csv: Path) -> None:
        self.csv = csv
        self.peak_bytes = self.peak_jobs = self.peak_threads = 0
        self._store = store
        self._clock = clock
        self._own_cpu_s = 0.0
        self._threads_at_rest = threading.active_count() + 1  # its own
        self._lock = threading.Lock()
        self._sampler = Sampler(self._beat, interval_s=_EVERY_S, name="labserver-sampler")
        self._file: IO[str] | None = None
        self._heap_at_rest = tracemalloc.get_traced_memory()[0]

    def __enter__(self) -> Self:
        self._file = self.csv.open("w", buffering=1, encoding="utf-8")
        self._file.write(",".join(COLUMNS) + "\n")
        self._sampler.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self._sampler.__exit__(kind, error, tb)
        finally:
            if self._file is not None:
                self._file.close()

    def sample(self) -> None:
        """Read now."""
        with self._lock:
            # Threads first: what the store does while it is asked is not yet part of the load.
            threads = max(0, threading.active_count() - self._threads_at_rest)
            kept, jobs = self._store.kept_bytes(), len(self._store)
            traced = tracemalloc.get_traced_memory()[0] - self._heap_at_rest
            self.peak_bytes, self.peak_jobs = max(self.peak_bytes, kept), max(self.peak_jobs, jobs)
            self.peak_threads = max(self.peak_threads, threads)
            if self._file is not None:
                self._file.write(f"{self._clock.elapsed_s:.3f},{kept},{jobs},{threads},{traced}\n")

    def server_cpu_s(self) -> float:
        """Processor time of this process and of a Redis server, without the calling thread's and the sampler's own."""
        servers = [child for child in psutil.Process().children(recursive=True) if "redis" in child.name()]
        with_servers_s = time.process_time() + sum(sum(server.cpu_times()[:2]) for server in servers)
        return with_servers_s - time.thread_time() - self._own_cpu_s

    def _beat(self, _beat: int, _due: float) -> None:
        self.sample()
        self._own_cpu_s = time.thread_time()
