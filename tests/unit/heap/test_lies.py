"""Objects that lie about themselves, everywhere in a heap: none of their code runs, and what they hold is found."""

import ctypes
import functools
import gc
import io
import mmap
import pickle
import sys
import threading
import types
import unittest.mock
import weakref
from collections import OrderedDict, deque
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
import wrapt
from werkzeug.local import LocalProxy

from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.heap import kinds
from labserver.heap.analyst import is_analyst_module, is_analyst_thread, loaded_modules
from labserver.heap.chains import chain_of
from labserver.heap.fork import in_fork
from labserver.heap.graph import heap_graph
from labserver.heap.kinds import Kinds
from labserver.heap.layout import objects
from labserver.heap.tracemalloc_tools import short_path

IMAGES, SIZE = 40, 3_000
WITHIN_S = 120.0


@dataclass
class Lies:
    """What lies answer once they have begun, and which of the application's code was called since."""

    answer: object = None
    calls: list[str] = field(default_factory=list)

    def tell(self, name):
        self.calls.append(name)
        return self.answer()


LIES = Lies()


def fail():
    raise RuntimeError("the application's own code ran")


ANSWERS = {"fail": fail, "block": lambda: threading.Event().wait(), "are nonsense": object}

ASKED = [
    *("__getattribute__", "__getattr__", "__eq__", "__ne__", "__lt__", "__hash__", "__bool__", "__len__", "__iter__"),
    *("__next__", "__contains__", "__getitem__", "__length_hint__", "__reversed__", "__repr__", "__str__", "join"),
    *("__sizeof__", "__instancecheck__", "__subclasscheck__", "__call__", "__get__", "__index__", "__int__", "__dir__"),
    *("__fspath__", "__reduce_ex__", "__array__", "__array_finalize__", "__array_ufunc__", "__buffer__", "mro"),
    *("keys", "values", "items", "get", "copy", "view", "startswith", "partition", "rpartition", "isidentifier"),
    *("__format__", "getvalue", "cache_parameters", "cache_info"),
]
READ = [
    *("__class__", "__dict__", "__wrapped__", "__func__", "__self__", "__callback__", "__array_interface__", "_fields"),
    *("base", "dtype", "flat", "nbytes", "memo", "args", "keywords", "fget", "maxlen", "name", "ident"),
    *("__mro__", "__flags__", "__basicsize__", "__dictoffset__", "_as_parameter_", "_b_needsfree_", "capacity"),
]


def lying(*bases, meta=type):
    """A class all of whose code lies once the lies have begun; before that it is much as its bases are."""

    def otherwise(owner, name):
        return type(owner) if name == "__class__" else getattr(super(cls, owner), name)

    def asked(name):
        def method(self, *args, **kwargs):
            return LIES.tell(name) if LIES.answer else otherwise(self, name)(*args, **kwargs)

        return method

    def read(name):
        return property(lambda self: LIES.tell(name) if LIES.answer else otherwise(self, name))

    # Truth and subclasses of `str` are asked for by those who plant, too.
    cls = meta("Liar", bases, {name: asked(name) for name in ASKED} | {name: read(name) for name in READ})
    cls.__bool__ = lambda _: LIES.tell("__bool__") if LIES.answer else True
    return cls


Text = lying(str)
PLANTS = {}


def kind(holder):
    """Register a plant: it gives back what puts an image into the holder."""

    def register(plant):
        PLANTS[plant.__name__] = (plant, holder)
        return plant

    return register


@kind("module shop → KEPT → Liar.images")
def an_object(shop):
    shop.KEPT = lying(object)()
    object.__setattr__(shop.KEPT, "images", images := [])
    return images.append


@kind("module shop → KEPT")
def items(shop):
    shop.KEPT = []

    def add(image):
        item = lying(object)()
        object.__setattr__(item, "image", image)
        shop.KEPT.append(item)

    return add


