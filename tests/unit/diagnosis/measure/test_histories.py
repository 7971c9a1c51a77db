"""What the holders kept at each count."""

from dataclasses import replace

import pytest

from labserver.diagnosis.measure.histories import Histories
from labserver.diagnosis.sentences import sentence
from labserver.heap.chain import Chain
from labserver.heap.heap_growth import HeapGrowth, HolderGrowth, Removal

HOLDER = HolderGrowth(
    path="module shop → STORES → […] → ['…']",
    holder="module shop → STORES",
    holder_type="list",
    buffer_type="bytes",
    buffers=100,
    growth_bytes=100_000,
    retained_bytes=100_000,
    chain=Chain(()),
    fingerprint="0",
    removal=Removal(seen=True),
)


def histories_of(*looks, most_bytes=float("inf")):
    histories = Histories(most_bytes, {})
    for number, holders in enumerate(looks):
        histories.add(100 * (number + 1), HeapGrowth(holders=holders, bytes=0), collecting=True)
    return histories


def gains(*looks):
    return histories_of(*looks).gains()


@pytest.mark.parametrize("order", [1, -1])
def test_two_holders_that_go_by_one_name_count_together(order):
    one, other = replace(HOLDER, length=150), replace(HOLDER, buffers=40, growth_bytes=20_000, length=50)
    looks = [(one, other)[::order], (replace(one, buffers=200, growth_bytes=200_000), other)[::order]]
    (gain,) = gains(*looks)
    assert gain.counts == (140, 240)
    assert gain.gained_bytes == pytest.approx(220_000)
    assert gain.length == 200


@pytest.mark.parametrize(
    ("bounds", "bound"), [((1000, 500), 1500), ((1000, None), None), ((None, 1000), None), ((None, None), None)]
)
def test_what_two_declare_together_bounds_both_only_where_each_declares_it(bounds, bound):
    (gain,) = gains(tuple(replace(HOLDER, bound=one) for one in bounds))
    assert gain.bound == bound


def test_what_takes_something_out_of_either_is_told_of_both():
    swept = Removal(seen=False, by="Store.sweep (shop.py:9)", runs=True)
    (gain,) = gains((HOLDER, replace(HOLDER, removal=swept)))
    assert gain.removal == swept
    (gain,) = gains((HOLDER, replace(HOLDER, removal=None)))
    assert gain.removal is None


def test_cohorts_are_remembered_by_name_so_that_they_count_once():
    (gain,) = gains((replace(HOLDER, cohorts=(0, 140)), replace(HOLDER, buffers=40, cohorts=(0, 140))))
    assert gain.looks == ((0, 140),)


EVICTS = Removal(seen=True, by="Cache.put (shop.py:7)")


def in_bytes(each, item_bytes, *, most=3_000_000, removal=EVICTS):
    """Two looks at a cache that counts so many bytes of each of its items; None where it keeps no account."""
    for items in (200, 400):
        thinks = None if each is None else each * items
        yield (
            replace(
                HOLDER,
                buffers=items,
                growth_bytes=item_bytes * items,
                length=items,
                removal=removal,
                bound_bytes=most,
                thinks_bytes=thinks,
            ),
        )


@pytest.mark.parametrize("each", [1000, None])
def test_a_cache_that_counts_its_bytes_fills_up_to_so_many(each):
    histories = histories_of(*in_bytes(each, 1000))
    (gain,) = histories.gains()
    assert (gain.bound, gain.is_filling) == (3000, True)
    assert histories.in_bytes == {HOLDER.path: (3_000_000, 3000)}
    assert histories.no_bounds == {}


@pytest.mark.parametrize("each", [4_096, 0, 64])
def test_a_bound_whose_account_misses_what_the_entries_hold_is_none(each):
    histories = histories_of(*in_bytes(each, 4_000_000))
    (gain,) = histories.gains()
    assert gain.bound is None
    said = sentence(histories.no_bounds[HOLDER.path])
    assert "keeps 1.5 GiB" in said
    assert said.endswith("the account misses what the entries hold, so that the bound is none.")


def test_a_bound_in_bytes_that_memory_cannot_hold_is_none():
    histories = histories_of(*in_bytes(1000, 1000, most=2_000_000_000_000), most_bytes=1e9)
    (gain,) = histories.gains()
    assert gain.bound is None
    assert "more than the service may take" in sentence(histories.no_bounds[HOLDER.path])


def test_a_name_is_no_bound_in_bytes_where_nothing_lets_go_of_anything():
    (gain,) = gains(*in_bytes(None, 1000, removal=Removal(seen=True)))
    assert gain.bound is None


def test_an_account_that_stands_still_is_of_something_else():
    first, last = in_bytes(1000, 1000)
    (gain,) = gains(first, (replace(last[0], thinks_bytes=200_000),))
    assert gain.bound is None


def test_the_lesser_of_two_bounds_counts():
    first, last = in_bytes(1000, 1000)
    (gain,) = gains(first, (replace(last[0], bound=900),))
    assert gain.bound == 900
    (gain,) = gains(first, (replace(last[0], bound=90_000),))
    assert gain.bound == 3000


def full(*sizes, length=100, items=1):
    """A holder that has had as many entries as it declares for long, of which each look finds larger ones."""
    holder = replace(HOLDER, bound=100, length=length)
    return [(replace(holder, buffers=1, items=items, growth_bytes=size),) for size in sizes]


@pytest.mark.parametrize("items", [0, 1, 3])
def test_what_grows_in_a_full_ring_is_not_what_its_bound_is_of(items):
    histories = histories_of(*full(200_000, 400_000, items=items), most_bytes=1e6)
    (gain,) = histories.gains()
    assert (gain.bound, gain.is_filling) == (None, False)
    assert histories.no_bounds == {}


def test_a_ring_that_was_filled_since_the_first_look_may_be_full_by_now():
    first, last = full(50_000, 100_000)
    (gain,) = gains((replace(first[0], length=50),), last)
    assert gain.bound == 100
