import sys
import types

import pytest

from labserver.diagnosis.holders import buffer_addresses, find_holders
from labserver.heap.graph import heap_graph
from labserver.heap.tracemalloc_tools import tracing


class JobResult:
    __slots__ = ("image",)

    def __init__(self, image):
        self.image = image


@pytest.fixture
def shop():
    module = types.ModuleType("shop")
    module.STORE, module.CACHE = {}, []
    sys.modules["shop"] = module
    yield module
    del sys.modules["shop"]


def render(size):
    return bytes(size)


def baseline():
    with heap_graph() as graph:
        return buffer_addresses(graph)


def holders(known):
    with heap_graph() as graph:
        return find_holders(graph, baseline=known)


def test_new_buffers_are_grouped_by_holder_the_largest_first(shop):
    shop.STORE["old"] = JobResult(render(500_000))
    known = baseline()
    shop.STORE.update({str(n): JobResult(render(100_000)) for n in range(40)})
    shop.CACHE.extend(render(10_000) for _ in range(5))
    store, cache = holders(known)
    assert store.path == "module shop → STORE → ['…'] → JobResult.image → bytes"
    assert store.holder == "module shop → STORE → dict"
    assert (store.holder_type, store.buffer_type, store.buffers) == ("dict", "bytes", 40)
    assert store.buffer_bytes == pytest.approx(4_000_000, rel=0.001)
    # What was there before is retained by the holder too, and it is what would be freed.
    assert store.retained_bytes == pytest.approx(4_500_000, rel=0.005)
    assert (cache.holder, cache.buffers) == ("module shop → CACHE → list", 5)


def test_what_was_there_before_is_quiet(shop):
    shop.STORE["old"] = render(500_000)
    assert holders(baseline()) == []


def test_garbage_is_quiet(shop):
    known = baseline()
    for _ in range(20):
        shop.CACHE.append(render(50_000))
    shop.CACHE.clear()
    assert holders(known) == []


def test_small_buffers_are_below_interest(shop):
    known = baseline()
    shop.CACHE.extend(render(500) for _ in range(50))
    assert holders(known) == []


def test_a_single_buffers_holder_is_what_refers_to_it(shop):
    known = baseline()
    shop.STORE["only"] = JobResult(render(200_000))
    (found,) = holders(known)
    assert found.holder == "module shop → STORE → ['…'] → JobResult"


def test_the_allocation_stack_comes_with_the_holder(shop):
    known = baseline()
    with tracing(10):
        shop.CACHE.extend(render(100_000) for _ in range(3))
        (found,) = holders(known)
    assert found.allocated_at[0].function == "render"
