import functools
from collections import OrderedDict, defaultdict, namedtuple

import pytest

Point = namedtuple("Point", "left right")  # noqa: PYI024 - what an older application has


class Image(bytes):
    """What is looked for."""


class Open:
    """Attributes that come in any order, and not all of them."""


class Slim:
    __slots__ = ("first", "second")

    def __init__(self, first, second):
        self.first, self.second = first, second


def paths(keep):
    heap, _ = keep()
    return {row["path"] for row in heap.paths("Image")}


def test_each_place_of_alike_objects_has_its_own_name(shop, keep):
    shop.SLIM = [Slim(Image(), None) for _ in range(9)] + [Slim(None, Image()) for _ in range(9)]
    found = paths(keep)
    assert "module shop → SLIM → […] → Slim.first → Image" in found
    assert "module shop → SLIM → […] → Slim.second → Image" in found


def test_attributes_that_came_in_another_order_are_not_confused(shop, keep):
    def made(*names):
        obj = Open()
        for name in names:
            setattr(obj, name, Image() if name == "third" else 1)
        return obj

    shop.ONE = [made("first", "second", "third") for _ in range(5)]
    shop.TWO = [made("third", "first", "second") for _ in range(5)]
    shop.ALSO = [(obj, obj.third, obj.first, obj.second) for obj in shop.ONE[:1]]
    found = paths(keep)
    assert "module shop → ONE → […] → Open.third → Image" in found
    assert "module shop → TWO → […] → Open.third → Image" in found


@pytest.mark.parametrize(
    ("held", "path"),
    [
        (lambda: {1: Image(), 2: 3}, "['…']"),
        (lambda: {Image(b"a"): 3, 2: 4}, "{key}"),
        (lambda: {str(at): Image() for at in range(99)}, "['…']"),
        (lambda: {Image(b"%d" % at): at for at in range(99)}, "{key}"),
        (lambda: [Image()], "[…]"),
        (lambda: {Image()}, "{…}"),
        (lambda: (Image(),), "[…]"),
        (lambda: Point(1, Image()), "Point.right"),
        (lambda: defaultdict(list, a=Image()), "['…']"),
        (lambda: OrderedDict(a=Image()), "['…']"),
        (lambda: functools.partial(print, end=Image()), "partial.keywords → ['…']"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_containers_of_each_kind(shop, keep, held, path):
    shop.HELD = held()
    assert f"module shop → HELD → {path} → Image" in paths(keep)


def test_what_a_suspended_function_holds_is_named_by_its_own_code(shop, keep):
    def first():
        image, other = Image(), 1
        yield image, other

    def second():
        picture, count = Image(), 1
        yield picture, count

    shop.RUNNING = [first(), second()]
    for one in shop.RUNNING:
        next(one)
    found = paths(keep)
    assert {path.rpartition(" → ")[0].rpartition(" → ")[2] for path in found if "RUNNING" in path} == {
        "local image (first)",
        "local picture (second)",
    }
