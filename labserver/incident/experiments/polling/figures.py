"""The figures of the ways to poll."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from labserver.incident.experiments.figure import BLUE, GREEN, ORANGE, STYLE, VERMILLION
from labserver.incident.experiments.label import Label
from labserver.incident.experiments.polling.measurements import EndlessPolling, Herd
from labserver.incident.experiments.polling.server_cost import Bursts

_UNBOUNDED, _CAPPED = VERMILLION, BLUE
_POLICIES = {"fixed": VERMILLION, "exponential": ORANGE, "full_jitter": BLUE, "retry_after": GREEN}


def requests_over_time(endless: EndlessPolling, users: int, cap: int) -> Figure:
    """Polls of one client against time, of those that never give up and of those that do."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.4), layout="constrained")
        axes = figure.add_subplot()
        lines = (
            ("no cap", endless.unbounded, _UNBOUNDED, "-"),
            (Label("at most {cap} polls", cap=cap), endless.capped, _CAPPED, "--"),
        )
        for label, client, colour, style in lines:
            sent = np.concatenate([[0.0], client.polls.start_s - endless.began_s, [endless.observed_s]])
            polls = np.concatenate([np.arange(len(client.polls) + 1), [len(client.polls)]]) / users
            axes.step(sent, polls, where="post", color=colour, linestyle=style, linewidth=1.8, label=label)
        if endless.capped.ended_s is not None:
            _note(axes, endless.capped.ended_s, cap * 0.25, "the capped clients\ngive up and say so")
        axes.axvline(endless.observed_s, color="0.35", linestyle=":", linewidth=1)
        axes.set(
            xlabel="seconds since the jobs were handed in",
            ylabel="polls of a client so far",
            xlim=(0, endless.observed_s * 1.005),
            ylim=(0, None),
        )
        axes.set_title("Polls for a job that never ends, without a cap and with one", loc="left")
        axes.legend(loc="upper left", title="the experiment ends at the right edge", alignment="left")
        return figure


def cpu_per_poll(bursts: Bursts) -> Figure:
    """The server's processor time of a poll, burst by burst, beside what the idle server uses in as long a time."""
    poll = bursts.cpu_s_per_poll().scaled(1e3)
    number = np.arange(1, len(bursts.busy_s) + 1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.0), layout="constrained")
        axes = figure.add_subplot()
        axes.axhspan(poll.low, poll.high, color=_CAPPED, alpha=0.2, linewidth=0, label="the mean's 99 % interval")
        axes.axhline(poll.estimate, color=_CAPPED, linewidth=1.2, label="mean, without the idle baseline")
        for used, label, colour in (
            (bursts.busy_s, f"a burst of {bursts.polls} polls", _CAPPED),
            (bursts.idle_s, "as long a time without polls", "0.5"),
        ):
            axes.plot(number, used / bursts.polls * 1e3, "o", color=colour, label=label)
        axes.set(xlabel="burst", ylabel="server CPU, ms a poll", ylim=(0, None))
        axes.locator_params(axis="x", integer=True)
        cost = f"{poll.estimate:.2f} ms ({poll.low:.2f} to {poll.high:.2f})"
        axes.set_title(f"Back to back, a poll costs the server {cost} of CPU, news or none", loc="left")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


def arrivals(herds: Mapping[str, Herd], window_s: float, job_s: float) -> Figure:
    """Polls per window of time, one panel a policy."""
    end = max(float(herd.polls.start_s[-1] - herd.began_s) for herd in herds.values()) + window_s
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 1.5 * len(herds) + 0.5), layout="constrained")
        panels = figure.subplots(len(herds), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, (name, herd) in zip(panels, herds.items(), strict=True):
            since = herd.polls.start_s - herd.began_s
            axes.hist(since, bins=np.arange(0, end + window_s, window_s), color=_POLICIES.get(name, "0.4"))
            axes.axvline(job_s, color="0.25", linestyle=":", linewidth=1.2)
            axes.set_title(
                f"{herd.policy}: {len(herd.polls)} polls, at most {herd.polls.peak(window_s)} at once",
                fontsize=9,
                loc="left",
            )
        panels[-1].annotate(
            "the jobs are done", (job_s, 0.95), xycoords=("data", "axes fraction"), xytext=(-4, 0),
            textcoords="offset points", fontsize=8, va="top", ha="right", color="0.25",
        )  # fmt: skip
        panels[-1].set(xlim=(0, end))
        panels[-1].set_xlabel("seconds since all clients began")
        figure.suptitle("When the polls of a herd come, by the way of waiting", x=0.01, ha="left")
        figure.supylabel(f"polls in {window_s * 1e3:.0f} ms", fontsize=10)
        return figure


def policies(herds: Mapping[str, Herd], window_s: float) -> Figure:
    """Peak, number and delay of the polls, side by side."""
    sides = (
        (
            Label("most polls in {window:.0f} ms", window=window_s * 1e3),
            [float(herd.polls.peak(window_s)) for herd in herds.values()],
            "{:.0f}",
        ),
        ("polls until all knew", [float(len(herd.polls)) for herd in herds.values()], "{:.0f}"),
        ("mean seconds until a client knew", [herd.mean_notice.estimate for herd in herds.values()], "{:.2f}"),
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 2.9), layout="constrained")
        figure.suptitle("What each way of polling costs the server, and its clients", x=0.01, ha="left")
        for axes, (title, values, form) in zip(figure.subplots(1, 3, sharey=True), sides, strict=True):
            rows = [herd.policy for herd in herds.values()]
            bars = axes.barh(rows, values, color=[_POLICIES.get(name, "0.4") for name in herds], height=0.6)
            axes.bar_label(bars, [form.format(value) for value in values], padding=3)
            axes.set(title=title, xlim=(0, max(values) * 1.25))
            axes.title.set_fontsize(9)
            axes.grid(visible=False, axis="y")
            axes.locator_params(axis="x", nbins=4)
        figure.axes[0].invert_yaxis()
        return figure


def _note(axes: mpl.axes.Axes, x: float, y: float, text: str) -> None:
    axes.axvline(x, color=_CAPPED, linestyle=":", linewidth=1)
    axes.annotate(text, (x, y), xytext=(-6, 0), textcoords="offset points", ha="right", color=_CAPPED, fontsize=9)
