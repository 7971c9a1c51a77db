import gc
import itertools
import tracemalloc
from collections import defaultdict

import numpy as np
import pytest

from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.snapshot import allocated, allocated_for, snapshot_of
from labserver.heap.graph import heap_graph
from labserver.heap.layout import instances

COUNT, WARM_UP, SPARE = 100, 40, 100
ONCE = 400  # bytes that an interpreter may allocate once, on the way; a word too few in each instance were more
MOST = 40
NAMES = [f"name_{number}" for number in range(MOST)]
VALUE = {}
PLANTED = []


def with_attributes(cls, count):
    instance = cls()
    for name in NAMES[:count]:
        setattr(instance, name, VALUE)
    return instance


def with_a_dictionary(cls, count):
    instance = with_attributes(cls, count)
    assert len(vars(instance)) == count
    return instance


def with_one_more(cls, count):
    instance = with_a_dictionary(cls, count)
    instance.one_more = VALUE
    return instance


def with_one_less(cls, count):
    instance = with_attributes(cls, count)
    if count:
        delattr(instance, NAMES[0])
    return instance


def with_another_dictionary(cls, count):
    instance = with_attributes(cls, count)
    instance.__dict__ = dict(vars(instance))
    return instance


def plain():
    return type("Job", (), {})


def derived():
    return type("Job", (plain(),), {})


def with_slots():
    return type("Job", (), {"__slots__": ("first", "second", "__dict__")})


def with_slots_below():
    return type("Job", (type("Base", (), {"__slots__": ("first",)}),), {})


def error():
    return type("Job", (ValueError,), {})


def registry():
    return type("Job", (dict,), {})


KINDS = [plain, derived, with_slots, with_slots_below, error, registry]
WAYS = [with_attributes, with_a_dictionary, with_one_more, with_one_less, with_another_dictionary]


def traced_bytes(make, cls, count, kept):
    """What the allocators gave for some instances, each block rounded up as they do."""
    # The first instances have places ahead. They stay, and take with some more what the interpreter has for reuse.
    PLANTED.append([make(cls, count) for _ in range(WARM_UP)] + [{NAMES[0]: VALUE} for _ in range(SPARE)])
    tracemalloc.start()
    for number in range(COUNT):
        kept[number] = make(cls, count)
    traces = tracemalloc.take_snapshot().traces
    tracemalloc.stop()
    own = [trace.size for trace in traces if trace.traceback[0].filename == __file__]
    return int(allocated(np.array(own)).sum())


def parts(instance):
    """An instance and its dictionary, as addresses."""
    own = [held for held in gc.get_referents(instance) if type(held) is dict and held is not VALUE]
    return [id(instance), *map(id, own)]


@pytest.fixture(scope="module")
def weights():
    """For each way and kind: per number of attributes what was traced, and what is said."""
    planted = []
    PLANTED[:] = [planted]
    for way, kind in itertools.product(WAYS, KINDS):
        for count in range(MOST + 1):
            kept = [None] * COUNT
            planted.append((way, kind, traced_bytes(way, kind(), count, kept), kept))
    found = defaultdict(list)
    with heap_graph() as graph:
        said = allocated_for(graph)
        order = np.argsort(graph.addresses)
        for way, kind, traced, kept in planted:
            addresses = [address for instance in kept for address in parts(instance)]
            nodes = order[np.searchsorted(graph.addresses, addresses, sorter=order)]
            found[way, kind].append((traced, int(said[nodes].sum())))
    PLANTED.clear()
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_instances_weigh_what_the_allocators_gave_for_them(weights, way, kind):
    traced, said = np.array(weights[way, kind]).T
    assert said == pytest.approx(traced, rel=0.03, abs=ONCE)


def growth_by_instances(shop):
    shop.Job = plain()
    gc.collect()
    with heap_graph() as graph:
        before = snapshot_of(graph)
    shop.KEPT = [with_attributes(shop.Job, 3) for _ in range(5000)]
    with heap_graph() as graph:
        return find_growth(graph, before)


def notes_on_attributes(growth):
    return [note for note in growth.notes if "keeps attributes is not known" in note]


def test_kept_instances_are_all_of_what_has_come(shop):
    growth = growth_by_instances(shop)
    assert growth.holders[0].growth_bytes == pytest.approx(growth.bytes, rel=0.03)
    assert not notes_on_attributes(growth)


def test_where_attributes_are_kept_otherwise_a_note_says_that_they_do_not_count(shop, monkeypatch):
    monkeypatch.setattr(instances, "is_known", lambda: False)
    growth = growth_by_instances(shop)
    assert notes_on_attributes(growth)
