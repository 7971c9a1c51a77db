import resource

import pytest

from labserver.heap import memory_limits
from labserver.heap.memory_limits import fullness, nearest_limit
from labserver.heap.wire import LimitKind, MemoryLimit

NONE = resource.RLIM_INFINITY


@pytest.fixture
def limits(monkeypatch):
    """Control groups, and soft limits of the process."""

    def install(*groups, address_space=NONE, data=NONE):
        monkeypatch.setattr(memory_limits, "control_groups", lambda: iter(groups))
        known = {resource.RLIMIT_AS: (address_space, NONE), resource.RLIMIT_DATA: (data, NONE)}
        monkeypatch.setattr(memory_limits.resource, "getrlimit", known.__getitem__)

    return install


def test_the_control_group_with_the_least_left_comes_first(limits):
    limits(("/outer", 10_000, 1_000), ("/outer/inner", 9_000, 3_000))
    assert nearest_limit() == MemoryLimit(LimitKind.GROUP, 9_000, 3_000)


def test_a_limit_of_the_process_itself_may_be_nearer(limits):
    limits(("/", 1 << 50, 0), address_space=1 << 45)
    found = nearest_limit()
    assert (found.kind, found.limit_bytes) == (LimitKind.ADDRESS_SPACE, 1 << 45)
    assert found.used_bytes > 1 << 20
    limits(data=1 << 40)
    assert nearest_limit().kind is LimitKind.DATA


def test_where_nothing_limits_it_the_machine_does(limits):
    limits()
    found = nearest_limit()
    assert found.kind is LimitKind.MACHINE
    assert 0 < found.used_bytes < found.limit_bytes


def test_the_fullest_limit_tells_how_much_is_taken_and_the_machine_is_none(limits):
    limits(("/outer", 10_000, 1_000), ("/outer/inner", 4_000, 3_000), ("/outer/none", 0, 0))
    assert fullness() == 0.75
    limits(("/", 1 << 50, 0), data=1 << 45)
    assert 0 < fullness() < 0.75
    limits()
    assert fullness() is None


def test_it_travels_as_it_is(limits):
    limits(("/", 100, 120))
    told = MemoryLimit.from_json(nearest_limit().to_json())
    assert told == MemoryLimit(LimitKind.GROUP, 100, 120)
    assert told.left_bytes == 0