@kind("module shop → KEPT")
def keys(shop):
    shop.KEPT = {}
    cls = lying(object)

    def add(image):
        shop.KEPT[key := cls()] = None
        object.__setattr__(key, "image", image)

    return add


@kind("module shop → KEPT")
def a_dict(shop):
    shop.KEPT = lying(dict)()
    return lambda image: dict.__setitem__(shop.KEPT, id(image), image)


@kind("module shop → KEPT")
def an_ordered_dict(shop):
    shop.KEPT = lying(OrderedDict)()
    return lambda image: OrderedDict.__setitem__(shop.KEPT, id(image), image)


@kind("module shop → KEPT")
def a_list(shop):
    shop.KEPT = lying(list)()
    return lambda image: list.append(shop.KEPT, image)


@kind("module shop → KEPT")
def a_set(shop):
    shop.KEPT = lying(set)()
    return lambda image: set.add(shop.KEPT, image)


@kind("module shop → KEPT")
def a_deque(shop):
    shop.KEPT = lying(deque)()
    return lambda image: deque.append(shop.KEPT, image)


@kind("module shop → KEPT → […]")
def a_tuple(shop):
    shop.KEPT = lying(tuple)(([],))
    return lambda image: tuple.__getitem__(shop.KEPT, 0).append(image)


@kind("module shop → KEPT")
def texts(shop):
    shop.KEPT = []
    return lambda image: shop.KEPT.append(Text(f"{id(image):>{SIZE}}"))


@kind("module shop → KEPT")
def names_of_globals(shop):
    images = vars(shop)[Text("KEPT")] = []
    return images.append


@kind("module shop → KEPT → SimpleNamespace.images")
def names_of_attributes(shop):
    shop.KEPT = types.SimpleNamespace()
    images = vars(shop.KEPT)[Text("images")] = []
    return images.append


@kind("module shop → KEPT → Kept.images")
def names_of_a_class(shop):
    images = {Text(name): [] for name in ("images", "__sizeof__", "_fields", "__next__", "__dict__", "capacity")}
    shop.KEPT = type(Text("Kept"), (list,), images)
    shop.KEPT.__module__, shop.KEPT.__qualname__ = Text("shop"), Text("Kept")
    shop.OTHER = shop.KEPT()
    return shop.KEPT.images.append


@kind("module shop → KEPT → Kept.images")
def a_metaclass(shop):
    shop.KEPT = lying(type)("Kept", (), {})
    type.__setattr__(shop.KEPT, "images", images := [])
    return images.append


@kind("module shop → KEPT")
def classes(shop):
    shop.KEPT = []
    meta = lying(type)
    return lambda image: shop.KEPT.append(lying(object, meta=meta)) or setattr(shop.KEPT[-1], "image", image)


@kind("module shop → KEPT")
def a_module(shop):
    shop.__class__ = lying(types.ModuleType)
    types.ModuleType.__setattr__(shop, "KEPT", images := [])
    return images.append


@kind("Liar → Liar.images")
def no_module(shop):
    sys.modules[shop.__name__] = liar = lying(object)()
    object.__setattr__(liar, "images", images := [])
    return images.append


@kind("module shop → KEPT")
def an_array(shop):
    shop.KEPT = np.ndarray.__new__(lying(np.ndarray), (1000,), dtype=object)
    places = iter(range(1000))
    return lambda image: np.ndarray.__setitem__(shop.KEPT, next(places), image)


@kind("module shop → KEPT")
def an_array_of_records(shop):
    shop.KEPT = np.ndarray.__new__(lying(np.ndarray), (1000,), dtype=[("image", object), ("n", int)])
    places = iter(range(1000))
    return lambda image: np.ndarray.__setitem__(shop.KEPT, next(places), (image, 1))


@kind("module shop → KEPT")
def views(shop):
    shop.KEPT = []
    cls = lying(np.ndarray)
    return lambda image: shop.KEPT.append(np.ndarray.view(np.frombuffer(bytearray(image), dtype="u1")[:3], cls))


