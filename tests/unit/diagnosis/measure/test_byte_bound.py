"""Bounds in bytes: when they are reached, and when an account is of something else than what is kept."""

import pytest

from labserver.diagnosis.measure.byte_bound import ByteBound


@pytest.mark.parametrize(
    ("bound", "item_bytes", "entries"),
    [
        (ByteBound(3_000_000, 400_000, 400), 1100.0, 3000),  # a thousand each, by its own account
        (ByteBound(60_000, 8_000, 400), 230.0, 3000),  # small ones, whose overhead nobody counts
        (ByteBound(3_000_000, None, 400), 1000.0, 3000),  # by what they hold, where nobody keeps an account
        (ByteBound(1_000_000, 4_000, 4), 400_512.0, 10),  # there it is seen to be none
    ],
)
def test_the_entries_at_which_it_is_reached(bound, item_bytes, entries):
    assert bound.at(item_bytes) == entries


@pytest.mark.parametrize(
    ("bound", "item_bytes", "misses"),
    [
        (ByteBound(1_000_000, 400_000, 400), 400_000.0, True),  # views of large buffers
        (ByteBound(1_000_000, 4_000, 4), 400_000.0, False),  # not yet
        (ByteBound(1_000_000, 1_000_000, 50_000), 230.0, False),  # 20 B each, beside 210 of overhead
        (ByteBound(4_000_000, 4_000_000, 4_000), 4_100.0, False),  # text outside of Latin
        (ByteBound(1_000_000, None, 1_000), 10_000.0, True),
    ],
)
def test_an_account_that_misses_what_the_entries_hold(bound, item_bytes, misses):
    assert bound.is_missed(item_bytes) == misses


@pytest.mark.parametrize(
    ("later", "follows"),
    [
        (ByteBound(10**6, 600_000, 600), True),
        (ByteBound(10**6, 420_000, 600), False),  # it has not counted the last two hundred
        (ByteBound(10**6, 0, 600), False),  # of a window of time
        (ByteBound(10**6, 100_000, 100), True),  # it has let go of some
        (ByteBound(10**6, None, 600), True),
    ],
)
def test_an_account_follows_what_is_kept(later, follows):
    assert ByteBound(10**6, 400_000, 400).is_followed_by(later) == follows
