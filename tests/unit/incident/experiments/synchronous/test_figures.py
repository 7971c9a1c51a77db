"""What the figures say, read from what they draw."""

import numpy as np
import pytest

from labserver.incident.experiments.synchronous import figures
from labserver.incident.experiments.synchronous.measurements import Backlog, Impatience, Level, Overload
from labserver.incident.experiments.synchronous.run import Conditions
from labserver.load.traffic_record import Job, TrafficRecord

CONDITIONS = Conditions(pool=4, inference_s=0.2, measure_s=1.0, probe_interval_s=0.1, poll_interval_s=0.1)
TIMES = np.array([0.0, 1.0, 2.0])


def level(users, throughput):
    return Level(users, throughput, users / throughput, np.full(5, 0.01 * users))


def texts(figure):
    return " | ".join(text.get_text() for text in figure.findobj(lambda item: hasattr(item, "get_text")))


def test_the_prediction_bends_at_the_pool():
    figure = figures.load_levels([level(2, 10.0), level(4, 19.0), level(16, 19.5)], CONDITIONS)
    predicted, measured = figure.axes[0].lines[:2]
    np.testing.assert_allclose(predicted.get_data(), ([2, 4, 16], [10, 20, 20]))
    np.testing.assert_allclose(measured.get_ydata(), [10.0, 19.0, 19.5])
    assert "4 threads" in texts(figure)
    assert "threads" not in texts(figures.load_levels([level(8, 19.0), level(16, 19.0)], CONDITIONS))


def test_the_waste_is_named():
    figure = figures.timeouts(Impatience(answered=5, timed_out=45, inferences=20), 0.4)
    assert "75 % of the model's was for clients that had gone" in texts(figure)
    assert "given up after 0.4 s" in texts(figure)


def test_the_backlog_stands_beside_its_prediction():
    figure = figures.backlog(Backlog(TIMES, 4 + 11 * TIMES, 11.0, 10.0, 4.0), 30.0)
    measured, predicted = figure.axes[0].lines
    np.testing.assert_allclose(predicted.get_ydata(), [4, 14, 24])
    np.testing.assert_allclose(measured.get_ydata(), [4, 15, 26])
    assert "30 arrivals a second, of which 20 can be served" in texts(figure)


def test_before_and_after_and_the_queue_are_drawn():
    assert "16 users" in texts(figures.before_and_after(level(16, 19.0), level(16, 20.0), ("before", "after")))
    backlog = Backlog(TIMES, 10 * TIMES, 10.0, 10.0, 0.0)
    refused = TrafficRecord(0.0, 2.0, (Job(0.0, 0.1, False, 503, None, "1"), Job(0.0, 0.5, True, 202, None, None)), ())
    met = Overload(backlog, 10 * TIMES * 2**20, refused)
    figure = figures.queue(met, met, 8)
    assert figure.axes[0].lines[1].get_ydata()[-1] == pytest.approx(20)
    assert "at most 8 waiting: 50 % refused" in texts(figure)