@kind("module shop → KEPT → ndarray.images")
def what_claims_to_be_an_array(shop):
    cls = lying(object)
    type.__setattr__(cls, "__module__", "numpy")
    type.__setattr__(cls, "__qualname__", "ndarray")
    type.__setattr__(cls, "__name__", "ndarray")
    shop.KEPT = cls()
    object.__setattr__(shop.KEPT, "images", images := [])
    return images.append


@kind("module shop → KEPT → _lru_cache_wrapper.images")
def what_claims_to_be_a_cache(shop):
    cls = lying(object)
    type.__setattr__(cls, "__name__", "_lru_cache_wrapper")
    shop.KEPT = cls()
    object.__setattr__(shop.KEPT, "images", images := [])
    return images.append


@kind("module shop → KEPT")
def a_cache(shop):
    shop.KEPT = functools.lru_cache(maxsize=None)(lambda image: image)
    shop.KEPT.cache_parameters = lying(object)()
    return lambda image: shop.KEPT(image + id(image).to_bytes(8))


@kind("module shop → KEPT → Model.lines")
def lazy_attributes(shop):
    shop.KEPT = type("Model", (), {"lines": lying(object)(), "capacity": lying(property)(len)})()
    vars(shop.KEPT)["lines"] = images = []
    return images.append


@kind("module shop → KEPT → partial keyword images")
def a_partial(shop):
    shop.KEPT = lying(functools.partial)(print, images=[])
    return functools.partial.keywords.__get__(shop.KEPT)["images"].append


@kind("module shop → KEPT → default images")
def a_function(shop):
    def render(images):
        return images

    render.__defaults__ = lying(tuple)(([],))
    render.__kwdefaults__ = lying(dict)({"more": None})
    shop.KEPT = render
    return tuple.__getitem__(render.__defaults__, 0).append


@kind("module shop → KEPT → global images")
def a_functions_globals(shop):
    space = lying(dict)({Text("images"): []})
    shop.KEPT = types.FunctionType((lambda: images).__code__, space)  # noqa: F821 - a global of its own
    return dict.__getitem__(space, "images").append


@kind("module shop → KEPT → weakref callback → builtin_function_or_method.__self__")
def a_weak_reference(shop):
    shop.OTHER, images = {1}, []
    shop.KEPT = lying(weakref.ref)(shop.OTHER, images.append)
    return images.append


@kind("module shop → KEPT → Liar.images")
def an_error(shop):
    shop.KEPT = lying(ValueError)()
    BaseException.__setattr__(shop.KEPT, "images", images := [])
    return images.append


@kind("module shop → KEPT")
def streams(shop):
    shop.KEPT = []
    cls = lying(io.BytesIO)
    return lambda image: shop.KEPT.append(cls(image))


@kind("module shop → KEPT")
def mappings(shop):
    shop.KEPT = []
    cls = lying(mmap.mmap)
    return lambda image: shop.KEPT.append(cls(-1, len(image)))


@kind("module shop → KEPT")
def structures(shop):
    shop.KEPT = []
    cls = type(ctypes.Structure)("Liar", (ctypes.Structure,), {"_fields_": [("_b_needsfree_", ctypes.c_char * SIZE)]})
    return lambda _: shop.KEPT.append(cls())


@kind("module shop → KEPT")
def a_pickler(shop):
    shop.KEPT = lying(pickle.Pickler)(io.BytesIO())
    return lambda image: pickle.Pickler.dump(shop.KEPT, image + id(image).to_bytes(8))


@kind("module shop → KEPT")
def methods(shop):
    exec("KEPT = []\ndef method(self):\n    return len(KEPT) > 5 and KEPT.clear", vars(shop))
    decorated = {cls.__name__: lying(cls)(shop.method) for cls in (property, staticmethod, classmethod)}
    shop.Model = type("Model", (), decorated | {"__module__": shop.__name__})
    return shop.KEPT.append


