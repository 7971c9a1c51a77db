import pytest

from labserver.heap.file.comparison import compare_heaps
from labserver.heap.file.strangers import compare_strangers


class Session:
    def __init__(self, number):
        self.number, self.data = number, bytes(500 + number % 7)


class Entry:
    def __init__(self, number):
        self.number, self.blob = number, bytes(400 + number % 7)


class Service:
    """Keeps every session, and of the entries the last 300."""

    def __init__(self, shop):
        shop.LEAK, shop.CACHE, shop.USERS = [], {}, {name: [] for name in ("a", "b", "c")}
        self.shop, self.number = shop, 0

    def work(self, jobs):
        shop = self.shop
        for _ in range(jobs):
            self.number += 1
            shop.LEAK.append(Session(self.number))
            shop.CACHE[self.number] = Entry(self.number)
            shop.USERS["abc"[self.number % 3]].append(Entry(self.number))
            if len(shop.CACHE) > 300:
                del shop.CACHE[next(iter(shop.CACHE))]


@pytest.fixture
def service(shop):
    service = Service(shop)
    service.work(400)
    return service


def named(found, path):
    return next(one for one in found if one.path == path)


def test_two_heaps_tell_what_came_went_and_stayed_by_holder_and_type(service, keep):
    first, _ = keep()
    service.work(90)
    service.shop.LEAK[:10] = []
    second, _ = keep()
    found = compare_heaps(first, second)
    leak = named(found.holders, "module shop → LEAK")
    assert leak.item_type == f"{__name__}.Session"
    assert leak.items == (400, 480)
    assert 80 <= leak.came <= 90  # what came may lie where what went had lain
    assert leak.came - leak.went == 80
    assert leak.kept is None
    assert leak.came_bytes >= leak.came * 500
    users = named(found.holders, "module shop → USERS → ['…']")
    assert users.items == (400, 490)
    assert 0 < users.came <= 90  # the cache lets go of entries, whose places these may have taken
    cache = named(found.holders, "module shop → CACHE")
    assert cache.items == (300, 300)
    assert not cache.grows
    sessions = next(one for one in found.types if one.type == f"{__name__}.Session")
    assert sessions.came - sessions.went == 80
    assert sessions.stayed + sessions.came == 480
    assert found.came + found.stayed == second.record.types.size
    assert found.went + found.stayed == first.record.types.size
    assert {one.path for one in found.holders if one.grows} >= {leak.path, users.path}


def test_three_heaps_find_the_leak_and_stay_quiet_on_the_cache(service, keep):
    heaps = []
    for _ in range(3):
        heaps.append(keep()[0])
        service.work(90)
    found = compare_heaps(*heaps)
    kept = {one.path: one for one in found.holders if one.keeps and one.grows_on}
    assert set(kept) == {"module shop → LEAK", "module shop → USERS → ['…']"}
    leak = kept["module shop → LEAK"]
    assert (leak.came, leak.kept, leak.items) == (90, 90, (400, 490, 580))
    assert leak.kept_bytes == leak.came_bytes


def test_what_was_let_go_of_again_is_not_kept(service, keep):
    first, _ = keep()
    service.work(90)
    second, _ = keep()
    del service.shop.LEAK[400:]
    service.shop.USERS.clear()
    third, _ = keep()
    found = compare_heaps(first, second, third)
    assert not [one.path for one in found.holders if one.keeps and "shop" in one.path]


def test_a_heap_compared_with_itself_has_no_difference(service, keep):
    heap, _ = keep()
    assert service
    found = compare_heaps(heap, heap)
    assert (found.came, found.went, found.holders, found.types) == (0, 0, (), ())
    assert compare_strangers(heap, heap) == []


def test_heaps_of_two_processes_are_compared_by_path(service, keep):
    first, _ = keep()
    service.work(2_000)
    second, _ = keep()
    changes = compare_strangers(first, second)
    leak = next(one for one in changes if one.path.startswith("module shop → LEAK"))
    assert leak.path.endswith("Session")
    assert (leak.old_count, leak.new_count) == (400, 2_400)
    assert leak.more_bytes >= 2_000 * 500
    # The list itself changes by little more: the end of the chain says it all.
    assert not any(one.path == "module shop → LEAK: list" for one in changes)
