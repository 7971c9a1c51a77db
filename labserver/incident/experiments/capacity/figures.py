"""The figures of the capacity plan."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from labserver.incident.experiments.capacity.forecast import Forecast
from labserver.incident.experiments.capacity.formulas import refused_at
from labserver.incident.experiments.capacity.sizing import Assumptions, Scale
from labserver.incident.experiments.capacity.small_cases import SmallCase
from labserver.incident.experiments.capacity.trial import Trial
from labserver.incident.experiments.figure import BLUE, GREEN, ORANGE, SKY, STYLE, VERMILLION
from labserver.incident.experiments.label import Label
from labserver.incident.experiments.units import GIB, MIB

_MODES = {
    "leaky": VERMILLION,
    "ttl_above": BLUE,
    "ttl_below": SKY,
    "byte_budget": GREEN,
}
_RATES = (SKY, BLUE, GREEN, ORANGE, VERMILLION)


def exhaustion(trials: Mapping[str, Trial], labels: Mapping[str, str], foretold: Forecast) -> Figure:
    """Address space against time until death or the load's end, with the forecast and its interval.

    Args:
        trials: by mode, the leaky one first.
        labels: what the legend says of each.
        foretold: of the first.
    """
    room = next(iter(trials.values())).room / MIB
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for name, trial in trials.items():
            line = trial.readings
            axes.plot(line.t_s, line.size / MIB, color=_MODES[name], linewidth=1.2, label=labels[name])
            if trial.death is not None:
                axes.plot(trial.death.t_s, room, "x", color=_MODES[name], markersize=10, markeredgewidth=2.5)
        _draw_forecast(axes, foretold, room)
        axes.axhline(room, color="0.2", linewidth=1)
        axes.annotate("the limit", (0, room), (4, 4), textcoords="offset points", fontsize=9, color="0.2")
        lowest = min(float(trial.readings.size.min()) for trial in trials.values()) / MIB
        axes.set(ylim=(min(0.0, lowest), room * 1.1), xlim=(0, None), ylabel="address space above the start, MiB")
        axes.set(xlabel="seconds under load (×: the first job fails)")
        axes.set_title("Memory under a hard limit, by store", loc="left")
        axes.legend(loc="lower right", fontsize=9)
        return figure


def demand(scales: Sequence[Scale], assumed: Assumptions) -> Figure:
    """Quantiles of the kept bytes against the rate, and what byte-budget needs instead; both axes logarithmic."""
    rates = [scale.rate_per_s for scale in scales]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.2), layout="constrained")
        axes = figure.add_subplot()
        highest = [scale.demand.day_max / GIB for scale in scales]
        median = [scale.demand.quantiles[0.5] / GIB for scale in scales]
        budget = [scale.budget_bytes * scale.instances / GIB for scale in scales]
        kept = {"ttl": assumed.kept.ttl_s, "sweep": assumed.kept.sweep_s}
        label = Label("ttl, {ttl:g} s + {sweep:g} s: the day's largest", **kept)
        axes.plot(rates, highest, "^-", color=VERMILLION, label=label)
        axes.plot(rates, median, "o-", color=BLUE, label=Label("ttl, {ttl:g} s + {sweep:g} s: p50", **kept))
        label = Label("byte-budget, {share:.1%} refused", share=assumed.refused)
        axes.plot(rates, budget, "s--", color=GREEN, label=label)
        for gib, form in (
            (assumed.instance_gib, "one instance: {size:g} GiB"),
            (assumed.shared_gib, "one shared store: {size:g} GiB"),
        ):
            axes.axhline(gib, color="0.4", linestyle=":", linewidth=1)
            at, over = (rates[0], gib), (-8, 4)
            axes.annotate(Label(form, size=gib), at, over, textcoords="offset points", fontsize=9)
        axes.set(xscale="log", yscale="log", xlabel="jobs per second", ylabel="memory for results, GiB")
        axes.set_title("Memory for results, by the rate of jobs", loc="left")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:,.0f}"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda gib, _: f"{gib:,g}"))
        axes.legend(loc="upper left", fontsize=9)
        return figure


def small_cases(cases: Sequence[SmallCase]) -> Figure:
    """How often so many results were kept, as bars, and how often the formula says, as a line; a panel a case."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 1.4 + 1.9 * ((len(cases) + 1) // 2)), layout="constrained")
        panels = figure.subplots((len(cases) + 1) // 2, 2, squeeze=False).flat
        for axes, case in zip(panels, cases, strict=False):
            counts = np.arange(0, int(max(case.kept.max(), case.mean + 4 * case.mean**0.5)) + 2)
            shares = [(case.kept == count).mean() for count in counts]
            axes.bar(counts, shares, color=BLUE, alpha=0.55, width=0.9, label="measured")
            axes.plot(counts, _poisson_mixture(counts, case), color=VERMILLION, linewidth=1.5, label="M/D/∞")
            axes.set_title(f"{case.rate_per_s:.0f} jobs/s, TTL {case.ttl_s:g} s", loc="left", fontsize=10)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend(fontsize=8)
        figure.suptitle("How many results a real store keeps, measured and by the formula", x=0.01, ha="left")
        figure.supxlabel("results kept", fontsize=10)
        figure.supylabel("share of the looks", fontsize=10)
        return figure


def refusals(rates: Sequence[float], assumed: Assumptions, checked: Sequence[tuple[float, float]] = ()) -> Figure:
    """The share of new jobs that byte-budget refuses against its budget, a line a rate; both axes logarithmic.

    Args:
        rates: jobs per second that one store gets.
        assumed: how long results are held, and their size.
        checked: budgets in bytes and the shares that the real store refused there, at the first rate.
    """
    kept = assumed.kept
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for colour, rate in zip(_RATES, rates, strict=False):
            offered = rate * assumed.hold_s
            # The fall is as narrow as the square root of the results kept.
            around = 1 + np.linspace(-8, 6, 120) / offered**0.5
            loads = np.union1d(np.geomspace(0.05, 2, 80), around[around > 0])
            budgets = loads * offered * kept.mean_bytes
            share = refused_at(budgets, rate, assumed.hold_s, kept.mean_bytes)
            axes.plot(budgets / MIB, np.where(share > 1e-7, share, np.nan), color=colour, label=f"{rate:,.0f} jobs/s")
            axes.axvline(rate * kept.ttl_s * kept.mean_bytes / MIB, color=colour, linestyle=":", linewidth=1)
        for budget, refused in checked:
            axes.plot(budget / MIB, refused, "o", color=_RATES[0], markeredgecolor="0.2", markersize=7)
        axes.axhline(assumed.refused, color="0.4", linestyle="--", linewidth=1)
        axes.set(xscale="log", yscale="log", ylim=(1e-5, 1.3), xlabel="budget, MiB (dotted: what ttl keeps on average)")
        axes.set(ylabel="share of new jobs refused")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda mib, _: f"{mib:,.0f}"))
        axes.set_title("The share of jobs that is refused, by budget and rate", loc="left")
        axes.legend(loc="lower left", fontsize=9)
        return figure


