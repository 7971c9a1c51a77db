"""Images in files, records in memory; bounded in bytes and in time.

The files lie in a directory of their own below `tempfile.gettempdir()`, which TMPDIR sets; where that is a file system
in memory, nothing is gained.

Promises: the process keeps no image; never more than `budget_bytes` of files; nothing finished is kept longer than its
time to live and one sweep, and nothing expired is served. Does not promise: that a result was read before it goes: the
first that finished make room. Nor does a process that is killed remove its files.
"""

import dataclasses
import tempfile
from pathlib import Path

from labserver.incident.service.clock import Clock
from labserver.incident.service.jobs import JobResult
from labserver.incident.service.stores.base import too_large
from labserver.incident.service.stores.retention import Retention
from labserver.incident.service.stores.ttl import TtlJobStore


class DiskJobStore(TtlJobStore):
    """A swept store that writes each image to a file and reads it for each client."""

    def __init__(self, retention: Retention, clock: Clock) -> None:
        super().__init__(retention, clock)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        # Path and size of each image, the first that finished first.
        self._files: dict[str, tuple[Path, int]] = {}
        self._written = 0

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state, its image in a file.

        Raises:
            OSError: The file could not be written.
        """
        with self._lock:
            if result.image is not None and len(result.image) > self._retention.budget_bytes:
                result = too_large(result)
            if result.image is None:
                self._keep(job_id, result)
                return
            self._drop(job_id)
            while self._bytes + len(result.image) > self._retention.budget_bytes:
                self._drop(next(iter(self._files)))
            self._files[job_id] = self._write(result.image), len(result.image)
            self._bytes += len(result.image)
            self._keep_record(job_id, result)

    def get(self, job_id: str) -> JobResult | None:
        """Return a job's newest state, or None where it is expired or had to make room."""
        with self._lock:
            result = self._jobs.get(job_id)
            if result is None or self._is_expired(result):
                return None
            if job_id not in self._files:
                return result
            path, _ = self._files[job_id]
        try:
            return dataclasses.replace(result, image=path.read_bytes())
        except FileNotFoundError:  # it went since
            return None

    def files_bytes(self) -> int:
        """Return what the files really take, by the file system and not by the store's books."""
        with self._lock:
            if self._folder is None:
                return 0
            return sum(path.stat().st_size for path in Path(self._folder.name).iterdir())

    def close(self) -> None:
        """Stop the sweeper and remove all files."""
        super().close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _write(self, image: bytes) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="labserver-results-")
        # Numbered: an id is the client's to see, and need not be a file name.
        self._written += 1
        path = Path(self._folder.name, f"{self._written}.png")
        try:
            path.write_bytes(image)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path

    def _keep_record(self, job_id: str, result: JobResult) -> None:
        self._jobs[job_id] = dataclasses.replace(result, image=None)
        self._counts[result.state] += 1

    def _drop(self, job_id: str) -> None:
        super()._drop(job_id)
        if job_id in self._files:
            path, size = self._files.pop(job_id)
            path.unlink(missing_ok=True)
            self._bytes -= size
