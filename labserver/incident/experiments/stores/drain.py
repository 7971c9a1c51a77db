"""The same stores in real time: some results, a short time to live, and nobody who moves a clock."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from labserver.incident.experiments.measured import Measured
from labserver.incident.experiments.stores.promises import PROMISES
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import JobStore, create_store

_EVERY_S = 0.02
# Waited for on a busy machine beyond what the policies promise; the instants are measured, the wait is only cut short.
_PATIENCE_S = 10.0
_RESULTS = 40
_RESULT_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class RealDrain(Measured):
    """What became of results that nobody fetched, in real seconds since they were put.

    Attributes:
        ttl_s: the time to live.
        sweep_s: the period of the sweeps.
        put_bytes: bytes put into each store at the beginning.
        samples: by store, `(seconds before the look, seconds after it, bytes kept)` in the order of time.
    """

    ttl_s: float
    sweep_s: float
    put_bytes: int
    samples: dict[str, list[tuple[float, float, int]]]

    def gone_after_s(self, store: str) -> float | None:
        """When a store was first seen empty; None where it never was."""
        return next((after for _, after, kept in self.samples[store] if kept == 0), None)

    def full_until_s(self, store: str) -> float:
        """Until when a store was seen to keep all."""
        return max((before for before, _, kept in self.samples[store] if kept == self.put_bytes), default=0.0)

    def left_bytes(self, store: str) -> int:
        """What a store kept at the end."""
        return self.samples[store][-1][2]


def real_drain(stores: Sequence[str], *, ttl_s: float, sweep_s: float, csv: Path) -> RealDrain:
    """Put the same results into all stores at once, leave them alone, and look until they are empty or long overdue.

    Args:
        stores: their names; all of them must be installed.
        ttl_s: the time to live.
        sweep_s: the period of the sweeps.
        csv: where the samples are written.
    """
    samples: dict[str, list[tuple[float, float, int]]] = {name: [] for name in stores}
    with ExitStack() as stack:
        opened = {name: _open(stack, name, ttl_s, sweep_s) for name in stores}
        began = time.monotonic()
        for store in opened.values():
            _fill(store)
        filled = time.monotonic() - began
        overdue = filled + ttl_s + 2 * sweep_s
        while True:
            for name, store in opened.items():
                before = time.monotonic() - began
                samples[name].append((before, time.monotonic() - began, store.kept_bytes()))
            now = time.monotonic() - began
            due = [name for name in stores if PROMISES[name].goes_in_time and samples[name][-1][2] > 0]
            if now > overdue and (not due or now > overdue + _PATIENCE_S):
                break
            time.sleep(_EVERY_S)
    _write(csv, samples)
    return RealDrain(ttl_s, sweep_s, _RESULTS * _RESULT_BYTES, samples)


def _open(stack: ExitStack, name: str, ttl_s: float, sweep_s: float) -> JobStore:
    settings = Settings(store=name, ttl_s=ttl_s, sweep_s=sweep_s)
    store = create_store(settings, time.time)
    stack.callback(store.close)
    store.start()
    return store


def _fill(store: JobStore) -> None:
    for number in range(_RESULTS):
        store.put(str(number), JobResult(JobState.DONE, bytes(_RESULT_BYTES), None, time.time()))


def _write(csv: Path, samples: dict[str, list[tuple[float, float, int]]]) -> None:
    rows = [f"{name},{at:.4f},{kept}" for name, looks in samples.items() for at, _, kept in looks]
    csv.write_text("\n".join(["store,t_s,kept_bytes", *rows]) + "\n", encoding="utf-8")
