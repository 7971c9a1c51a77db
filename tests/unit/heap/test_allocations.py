import io
import tracemalloc
from pathlib import Path

import pytest

import labserver
from labserver.heap.allocations import Allocations
from labserver.heap.tracemalloc_tools import tracing

PACKAGE = Path(labserver.__file__).parent


def leaf(size):
    return bytes(size)


def upload():
    return leaf(50_000)


def preview():
    return leaf(20_000)


def shown(allocations, most=10):
    sites = [site for site in allocations.largest(most) if site.bytes > 10_000]
    return [(site.frames[1].function, site.blocks) for site in sites]


def test_what_is_there_is_told_by_whole_stacks():
    with tracing(25):
        kept = [upload(), preview(), preview(), upload(), upload()]
        now = Allocations.now()
    assert shown(now) == [("upload", 3), ("preview", 2)]
    assert now.largest(1)[0].bytes == pytest.approx(3 * 50_000, abs=200)
    assert len(kept) == 5


def test_since_a_mark_only_growth_is_told():
    """A cache that is full replaces its entries; they are new, and no growth."""
    mark = io.BytesIO()
    with tracing(25):
        cache, kept = {}, []
        for job in range(8):
            if job == 4:
                Allocations.now().mark(mark)
            if job >= 2:
                kept.append(upload())
            cache[job % 4] = preview()
        mark.seek(0)
        grown = Allocations.now().since(mark)
    assert shown(grown) == [("upload", 4)]
    assert grown.largest(1)[0].bytes == pytest.approx(4 * 50_000, abs=200)
    assert len(kept) == 6
    assert all(size > 0 for size, _ in grown.totals.values())


def test_the_last_one_ends_the_tracing():
    with tracing(25):
        kept = upload()
        assert shown(Allocations.now()) == [("upload", 1)]
        assert tracemalloc.is_tracing()
        assert shown(Allocations.now(last=True)) == [("upload", 1)]
        assert not tracemalloc.is_tracing()
    assert len(kept) == 50_000


def test_without_tracing_there_is_nothing_and_a_mark_of_it_hides_nothing():
    mark = io.BytesIO()
    Allocations.now().mark(mark)
    with tracing(25):
        kept = upload()
        mark.seek(0)
        assert shown(Allocations.now().since(mark)) == [("upload", 1)]
    assert len(kept) == 50_000


@pytest.mark.parametrize(("file", "sites"), [("targets/host_waitress.py", 1), ("heap/agent.py", 0)])
def test_what_called_this_package_is_no_part_of_a_stack(file, sites):
    """Stacks that differ in that alone are one; and what the package has allocated for itself is nobody's growth."""
    stack = (("/srv/shop.py", 3), ("/srv/shop.py", 9), (str(PACKAGE / file), 50))
    totals = {(*stack, ("/usr/server.py", line)): (1000 * line, line) for line in (1, 2)}
    found = Allocations(totals).largest(10)
    assert [(len(site.frames), site.bytes, site.blocks) for site in found] == [(2, 3000, 3)] * sites
