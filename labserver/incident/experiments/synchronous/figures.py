"""The figures of the synchronous service and of the queue in its place."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.incident.experiments.figure import BLUE, ORANGE, STYLE, VERMILLION
from labserver.incident.experiments.label import Label
from labserver.incident.experiments.synchronous.measurements import Backlog, Impatience, Level, Overload
from labserver.incident.experiments.synchronous.run import Conditions
from labserver.incident.experiments.units import MIB
from labserver.text import formatted

_SYNC, _ASYNC, _WASTED, _PREDICTED = VERMILLION, BLUE, ORANGE, "0.35"


def load_levels(levels: Sequence[Level], conditions: Conditions) -> Figure:
    """Throughput, response time and the wait for `/health` against the number of users, with what is predicted."""
    users = [level.users for level in levels]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.4), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        bend = min(max(conditions.pool, users[0]), users[-1])
        dense = np.array([users[0], bend, users[-1]])
        capped = np.minimum(dense / conditions.inference_s, conditions.capacity)
        _line(left, dense, capped, "predicted")
        left.plot(users, [level.throughput for level in levels], "o", color=_SYNC, label="measured")
        left.set(title="Throughput", ylabel="faces per second", ylim=(0, conditions.capacity * 1.25))
        _line(middle, dense, dense / capped, "predicted")
        middle.plot(users, [level.response_s for level in levels], "o", color=_SYNC, label="measured")
        middle.set(title="Response time", ylabel="seconds from photographs to face", ylim=(0, None))
        for percent, marker in ((95, "^:"), (50, "o-")):
            values = [level.health_ms(percent) for level in levels]
            right.plot(users, values, marker, color=_SYNC, linewidth=1, label=f"p{percent}")
        right.set(title="Wait for /health", ylabel="milliseconds for /health", yscale="log")
        for axes in (left, middle, right):
            _mark_pool(axes, users, conditions.pool)
        return figure


def timeouts(impatience: Impatience, timeout_s: float) -> Figure:
    """What became of the requests, and of the AI service's work for them."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 2.2), layout="constrained")
        axes = figure.add_subplot()
        wasted = max(impatience.inferences - impatience.answered, 0)
        useful = impatience.inferences - wasted
        rows = ["requests\nof the clients", "inferences\nof the face-api"]
        good = axes.barh(rows, [impatience.answered, useful], color=_ASYNC, height=0.6, label="face reached its client")
        bad = axes.barh(
            rows,
            [impatience.timed_out, wasted],
            left=[impatience.answered, useful],
            color=_WASTED,
            height=0.6,
            label=f"client had given up after {timeout_s:.2g} s",
        )
        for bars, colour in ((good, "white"), (bad, "black")):
            axes.bar_label(bars, label_type="center", color=colour)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        share = formatted(impatience.wasted_share, ".0%")
        axes.set(xlabel="count", title=f"What became of the work: {share} of the model's was for clients that had gone")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.32), ncols=2)
        return figure


def backlog(found: Backlog, rate: float) -> Figure:
    """Requests under way against time, beside the predicted line."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.4), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(
            found.times_s, found.waiting, color=_SYNC, linewidth=1.8, label=f"measured: {found.growth_per_s:+.2f}/s"
        )
        label = f"predicted: arrivals − capacity = {found.predicted_per_s:+.2f}/s"
        axes.plot(found.times_s, found.predicted, color=_PREDICTED, linestyle="--", label=label)
        axes.set(
            xlabel="seconds since the first arrival",
            ylabel="requests that wait for their face",
            title=f"{rate:.3g} arrivals a second, of which {rate - found.predicted_per_s:.3g} can be served",
            ylim=(0, None),
        )
        axes.margins(x=0)
        axes.legend(loc="upper left")
        return figure


def before_and_after(before: Level, after: Level, names: tuple[str, str]) -> Figure:
    """The same users on both ways: what they get, and what `/health` takes meanwhile."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        colours = [_SYNC, _ASYNC]
        bars = left.bar(names, [before.throughput, after.throughput], color=colours, width=0.55)
        left.bar_label(bars, fmt="%.1f", padding=2)
        left.set(title=Label("{count} users: throughput", count=before.users), ylabel="faces per second")
        places = np.arange(2)
        for shift, level, colour, name in zip((-0.2, 0.2), (before, after), colours, names, strict=True):
            values = [level.health_ms(50), level.health_ms(95)]
            found = right.bar(places + shift, values, 0.38, color=colour, label=name)
            right.bar_label(
                found, [f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms" for value in values], padding=2
            )
        right.set_xticks(places, ["median", "p95"])
        right.set(title="Wait for /health", ylabel="milliseconds for /health", yscale="log")
        for axes in (left, right):
            axes.grid(visible=False, axis="x")
            axes.margins(y=0.15)
        right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)
        return figure


def queue(unbounded: Overload, bounded: Overload, bound: int) -> Figure:
    """The photographs' bytes that wait, with and without a bound on the queue."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.4), layout="constrained")
        axes = figure.add_subplot()
        backlog = unbounded.backlog
        size = unbounded.bytes_waiting.sum() / max(backlog.waiting.sum(), 1.0) / MIB
        axes.plot(
            backlog.times_s, unbounded.bytes_waiting / MIB, color=_SYNC, linewidth=1.8, label="queue without a bound"
        )
        label = "predicted: arrivals − capacity"
        axes.plot(backlog.times_s, backlog.predicted * size, color=_PREDICTED, linestyle="--", label=label)
        label = f"at most {bound} waiting: {formatted(bounded.refused_share, '.0%')} refused with 503"
        axes.plot(bounded.backlog.times_s, bounded.bytes_waiting / MIB, color=_ASYNC, linewidth=1.8, label=label)
        axes.set(
            xlabel="seconds since the first arrival",
            ylabel="photographs in the queue, MiB",
            title="What waits in the queue under overload, without a bound and with one",
            ylim=(0, None),
        )
        axes.margins(x=0)
        axes.legend(loc="upper left")
        return figure


def _line(axes: Axes, x: object, y: object, label: str) -> None:
    axes.plot(x, y, color=_PREDICTED, linestyle="--", linewidth=1.2, label=label)  # type: ignore[arg-type]


def _mark_pool(axes: Axes, users: Sequence[int], pool: int) -> None:
    if users[0] <= pool <= users[-1]:
        axes.axvline(pool, color="0.8", linewidth=6, zorder=0, label=Label("{count} threads", count=pool))
    axes.set_xticks(users, [str(count) for count in users])
    axes.set_xlabel("users at the same time")
    axes.legend(loc="best", fontsize=8)
