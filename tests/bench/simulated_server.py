"""A simulated server: what it keeps of its jobs, as the instruments of a real one would tell it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from labserver.diagnosis.measure.driver import Driver
from labserver.diagnosis.measure.options import MeasureOptions
from labserver.heap.chain import Chain
from labserver.heap.heap_growth import HeapGrowth, HolderGrowth, Remembered, Removal, Site
from labserver.heap.wire import BaselineTaken, Collected, FloorReading
from labserver.targets.instrumented import Instrumented

Rng = np.random.Generator
GRID = np.concatenate([np.arange(0, 4000, 50), np.arange(4000, 80_001, 400)])
"""Measured jobs at which a simulated quantity is known; between them it is interpolated."""


@dataclass(frozen=True, slots=True)
class Store:
    """A holder: its items in the order in which they came, of which some of the oldest are gone.

    Attributes:
        came: items that have come by each point of the grid, those before the first floor included.
        item_bytes: the size of one.
        gone: how many of so many that have come are gone after so many seconds.
        bound: what can be read of a bound.
        removal: what can be read of the code around.
        visible: whether a look shows it.
    """

    came: np.ndarray
    item_bytes: float
    gone: Callable[[int, float], int] = lambda _came, _seconds: 0
    bound: int | None = None
    removal: Removal = field(default_factory=lambda: Removal(seen=True))
    visible: bool = True


@dataclass(frozen=True, slots=True)
class Server:
    """One simulated server.

    Attributes:
        trend: bytes beside the stores at each point of the grid.
        noise: draws that of a floor.
        stores: its holders.
        jobs_per_s: its rate.
    """

    trend: np.ndarray
    noise: Callable[[], float]
    stores: tuple[Store, ...] = ()
    jobs_per_s: float = 500.0


class Simulated(Instrumented, Driver):
    """Such a server with its load, as a check sees both; seconds are those of a clock of its own."""

    instrumented = True
    concurrency = 5
    _LOOK_S = 0.4

    def __init__(self, server: Server) -> None:
        super().__init__(MeasureOptions(), 0.0, lambda _: None)
        self.notes = []
        self._server = server
        self._now = 0.0
        self._done = 0
        self._measured_from: int | None = None
        self._looks: list[list[int]] = []
        self._at_baseline: list[int] = []
        self._named: set[int] = set()

    def seconds(self) -> float:
        """Seconds since the check began."""
        return self._now

    def begin(self, phase: str) -> None:
        """Name what is done now; the model begins with the measuring."""
        super().begin(phase)
        if phase == "measuring" and self._measured_from is None:
            self._measured_from = self._done

    def drive(self, jobs: int) -> int:
        """Run so many jobs."""
        self._done += jobs
        self.jobs += jobs
        self._now += jobs / self._server.jobs_per_s
        return jobs

    def rest(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def floor(self, **_: object) -> FloorReading:
        """The memory at rest."""
        size = self._at(self._server.trend) + self._server.noise()
        size += sum(store.item_bytes * (came - gone) for store, (came, gone) in self._stores())
        self._now += 0.1
        return FloorReading(heap_bytes=int(size), traced_bytes=int(size), threads=7, collecting=True)

    def baseline(self, **_: object) -> BaselineTaken:
        """Remember what is there."""
        held = list(self._stores())
        self._looks = [[came for _, (came, _) in held]]
        self._at_baseline = [came - gone for _, (came, gone) in held]
        self._named = set()
        return BaselineTaken()

    def growth(self) -> HeapGrowth:
        """What has come since then."""
        self._now += self._LOOK_S
        held = list(self._stores())
        self._looks.append([came for _, (came, _) in held])
        holders, remembered, total = [], [], 0
        for number, (store, (came, gone)) in enumerate(held):
            if not store.visible:
                continue
            ends = [look[number] for look in self._looks]
            cohorts = tuple(max(b - max(a, gone), 0) for a, b in zip([0, *ends], ends, strict=False))
            items = came - gone - self._at_baseline[number]
            total += int(items * store.item_bytes)
            name = hashlib.sha256(str(number).encode()).hexdigest()[:16]
            if items * store.item_bytes >= 1024:
                self._named.add(number)
                holders.append(_holder(store, name, items, came - gone, cohorts))
            elif number in self._named:
                remembered.append(Remembered(name, cohorts))
        holders.sort(key=lambda holder: -holder.growth_bytes)
        return HeapGrowth(holders=tuple(holders), bytes=total, remembered=tuple(remembered))

    def trace(self, frames: int) -> bool:
        """Whether allocations are traced."""
        return frames > 0

    def sites(self) -> tuple[Site, ...]:
        """No lines are simulated."""
        return ()

    def collect(self) -> Collected:
        """There is no garbage."""
        return Collected(0, 0)

    def _ask(self, command: str, arguments: dict[str, object], within_s: float) -> object:
        raise NotImplementedError

    def _at(self, values: np.ndarray) -> float:
        jobs = 0 if self._measured_from is None else self._done - self._measured_from
        return float(np.interp(jobs, GRID, values))

    def _stores(self):
        for store in self._server.stores:
            came = int(self._at(store.came) + 1e-9)
            yield store, (came, min(store.gone(came, self._now), came))


def _holder(store: Store, name: str, items: int, length: int, cohorts: tuple[int, ...]) -> HolderGrowth:
    size = int(items * store.item_bytes)
    return HolderGrowth(
        path=f"module shop → STORE_{name[:4]} → ['…'] → bytes",
        holder=f"module shop → STORE_{name[:4]}",
        holder_type="dict",
        buffer_type="bytes",
        buffers=items,
        growth_bytes=size,
        retained_bytes=size,
        chain=Chain(()),
        bound=store.bound,
        item_type="bytes",
        items=items,
        length=length,
        removal=store.removal,
        fingerprint=name,
        cohorts=cohorts,
    )
