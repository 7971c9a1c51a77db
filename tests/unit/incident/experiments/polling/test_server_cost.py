import numpy as np
import pytest

from labserver.incident.experiments.polling import server_cost
from labserver.incident.experiments.polling.server_cost import Bursts, poll_in_bursts

OFF = np.tile([-1e-3, 1e-3], 4)


def test_a_poll_costs_what_is_used_beyond_idling():
    cost = Bursts(100, 0.14 + OFF, np.full(8, 0.03)).cpu_s_per_poll()
    assert cost.low < 0.0011 < cost.high
    assert cost.estimate == pytest.approx(0.0011)
    assert cost.confidence == 0.99


def test_polls_that_cost_no_more_than_idling_are_not_told_from_nothing():
    assert 0 in Bursts(100, 0.03 + OFF, np.full(8, 0.03)).cpu_s_per_poll()


class Machine:
    """Time that passes for who polls or sleeps, and nothing else; it stands in for `time` and for the client."""

    POLL_S, CPU_OF_POLL_S, IDLING = 0.5, 0.001, 0.01

    def __init__(self):
        self.now = self.cpu = 0.0
        self.sent = []

    def monotonic(self):
        return self.now

    def process_time(self):
        return self.cpu

    def sleep(self, seconds):
        self.now += seconds
        self.cpu += self.IDLING * seconds

    def run(self, *, iterations):
        self.sent.append(iterations)
        self.sleep(iterations * self.POLL_S)
        self.cpu += iterations * self.CPU_OF_POLL_S

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_after_each_burst_the_idle_server_is_measured_for_as_long(monkeypatch):
    machine, asked = Machine(), []
    monkeypatch.setattr(server_cost, "time", machine)
    monkeypatch.setattr(server_cost, "virtual_users", lambda *_, requests: asked.extend(requests) or machine)
    cost = poll_in_bursts(polls=10, bursts=3, seed=0)
    assert [request.rpartition("/")[0] for request in asked] == ["GET /api/images/status"]
    assert machine.sent == [10] * 4  # the first of them fills caches
    np.testing.assert_allclose(cost.idle_s, [0.05] * 3)
    np.testing.assert_allclose(cost.busy_s, [0.06] * 3)
    assert cost.cpu_s_per_poll().estimate == pytest.approx(machine.CPU_OF_POLL_S)
