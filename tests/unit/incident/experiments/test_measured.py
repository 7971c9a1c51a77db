"""What a cell of the notebooks may give back is something to look at."""

import dataclasses
import importlib
import pkgutil

import numpy as np
import pytest

from labserver.incident import experiments
from labserver.incident.experiments.leak.run import Experiment
from labserver.incident.experiments.measured import Measured, in_words
from labserver.stats.interval import Interval


def measurements():
    """Every dataclass of the experiments; an experiment that runs, or a load, is none that is looked at."""
    found = set()
    for module in pkgutil.walk_packages(experiments.__path__, experiments.__name__ + "."):
        for value in vars(importlib.import_module(module.name)).values():
            own = isinstance(value, type) and value.__module__.startswith(experiments.__name__)
            if own and dataclasses.is_dataclass(value) and not value.__name__.startswith("_"):
                found.add(value)
    return sorted(found, key=lambda cls: cls.__name__)


RUNNING = {Experiment.__name__, "RunningLoad", "Backend"}


@pytest.mark.parametrize("cls", measurements(), ids=lambda cls: cls.__name__)
def test_every_measurement_has_a_table_of_its_own(cls):
    assert issubclass(cls, Measured) or cls.__name__ in RUNNING


@dataclasses.dataclass(frozen=True, slots=True)
class Queue(Measured):
    jobs: int
    waited_s: float
    sizes: np.ndarray
    slowest_s: float | None
    by_store: dict
    growth: Interval
    looks: list

    @property
    def share(self):
        return np.float64(0.25)


def test_its_table_has_the_fields_and_what_they_say_with_plain_numbers():
    growth = Interval(np.float64(5.0), 4.0, 6.0, 0.99)
    queue = Queue(3, np.float64(1.23456), np.array([1.0, 4.0]), None, {"<ttl>": 1, "leaky": 2}, growth, [1.5] * 9)
    html = queue._repr_html_()
    rows = dict(pair.split("</th>", 1) for pair in html.split('<th scope="row" style="')[1:])
    said = {name.split(">")[1]: cell.split(">")[1].split("<")[0] for name, cell in rows.items()}
    assert said == {
        "jobs": "3",
        "waited_s": "1.235",
        "sizes": "2 numbers, 1 to 4",
        "slowest_s": "—",
        "by_store": "&lt;ttl&gt;, leaky",
        "growth": "5 B/job (4 to 6, 99 %)",
        "looks": "9 × float",
        "share": "0.25",
    }
    assert "np." not in html


def test_a_sequence_of_few_values_is_shown():
    assert in_words((200, 410)) == "200, 410"
    assert in_words([]) == "none"
    assert in_words(np.array([])) == "0 numbers"
