"""What the figures and tables of the ways to poll say, read from what they draw."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from labserver.incident.experiments.polling import figures, tables

MADE = runpy.run_path(str(Path(__file__).parents[1] / "claims" / "bound_the_polling.py"))
CLIENTS, CAP, WINDOW_S = MADE["CLIENTS"], MADE["CAP"], MADE["WINDOW_S"]


def made(**changed):
    return MADE["run"](SimpleNamespace(**(MADE["GOOD"] | changed)))


@pytest.fixture
def endless():
    return made()["endless"]


@pytest.fixture
def without_cap():
    """The capped clients never gave up."""
    return made(capped=MADE["ENDLESS"])["endless"]


@pytest.fixture
def herds():
    return made()["herds"]


def words(axes):
    return [text.get_text() for text in axes.texts]


def test_polls_are_counted_by_client_and_the_capped_ones_stay_where_they_gave_up(endless):
    (axes,) = figures.requests_over_time(endless, CLIENTS, CAP).axes
    unbounded, capped = axes.lines[:2]
    assert [line.get_label() for line in (unbounded, capped)] == ["no cap", "at most 40 polls"]
    assert capped.get_ydata()[-1] == CAP
    assert unbounded.get_ydata()[-1] == len(endless.unbounded.polls) / CLIENTS > CAP
    assert capped.get_xdata()[-1] == unbounded.get_xdata()[-1] == endless.observed_s
    assert words(axes) == ["the capped clients\ngive up and say so"]


def test_who_never_gave_up_is_not_said_to_have(without_cap):
    assert words(figures.requests_over_time(without_cap, CLIENTS, CAP).axes[0]) == []


def test_each_burst_of_polls_stands_beside_the_idle_server():
    costs = made()["costs"]
    (axes,) = figures.cpu_per_poll(costs).axes
    mean, busy, idle = axes.lines
    np.testing.assert_allclose(mean.get_ydata(), 1.0)
    np.testing.assert_allclose(busy.get_ydata(), [0.95, 1.15] * 4)  # the idle server's 0.05 ms are still in it
    np.testing.assert_allclose(idle.get_ydata(), 0.05)
    assert axes.get_title(loc="left").startswith("Back to back, a poll costs the server 1.00 ms (0.87 to 1.13) of CPU")


def test_a_panel_a_policy_counts_its_polls(herds):
    figure = figures.arrivals(herds, WINDOW_S, 1.9)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title.partition(":")[0] for title in titles] == ["fixed", "exponential", "full-jitter", "retry-after"]
    assert titles[0] == "fixed: 160 polls, at most 40 at once"
    for axes, herd in zip(figure.axes, herds.values(), strict=True):
        assert sum(bar.get_height() for bar in axes.patches) == len(herd.polls)
        assert 1.9 in [line.get_xdata()[0] for line in axes.lines]


def test_the_policies_are_compared_in_the_order_given(herds):
    peaks, polls, delays = figures.policies(herds, WINDOW_S).axes
    np.testing.assert_allclose([bar.get_width() for bar in polls.patches], [len(h.polls) for h in herds.values()])
    np.testing.assert_allclose([bar.get_width() for bar in peaks.patches][:2], [40, 40])
    assert words(delays) == ["0.20"] * 4
    assert peaks.get_title() == "most polls in 100 ms"
    assert peaks.yaxis_inverted()


def test_both_clients_stand_side_by_side(endless, without_cap):
    text = tables.both_clients(endless, CLIENTS)
    assert "| ends by itself | never | after 3.2 s |" in text
    assert "| polls of a client | 60 | 40 |" in text
    assert "| polls after the cap | 80 | 0 |" in text
    assert "| ends by itself | never | never |" in tables.both_clients(without_cap, CLIENTS)


def test_a_row_a_policy(herds):
    header, _, *rows = tables.policies(herds, WINDOW_S).splitlines()
    assert "most polls in 100 ms" in header
    assert rows[0] == "| fixed | 40 | 160 | 0.20 s | 0.40 s |"
    assert [row.split(" | ")[0] for row in rows] == ["| fixed", "| exponential", "| full-jitter", "| retry-after"]
