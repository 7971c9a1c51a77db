"""What a process gains beyond Python's objects: the growth of the allocators' books less that of the objects."""

import math

from labserver.stats.interval import Interval

_NORMAL = 2.58
_OBJECT_NOISE_BYTES = 4096.0
_OWNED = 0.75
_UNSEEN = 0.02  # of the objects: what their allocators add and a few of them hide


def native_interval(
    whole: Interval, *, jobs: int, objects_per_job: float | None, traced_per_job: float | None = None
) -> Interval | None:
    """Native bytes per job; None where nobody knows what Python's objects gained.

    Args:
        whole: bytes per job of the process, over all measured jobs.
        jobs: measured jobs.
        objects_per_job: what Python's objects gained, native memory that they own (an image's pixels) included.
        traced_per_job: what Python's allocators kept of a job in a traced pass: without that memory, but with what the
            tracing itself brings.
    """
    python = traced_per_job if objects_per_job is None else objects_per_job
    if python is None or jobs < 1:
        return None
    # A traced pass is short, so that its figure is rough; it is believed where objects own much native memory.
    if traced_per_job is not None and traced_per_job < _OWNED * python:
        python = traced_per_job
    own = _NORMAL * _OBJECT_NOISE_BYTES / jobs + _UNSEEN * abs(python)
    half = math.hypot((whole.high - whole.low) / 2, own)
    estimate = whole.estimate - python
    return Interval(estimate, estimate - half, estimate + half, whole.confidence)


def meter_of(whole: Interval | None, native: Interval | None, tolerance: float, otherwise: str) -> str:
    """Which memory carries a leak: `traced` (Python's objects), `native` (the process beyond them), or `both`."""
    if whole is None or native is None:
        return otherwise
    python = whole.estimate - native.estimate
    if native.low > tolerance:
        return "both" if python > tolerance else "native"
    return "traced" if native.high < max(tolerance, python / 2) else otherwise
