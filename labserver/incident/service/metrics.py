"""What the service tells of itself in figures, once for every format in which they are asked for."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from labserver.incident.service.jobs import JobState
from labserver.incident.service.runtime import Service


class Sample(NamedTuple):
    """A value and the tags that tell it from the others of its metric."""

    tags: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure, or one for each combination of tags.

    Attributes:
        name: In Micrometer's style, words with dots between.
        description: A sentence.
        unit: `bytes` and the like; None for plain numbers.
        samples: At least one.
        counts: Whether it only ever grows.
    """

    name: str
    description: str
    unit: str | None
    samples: tuple[Sample, ...]
    counts: bool = False


def metrics_of(service: Service) -> Iterator[Metric]:
    """Read all figures now.

    The memory's metrics are left out where the service's host reports none.

    Raises:
        StoreUnavailable: The store is outside this process and away.
    """
    pools = tuple(service.memory())
    for figure, description in (
        ("used", "The amount of used memory"),
        ("committed", "The amount of memory in bytes that is committed for the process to use"),
        ("max", "The maximum amount of memory in bytes that can be used for memory management"),
    ):
        samples = tuple(Sample({"area": pool.area, "id": pool.id}, getattr(pool, figure)) for pool in pools)
        if samples:
            yield Metric(f"jvm.memory.{figure}", description, "bytes", samples)
    yield _plain("jvm.threads.live", "The current number of live threads", "threads", threading.active_count())
    counts, kept = service.store.counts(), service.store.kept_bytes()
    yield Metric("labserver.jobs", "Jobs that the store keeps", None, _by_state(counts))
    # A job has an image when it is done, and then only.
    sizes = dict.fromkeys(JobState, 0) | {JobState.DONE: kept}
    yield Metric("labserver.kept", "Bytes of images that the store keeps", "bytes", _by_state(sizes))
    oldest = service.store.oldest()
    age = 0.0 if oldest is None else max(0.0, service.clock() - oldest)
    yield _plain("labserver.kept.oldest", "Age of the oldest result kept, 0 without one", "seconds", age)
    finished = Sample({}, service.finished_jobs())
    yield Metric("labserver.jobs.finished", "Jobs that have ended since the start", None, (finished,), counts=True)


def _plain(name: str, description: str, unit: str | None, value: float) -> Metric:
    return Metric(name, description, unit, (Sample({}, value),))


def _by_state(values: dict[JobState, int]) -> tuple[Sample, ...]:
    return tuple(Sample({"state": str(state)}, value) for state, value in values.items())
