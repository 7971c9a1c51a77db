"""What the holders kept at each count."""

from dataclasses import replace

import pytest

from labserver.diagnosis.measure.histories import Histories
from labserver.heap.chain import Chain
from labserver.heap.wire import HeapGrowth, HolderGrowth, Removal

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


def gains(*looks):
    histories = Histories(float("inf"), {})
    for number, holders in enumerate(looks):
        histories.add(100 * (number + 1), HeapGrowth(holders=holders, bytes=0), collecting=True)
    return histories.gains()


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