@kind("module shop → KEPT → method.__self__ → Liar.images")
def a_method(shop):
    owner = lying(object)()
    object.__setattr__(owner, "images", images := [])
    shop.KEPT = types.MethodType(lying(object)(), owner)
    return images.append


@kind("module shop → KEPT → builtin_function_or_method.__self__")
def a_method_made_in_c(shop):
    owner = lying(list, meta=lying(type))()
    shop.KEPT = list.append.__get__(owner)
    return shop.KEPT


@kind("module shop → KEPT")
def constants(shop):
    exec("KEPT = []\ndef put(value):\n    KEPT.append(value)\n    return len(KEPT) > MOST and 'late'", vars(shop))
    vars(shop)[Text("MOST")] = 2
    code = shop.put.__code__
    consts = [lying(object)() if constant == "late" else constant for constant in code.co_consts]
    shop.put.__code__ = code.replace(co_consts=tuple(consts))
    return shop.put


@kind("module shop → KEPT → Local.images")
def a_thread_local(shop):
    """One that begins anew in each thread; its slots are the same in all."""
    space = {"__slots__": ("images",), "__init__": lambda _: LIES.answer and LIES.tell("__init__")}
    local = type("Local", (threading.local,), space)
    thread = threading.Thread(target=lambda: setattr(shop, "KEPT", local()) or setattr(shop.KEPT, "images", []))
    thread.start()
    thread.join()
    return local.images.__get__(shop.KEPT).append


@kind("module shop → KEPT → […] → registered callback → Liar.images")
def proxies(shop):
    shop.KEPT = [wrapt.ObjectProxy(lying(object)()), wrapt.CallableObjectProxy(liar := lying(object)())]
    object.__setattr__(liar, "images", images := [])
    return images.append


@kind("module shop → KEPT")
def proxies_of_bytes(shop):
    shop.KEPT = []
    return lambda image: shop.KEPT.append(wrapt.ObjectProxy(image))


@kind("module shop → KEPT → ObjectProxy._self_images")
def a_proxy_of_nothing(shop):
    shop.KEPT = wrapt.ObjectProxy.__new__(wrapt.ObjectProxy)
    shop.KEPT._self_images = images = []
    return images.append


@kind("module shop → KEPT → ObjectProxy._self_images")
def a_proxys_own_attribute(shop):
    shop.KEPT = wrapt.ObjectProxy(threading.Lock())
    shop.KEPT._self_images = []
    return shop.KEPT._self_images.append


@kind("module shop → KEPT")
def unbound_locals(shop):
    shop.KEPT, shop.request = [], LocalProxy(ContextVar(Text("request")))
    return lambda image: shop.KEPT.append(LocalProxy(ContextVar("request", default=(image,))))


@kind("module shop → KEPT → MagicMock.images")
def a_mock(shop):
    shop.KEPT = unittest.mock.MagicMock()
    shop.KEPT.images = []
    return shop.KEPT.images.append


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left():
    """Other tests ask every object of this process for its size."""
    yield
    gc.collect()


@pytest.fixture(scope="module", params=ANSWERS, ids=lambda name: f"that {name}")
def seen(request):
    """Growth by kind, and the application's code that ran."""
    shops = {name: types.ModuleType(f"shop.{name}") for name in PLANTS}
    sys.modules.update({shop.__name__: shop for shop in shops.values()})
    adds = [plant(shops[name]) for name, (plant, _) in PLANTS.items()]

    def look(roots):
        LIES.answer = ANSWERS[request.param]
        with heap_graph(roots) as graph:
            baseline = snapshot_of(graph)
        LIES.answer = None
        for number in range(IMAGES):
            for add in adds:
                add(bytes([number]) * SIZE)
        LIES.answer = ANSWERS[request.param]
        with heap_graph(roots) as graph:
            growth = find_growth(graph, baseline, most=2 * len(PLANTS))
        LIES.answer = None
        return {"calls": LIES.calls, "holders": [holder.growth().to_json() for holder in growth.holders]}

    try:
        return in_fork(look, within_s=WITHIN_S)
    finally:
        for shop in shops.values():
            del sys.modules[shop.__name__]