def _draw_forecast(axes: Axes, foretold: Forecast, room: float) -> None:
    at = foretold.made_at_s
    now = (foretold.level + foretold.growth.estimate * foretold.made_at_jobs) / MIB
    per_job_s = (foretold.t_s - at) / (foretold.jobs.estimate - foretold.made_at_jobs)
    ends = [at + (jobs - foretold.made_at_jobs) * per_job_s for jobs in (foretold.jobs.low, foretold.jobs.high)]
    axes.fill([at, ends[0], ends[1]], [now, room, room], color="0.5", alpha=0.2, linewidth=0)
    jobs = foretold.jobs
    form = "forecast: {jobs:.0f} jobs ({low:.0f} to {high:.0f})"
    label = Label(form, jobs=jobs.estimate, low=jobs.low, high=jobs.high)
    axes.plot([at, foretold.t_s], [now, room], "--", color="0.2", linewidth=1.4, label=label)


def _poisson_mixture(counts: npt.NDArray[np.int64], case: SmallCase) -> npt.NDArray[np.float64]:
    """P(N = n), with the age of the newest sweep anything up to its period."""
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, counts.max() + 1)))])
    ages = (np.arange(20) + 0.5) / 20 * case.sweep_s
    means = case.rate_per_s * (case.ttl_s + ages)
    logs = counts[:, None] * np.log(means) - means - factorials[counts][:, None]
    shares: npt.NDArray[np.float64] = np.exp(logs).mean(axis=1)
    return shares
