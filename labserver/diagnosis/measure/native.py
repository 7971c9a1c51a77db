"""What a process gains beyond Python's objects: the growth of the allocators' books less that of the objects."""

import math
from dataclasses import dataclass

from labserver.stats.interval import Interval


@dataclass(frozen=True, slots=True)
class ObjectsKnown:
    """How well the bytes of Python's objects are known, which are taken from those of the process.

    Attributes:
        normal: half the width of an interval, in standard deviations: 99 % of a normal distribution.
        noise_bytes: one standard deviation of the difference of two looks. Twice that of a floor: two are compared, and
            each look brings objects of its own.
        unseen_share: of the objects' bytes, what their allocators add and a few of them hide: the bench
            `holder_kinds` allows 3 % of any one kind, and in a mixture errors cancel out.
        owned_share: of the objects' bytes, below which the traced ones show that objects own native memory, such as an
            image's pixels: the two are rougher than a quarter of it.
    """

    normal: float = 2.58
    noise_bytes: float = 4096.0
    unseen_share: float = 0.02
    owned_share: float = 0.75


KNOWN = ObjectsKnown()


def native_interval(
    whole: Interval,
    *,
    jobs: int,
    objects_per_job: float | None,
    traced_per_job: float | None = None,
    traced_share: float | None = None,
) -> Interval | None:
    """Native bytes per job, a part of the whole; None where nobody knows what Python's objects gained.

    Args:
        whole: bytes per job of the process, as they are shown.
        jobs: between the first and the last floor that this was read from.
        objects_per_job: what Python's objects gained, native memory that they own (an image's pixels) included.
        traced_per_job: what Python's allocators kept of a job in a traced pass: without that memory, but with what the
            tracing itself brings.
        traced_share: the part of the bytes of the traced jobs' objects that Python's allocators gave: the rest is that
            memory. The same few jobs tell both, so that it does not depend on how much these jobs left.
    """
    python = traced_per_job if objects_per_job is None else objects_per_job
    if python is None or jobs < 1:
        return None
    if traced_share is not None and objects_per_job is not None and traced_share < KNOWN.owned_share:
        python *= traced_share
    own = KNOWN.normal * KNOWN.noise_bytes / jobs + KNOWN.unseen_share * abs(python)
    half = math.hypot((whole.high - whole.low) / 2, own)
    # Objects that became fewer have made room for native memory, of which no more came than came in all.
    estimate = whole.estimate - max(python, 0.0)
    return Interval(estimate, estimate - half, min(estimate + half, whole.high), whole.confidence)


def meter_of(whole: Interval | None, native: Interval | None, tolerance: float, otherwise: str) -> str:
    """Which memory carries a leak: `traced` (Python's objects), `native` (the process beyond them), or `both`."""
    if whole is None or native is None:
        return otherwise
    python = whole.estimate - native.estimate
    if native.low > tolerance:
        return "both" if python > tolerance else "native"
    return "traced" if native.high < max(tolerance, python / 2) else otherwise
