from collections import OrderedDict, deque

import pytest

from labserver.heap.is_a import bases_of


class Store(OrderedDict):
    pass


class Recent(Store):
    pass


class Liar(type):
    __mro__ = __name__ = __module__ = property(lambda _: pytest.fail("the application's own code ran"))

    def mro(cls):
        return [cls, object]


HERE = __name__


@pytest.mark.parametrize(
    ("cls", "bases"),
    [
        (dict, ()),
        (type, ()),
        (deque, ("collections.deque",)),
        (OrderedDict, ("collections.OrderedDict", "builtins.dict")),
        (Recent, (f"{HERE}.Recent", f"{HERE}.Store", "collections.OrderedDict", "builtins.dict")),
    ],
)
def test_a_class_is_told_with_those_that_it_derives_from(cls, bases):
    assert bases_of(cls) == bases


def test_no_code_of_a_class_says_what_it_derives_from():
    lying = Liar("Lying", (), {})
    assert [name.rpartition(".")[2] for name in bases_of(lying)] == ["Lying"]


def test_a_class_in_the_making_has_itself_alone():
    seen = []

    class Making(type):
        def mro(cls):
            seen.append(bases_of(cls))
            return super().mro()

    Making("Made", (), {})
    assert [name.rpartition(".")[2] for (name,) in seen] == ["Made"]
