"""Stores with a time to live under a steady load: what they keep, measured against what the formulas predict."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from labserver.incident.experiments.challenge.arrivals import Array, Series, backends, drive
from labserver.incident.experiments.challenge.run import Run, observe
from labserver.incident.experiments.leak.run import record_bytes
from labserver.incident.experiments.measured import Measured
from labserver.incident.experiments.steady_state import peak_bytes, plateau_bytes
from labserver.incident.service.face import compose
from labserver.incident.service.settings import Settings
from labserver.load.photos import Pair, PhotoPool
from labserver.stats.interval import Interval, bytes_per_job

# A job whose result is a copy needs no photographs.
_NOTHING = Pair(b"", b"")


@dataclass(frozen=True, slots=True)
class Cell(Measured):
    """One rate and one time to live of the grid, measured over whole sweep periods.

    Attributes:
        settings: the service's.
        rate_per_s: jobs that finished per second, as measured.
        result_bytes: bytes of one image.
        mean_bytes: of the kept bytes, over time.
        peak_bytes: the mean of each period's highest.
        series: this service's readings from the first arrival on.
    """

    settings: Settings
    rate_per_s: float
    result_bytes: float
    mean_bytes: float
    peak_bytes: float
    series: Series

    @property
    def predicted_mean_bytes(self) -> float:
        """What λ · (TTL + sweep / 2) · bytes gives."""
        return plateau_bytes(self.rate_per_s, self.settings.ttl_s, self.settings.sweep_s, self.result_bytes)

    @property
    def predicted_peak_bytes(self) -> float:
        """What λ · (TTL + sweep) · bytes gives."""
        return peak_bytes(self.rate_per_s, self.settings.ttl_s, self.settings.sweep_s, self.result_bytes)

    @property
    def errors(self) -> tuple[float, float]:
        """How far mean and peak are from what was predicted, as shares."""
        return self.mean_bytes / self.predicted_mean_bytes - 1, self.peak_bytes / self.predicted_peak_bytes - 1


@dataclass(frozen=True, slots=True)
class Grid(Measured):
    """All cells, run side by side in one process, and the readings of all of them."""

    cells: list[Cell]
    series: Series

    @property
    def names(self) -> list[str]:
        """A name for each cell: its rate and its time to live."""
        return [f"{cell.rate_per_s:.0f}_per_s_ttl_{cell.settings.ttl_s:g}_s" for cell in self.cells]


def measure_grid(
    base: Settings, rates: Sequence[float], ttls_s: Sequence[float], image: bytes, *, periods: int
) -> Grid:
    """Run one service for each rate and time to live, all at the same time, until each has been steady for a while.

    Args:
        base: the services' settings but for the time to live; the sweep is the same for all.
        rates: jobs per second.
        ttls_s: times to live in seconds.
        image: what each result is a copy of.
        periods: sweep periods that are measured, after the longest time to live and two sweeps.
    """
    settings = [replace(base, ttl_s=ttl) for ttl in ttls_s for _ in rates]
    begin = max(ttls_s) + 2 * base.sweep_s
    gc.collect()
    with backends(settings, image=image) as driven:
        all_rates = [*rates] * len(ttls_s)
        series = drive(driven, all_rates, _NOTHING, duration_s=begin + (periods + 0.1) * base.sweep_s)
    cells = [_cell(settings[number], series, number, begin, periods) for number in range(len(settings))]
    return Grid(cells, series)


def _cell(settings: Settings, series: Series, number: int, begin_s: float, periods: int) -> Cell:
    """A cell's figures; its rate is that of the jobs which can be in the store while it is measured."""
    end_s = begin_s + periods * settings.sweep_s
    mine = Series(series.t_s, series.traced, series.kept[:, [number]], series.finished[:, [number]])
    early = mine.between(0, settings.ttl_s)
    parts = [part.kept[:, 0] for part in _periods(mine, settings.sweep_s, begin_s, periods)]
    return Cell(
        settings=settings,
        rate_per_s=float(mine.between(begin_s - settings.ttl_s, end_s).rates()[0]),
        result_bytes=float(early.kept[-1, 0] / early.finished[-1, 0]),
        mean_bytes=float(np.mean([part.mean() for part in parts])),
        peak_bytes=float(np.mean([part.max() for part in parts])),
        series=mine,
    )


def steady_means(run: Run) -> tuple[Array, Array]:
    """Finished jobs and traced bytes, each the mean over a sweep period of the steady state; shapes (periods,)."""
    settings, last = run.settings, run.series.t_s[-1]
    begin = settings.ttl_s + 2 * settings.sweep_s
    parts = _periods(run.series, settings.sweep_s, begin, int((last - begin) / settings.sweep_s))
    jobs = np.array([part.finished[:, 0].mean() for part in parts])
    return jobs, np.array([part.traced.mean() for part in parts])


def steady_slope(run: Run, *, confidence: float) -> Interval:
    """Bytes per job by which the traced heap grows in the steady state, while the load goes on.

    The mean over a sweep period takes the place of a floor: the load never rests, and the sawtooth averages out.
    """
    return bytes_per_job(*steady_means(run), confidence=confidence)


def slopes(growing: Run, steady: Run, *, confidence: float) -> dict[str, Interval]:
    """Bytes per job under continuing load, of a `leaky` store from its first job on and of `ttl` once it is steady."""
    leaky = bytes_per_job(growing.jobs, growing.heap, confidence=confidence)
    return {"leaky": leaky, "ttl": steady_slope(steady, confidence=confidence)}


def observe_steady(settings: Settings, image: bytes, *, rate_per_s: float, periods: int) -> Run:
    """Run one service, with its heap traced, until its steady state has lasted for some sweep periods.

    Args:
        settings: the service's.
        image: what each result is a copy of.
        rate_per_s: jobs per second.
        periods: sweep periods of the steady state, three or more.
    """
    length_s = settings.ttl_s + (2.2 + periods) * settings.sweep_s
    return observe(settings, _NOTHING, rate_per_s=rate_per_s, duration_s=length_s, image=image)


def traced_plateau_error(run: Run, bytes_per_result: float) -> float:
    """How far the traced heap's plateau is from the formula, as a share.

    What the process holds besides results, as jobs under way do, is taken from the time before anything expires.

    Args:
        run: a run into the steady state.
        bytes_per_result: what a kept result costs the traced heap.
    """
    settings, early = run.settings, run.series.between(0, run.settings.ttl_s)
    besides = early.traced.mean() - early.kept.mean() / run.result_bytes * bytes_per_result
    predicted = plateau_bytes(run.rate_per_s, settings.ttl_s, settings.sweep_s, bytes_per_result)
    return float((steady_means(run)[1].mean() - besides) / predicted - 1)


def usual_images(seed: int) -> list[bytes]:
    """What the service composes of the users' photographs at its default size.

    Args:
        seed: of the photographs' variation.
    """
    usual = Settings()
    pairs = PhotoPool(seed).pairs
    return [compose(*pair, size_px=usual.result_px, max_pixels=usual.max_pixels) for pair in pairs]


def usual_result_bytes(images: Sequence[bytes]) -> float:
    """What a kept result costs on average: the image and the record."""
    return float(np.mean([len(image) for image in images])) + record_bytes(Settings(store="ttl"))


def _periods(series: Series, period_s: float, begin_s: float, count: int) -> list[Series]:
    """The readings of whole periods, one after the other: each holds one sweep, wherever in it.

    A period in which a busy machine let nobody read is left out.
    """
    parts = [series.between(begin_s + i * period_s, begin_s + (i + 1) * period_s) for i in range(count)]
    return [part for part in parts if part.t_s.size]