def test_none_of_the_applications_code_runs(seen):
    assert seen["calls"] == []


@pytest.mark.parametrize("name", PLANTS)
def test_the_holder_is_found_behind_lies(seen, name):
    found = {holder["holder"]: holder["growth_bytes"] for holder in seen["holders"]}
    assert found.get(PLANTS[name][1].replace("shop", f"shop.{name}"), 0) >= IMAGES * SIZE, found


def test_the_table_of_modules_and_the_path_may_lie(monkeypatch):
    modules, main = sys.modules, types.ModuleType("__main__")
    main.__class__ = lying(types.ModuleType)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "modules", lying(dict)({Text("shop"): (shop := object()), None: LIES, "__main__": main}))
        patch.setattr(sys, "path", lying(list)([lying(object)(), 3, "", Text("/srv/shop")]))
        patch.setattr(sys, "orig_argv", [lying(str)("-c"), lying(object)()])
        patch.setattr(LIES, "answer", fail)
        found = loaded_modules()
        interactive = is_analyst_module("__main__")
        path = short_path("/srv/shop/lies.py")
    assert found == [("shop", shop), ("?", LIES), ("__main__", main)]
    assert sys.modules is modules
    assert interactive
    assert path == "lies.py"
    assert LIES.calls == []


def test_a_list_of_liars_is_one_link(monkeypatch):
    node = lying(object, meta=lying(type))
    nodes = [node() for _ in range(9)]
    for one, following in pairwise([*nodes, b"image"]):
        object.__setattr__(one, "after", following)
    with monkeypatch.context() as patch:
        patch.setattr(LIES, "answer", fail)
        edges = [link.words for link in chain_of([*nodes, b"image"])]
    assert edges == ["", "(Liar.after)×8", "after"]
    assert LIES.calls == []


def test_a_threads_name_is_read_without_asking_it():
    names = {"name": property(lambda _: LIES.calls.append("name"))}
    ours, theirs = (type("Worker", (threading.Thread,), names)() for _ in range(2))
    vars(ours)["_name"] = "labserver-agent"
    assert [is_analyst_thread(thread) for thread in (ours, theirs)] == [True, False]
    assert LIES.calls == []


@pytest.mark.parametrize("known_layout", [True, False], ids=["headers", "no headers"])
@pytest.mark.parametrize(
    ("bases", "space", "args"),
    [
        ((), {}, ()),
        ((), {"__slots__": ()}, ()),
        ((), {"__slots__": ("__weakref__", "image")}, ()),
        ((), {"__slots__": ("__dict__",)}, ()),
        ((list,), {}, ([1, 2, 3],)),
        ((dict,), {}, ({1: 2},)),
        ((tuple,), {"__slots__": ()}, ((1, 2),)),
        ((int,), {}, (2**100,)),
        ((bytes,), {}, (b"12345",)),
        ((ValueError,), {}, ()),
        ((type,), {}, ("Made", (), {})),
        ((np.ndarray,), {}, ((100,),)),
    ],
    ids=str,
)
def test_a_class_is_measured_as_if_it_had_no_size_of_its_own(monkeypatch, known_layout, bases, space, args):
    if not known_layout:
        for room in (objects, kinds):
            monkeypatch.setattr(room, "headers_are_known", lambda: False)
    liar, honest = (
        type("Kept", bases, space | own)(*args) for own in ({"__sizeof__": lambda _: LIES.calls.append("")}, {})
    )
    measured = Kinds()
    found = objects.addresses_of([liar, honest])
    sizes = measured.sizes([liar, honest], found, measured.of([liar, honest], found))
    assert sizes.tolist() == [sys.getsizeof(honest)] * 2
    assert LIES.calls == []
