"""Every way to hold an object, planted in one process and looked for in one heap graph."""

import gc

import pytest
from looking import look
from planting import KINDS, Plant

from labserver.heap.graph import heap_graph

VISIBLE = [name for name, kind in KINDS.items() if kind.paths]
HIDDEN = [name for name, kind in KINDS.items() if kind.reason]


@pytest.fixture(scope="module")
def seen():
    plants = []
    collecting = gc.isenabled()
    gc.disable()  # one of the kinds is garbage
    try:
        for kind in KINDS.values():
            plants.append(Plant(kind.name))
            kind.plant(plants[-1])
        with heap_graph() as graph:
            found = look(graph, plants)
        return found, {plant.name: (len(plant.bytes_of), plant.total) for plant in plants}
    finally:
        for plant in reversed(plants):
            plant.leaving.close()
        if collecting:
            gc.enable()


@pytest.mark.parametrize("name", VISIBLE)
def test_it_is_reached_named_and_sized(seen, name):
    found, (count, size) = seen[0][name], seen[1][name]
    assert found.found == count
    assert found.path in KINDS[name].paths
    assert found.retained == pytest.approx(size, rel=0.03)


@pytest.mark.parametrize("name", HIDDEN)
def test_it_has_no_holder(seen, name):
    assert seen[0][name].found == 0, KINDS[name].reason


def test_the_table_is_as_long_as_it_says():
    assert len(VISIBLE) >= 66
