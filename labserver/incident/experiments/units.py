"""Bytes in the units that figures and tables show them in: MiB of a heap, kB of a job."""

from labserver.stats.interval import Interval

MIB, GIB = 2**20, 2**30


def mebibytes(size: float, digits: int = 2) -> str:
    """Bytes as `12.34 MiB`."""
    return f"{size / MIB:,.{digits}f} MiB"


def kilobytes_per_job(slope: Interval) -> str:
    """Bytes per job with their interval as `281.2 kB/job (280.9 to 281.5)`."""
    return f"{slope.estimate / 1000:z,.1f} kB/job ({slope.low / 1000:z,.1f} to {slope.high / 1000:z,.1f})"
