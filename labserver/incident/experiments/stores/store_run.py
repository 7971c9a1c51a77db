"""What one store did with the script."""

from dataclasses import dataclass
from pathlib import Path

from labserver.incident.experiments.measured import Measured
from labserver.incident.experiments.stores.script import LATE_GROUPS, Script, Visit, said
from labserver.incident.service.settings import Settings

_OK = 200


@dataclass(frozen=True, slots=True)
class Floor(Measured):
    """Bytes at rest: what the store says it keeps, and what is found.

    Attributes:
        kept_bytes: the images, by the store's own books.
        jobs_kept: the jobs, in whatever state.
        heap_bytes: growth of this process's traced heap since the empty server was at rest.
        elsewhere_bytes: in files or in another process, measured there.
    """

    kept_bytes: int
    jobs_kept: int
    heap_bytes: int
    elsewhere_bytes: int

    @property
    def unaccounted_bytes(self) -> int:
        """What is found beyond the store's books; negative where less is found."""
        return self.heap_bytes + self.elsewhere_bytes - self.kept_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRun(Measured):
    """What one store did with the script.

    Attributes:
        store: its name.
        script: the load.
        settings: the server's.
        visits: what each client met.
        long_job: the statuses of the job that ran longer than its time to live: asked then, and its result after it.
        full: at rest after the burst, before anybody fetched of it.
        drained: at rest when everything is older than the time to live and two sweeps.
        failed_kept: records of failed jobs that are kept then.
        given_up_early: results that were not kept any more after the burst, though none was as old as the time to live
            and none of them had been fetched.
        peak_bytes: most image bytes at any sampled instant.
        peak_jobs: most finished jobs kept at one.
        threads_peak: threads beyond those of the empty server.
        cpu_s: the server's processor time under the script, that of its own child processes included.
        p95_ms: of all requests, milliseconds.
        curve: the CSV file of all samples, columns `COLUMNS`.
    """

    store: str
    script: Script
    settings: Settings
    visits: tuple[Visit, ...]
    long_job: tuple[int, int]
    full: Floor
    drained: Floor
    failed_kept: int
    given_up_early: int
    peak_bytes: int
    peak_jobs: int
    threads_peak: int
    cpu_s: float
    p95_ms: float
    curve: Path

    @property
    def finished_jobs(self) -> int:
        """Jobs that the server ran."""
        return sum(visit.accepted for visit in self.visits)

    @property
    def cpu_ms_per_job(self) -> float:
        """Milliseconds of processor time for each of them."""
        return 1000 * self.cpu_s / self.finished_jobs

    @property
    def lost_unread(self) -> int:
        """Results that were gone within their time to live when their clients first came."""
        long_lost = self.long_job[1] != _OK
        return sum(visit.lost_unread(self.script.ttl_s) for visit in self.visits) + long_lost

    @property
    def refused(self) -> int:
        """Jobs that were not taken when they first came."""
        return sum(visit.refused > 0 for visit in self.visits)

    @property
    def unaccounted_bytes(self) -> int:
        """The larger gap of the two floors between the store's books and what is found, in bytes either way."""
        return max(abs(self.full.unaccounted_bytes), abs(self.drained.unaccounted_bytes))

    @property
    def late_answers(self) -> str:
        """What the late clients were told, as `200/200/410`."""
        return "/".join(said(self.visits, group) for group in LATE_GROUPS)

    @property
    def second_fetch(self) -> str:
        """What a second fetch was told."""
        return said(self.visits, "twice", asking=1)
