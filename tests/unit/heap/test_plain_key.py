"""Which keys of a dictionary somebody has written, so that they are the same in every run."""

from collections import OrderedDict

import pytest

from labserver.heap.edges import plain_key

CHILD = object()
WRITTEN = ["", "session", "default", "django.cache", "user-agent", "GET /work", "utf8", "shard_3", "image/png", "a:b"]
BY_CHANCE = [
    "job 1234",
    "3f2a9c",
    "d41d8cd98f00b204e9800998ecf8427e",
    "550e8400-e29b-41d4-a716-446655440000",
    "a1b2c3d4",
    "0x7f12",
    "12:30:15",
    "2024-01-02",
    "7",
    "x" * 30,
    "many words " * 9,
    "naïve",
    "it's",
    "two\nlines",
]


@pytest.mark.parametrize("key", WRITTEN)
@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_words_are_told_as_code_writes_them(key, kind):
    assert plain_key(kind({key: CHILD, "other": None}), CHILD) == repr(key)


@pytest.mark.parametrize("key", BY_CHANCE)
def test_numbers_and_what_is_drawn_by_chance_is_not(key):
    assert plain_key({key: CHILD}, CHILD) is None


class Key(str):
    __slots__ = ()

    def __eq__(self, other):
        raise AssertionError("compared")

    def __hash__(self):
        return str.__hash__(self)

    def __repr__(self):
        raise AssertionError("asked")


@pytest.mark.parametrize("key", [1, None, ("a", "b"), b"session", Key("session")], ids=lambda key: type(key).__name__)
def test_a_key_that_is_no_plain_text_is_not_told(key):
    assert plain_key({key: CHILD}, CHILD) is None


def test_what_stands_under_two_keys_has_none():
    assert plain_key({"a": CHILD, "b": CHILD}, CHILD) is None


def test_nothing_else_has_keys():
    assert plain_key([CHILD], CHILD) is None
    assert plain_key({"other": None}, CHILD) is None


def test_among_very_many_keys_none_was_written():
    assert plain_key({"session": CHILD} | dict.fromkeys(range(20_000)), CHILD) is None
