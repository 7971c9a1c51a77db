import functools
import gc
import importlib.util
import itertools
import operator
import sys
import threading
import types
from collections import OrderedDict, deque, namedtuple

import numpy as np
import pytest

from labserver.heap.chains import chain_of, chain_to, objgraph_chain
from labserver.heap.edge import UNKNOWN
from labserver.heap.edges import edge_to
from labserver.heap.graph import heap_graph
from labserver.stats import student

SIZE = 123_457


class Box:
    """Anything with attributes."""


class Slotted:
    __slots__ = ("image",)


Pair = namedtuple("Pair", "image note")  # noqa: PYI024 - the old form is what many services use


def buffer():
    return bytes(SIZE)


def paths_of(*buffer_ids):
    """The chains to the buffers at some addresses, in one look; the test itself holds no reference to them."""
    with heap_graph() as graph:
        found = [np.flatnonzero(graph.addresses == buffer_id) for buffer_id in buffer_ids]
        return [chain_to(graph, int(nodes[0]), graph.parents()).path if nodes.size else None for nodes in found]


def path_of(buffer_id):
    return paths_of(buffer_id)[0]


def in_module_list(shop):
    shop.KEPT = [buffer()]
    return id(shop.KEPT[0])


def in_untracked_dict(shop):
    shop.KEPT = {"a": buffer()}
    return id(shop.KEPT["a"])


def in_untracked_tuple(shop):
    shop.KEPT = (buffer(), 1)
    gc.collect()
    return id(shop.KEPT[0])


def in_nested_dicts(shop):
    shop.KEPT = {"jobs": {"1": {"image": buffer()}}}
    return id(shop.KEPT["jobs"]["1"]["image"])


def in_instance(shop):
    shop.STORE = Box()
    shop.STORE.image = buffer()
    return id(shop.STORE.image)


def in_slot(shop):
    shop.STORE = Slotted()
    shop.STORE.image = buffer()
    return id(shop.STORE.image)


def in_class_attribute(shop):
    shop.Registry = type("Registry", (), {"image": buffer()})
    return id(shop.Registry.image)


def in_closure(shop):
    def make():
        image = buffer()
        return (lambda: image), id(image)

    shop.callback, address = make()
    return address


def in_default(shop):
    def handler(image=buffer()):  # noqa: B008 - the trap under test
        return image

    shop.handler = handler
    return id(handler.__defaults__[0])


def in_partial(shop):
    shop.later = functools.partial(len, buffer())
    return id(shop.later.args[0])


def in_deque(shop):
    shop.recent = deque([buffer()])
    return id(shop.recent[0])


def in_ordered_dict(shop):
    shop.recent = OrderedDict(a=buffer())
    return id(shop.recent["a"])


def in_namedtuple(shop):
    shop.pairs = [Pair(buffer(), "note")]
    return id(shop.pairs[0].image)


def in_generator(shop):
    def rows():
        image = buffer()
        yield id(image)
        yield image

    shop.rows = rows()
    return next(shop.rows)


def in_bound_method(shop):
    box = Box()
    box.image = buffer()
    shop.hook = box.__repr__
    return id(box.image)


class Lazy(list):
    def __iter__(self):
        raise RuntimeError("no connection to load the rest")


class Endless(set):
    def __iter__(self):
        return itertools.repeat(None)


class Rude(tuple):
    __slots__ = ()
    _fields = 3


def in_lazy_list(shop):
    shop.KEPT = Lazy([buffer()])
    return id(list.__getitem__(shop.KEPT, 0))


def in_set_without_end(shop):
    image = buffer()
    shop.KEPT = Endless({image})
    return id(image)


def in_rude_tuple(shop):
    shop.KEPT = Rude([buffer()])
    return id(shop.KEPT[0])


def in_c_field(shop):
    image = buffer()
    shop.picks = [operator.itemgetter(image)]
    return id(image)


HOLDERS = {
    in_module_list: "module shop → KEPT → […] → bytes",
    in_untracked_dict: "module shop → KEPT → ['…'] → bytes",
    in_untracked_tuple: "module shop → KEPT → […] → bytes",
    in_nested_dicts: "module shop → KEPT → ['…'] → ['…'] → ['…'] → bytes",
    in_instance: "module shop → STORE → Box.image → bytes",
    in_slot: "module shop → STORE → Slotted.image → bytes",
    in_class_attribute: "module shop → Registry → Registry.image → bytes",
    in_closure: "module shop → callback → closure image → bytes",
    in_default: "module shop → handler → default image → bytes",
    in_partial: "module shop → later → partial argument → bytes",
    in_deque: "module shop → recent → […] → bytes",
    in_ordered_dict: "module shop → recent → ['…'] → bytes",
    in_namedtuple: "module shop → pairs → […] → Pair.image → bytes",
    in_bound_method: "module shop → hook → method-wrapper.__self__ → Box.image → bytes",
    in_c_field: "module shop → picks → […] → C field → bytes",
    in_generator: "module shop → rows → local image (rows) → bytes",
    # Collections whose own code would fail, or never end.
    in_lazy_list: "module shop → KEPT → […] → bytes",
    in_set_without_end: "module shop → KEPT → {…} → bytes",
    in_rude_tuple: "module shop → KEPT → […] → bytes",
}


@pytest.fixture(scope="module")
def paths():
    """The chain to the buffer of each holder, each in a module of its own."""
    shops = {f"shop_{hold.__name__}": types.ModuleType("shop") for hold in HOLDERS}
    sys.modules.update(shops)
    addresses = [hold(shop) for hold, shop in zip(HOLDERS, shops.values(), strict=True)]
    found = paths_of(*addresses)
    for name in shops:
        del sys.modules[name]
    return dict(zip(HOLDERS, found, strict=True))


@pytest.mark.parametrize("hold", HOLDERS, ids=lambda hold: hold.__name__)
def test_the_chain_names_every_edge(paths, hold):
    assert paths[hold] == HOLDERS[hold]


def test_a_chain_tells_what_each_type_derives_from():
    box = Box()
    box.kept = OrderedDict(image=buffer())
    links = chain_of([sys.modules[__name__], box, box.__dict__, box.kept, box.kept["image"]])
    here = f"{Box.__module__}.Box"
    assert [link.bases for link in links[1:]] == [(here,), ("collections.OrderedDict", "builtins.dict"), ()]


def test_a_running_threads_local_is_found_and_named():
    inside, leave = threading.Event(), threading.Event()
    seen = []

    def work():
        image = buffer()
        seen.append(id(image))
        inside.set()
        leave.wait()
        del image

    thread = threading.Thread(target=work, name="painter")
    thread.start()
    inside.wait()
    try:
        path = path_of(seen[0])
    finally:
        leave.set()
        thread.join()
    assert (
        path == "thread painter in test_a_running_threads_local_is_found_and_named.<locals>.work, local image → bytes"
    )


def test_the_analysts_own_variables_are_no_holders():
    mine = buffer()
    assert path_of(id(mine)) is None
    assert len(mine) == SIZE


def test_what_the_statistics_remember_is_no_holder():
    """A check of a callable decides in the process that it looks at."""
    remembered = [student.t_quantile(0.9, dof) for dof in range(5, 50)]
    assert set(paths_of(*map(id, remembered))) == {None}
    assert student.t_quantile.cache_info().currsize >= 45


def test_the_main_module_of_a_script_is_the_applications(monkeypatch):
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__file__", "app.py", raising=False)
    monkeypatch.setattr(main, "kept_by_the_script", buffer(), raising=False)
    assert path_of(id(main.kept_by_the_script)) == "module __main__ → kept_by_the_script → bytes"


def test_the_main_module_of_a_text_is_the_applications(monkeypatch):
    main = sys.modules["__main__"]
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, "-c", "import app"])
    monkeypatch.delattr(main, "__file__", raising=False)
    monkeypatch.setattr(main, "kept_by_the_text", buffer(), raising=False)
    assert path_of(id(main.kept_by_the_text)) == "module __main__ → kept_by_the_text → bytes"


def test_a_notebooks_main_module_and_the_last_error_are_no_holders(monkeypatch):
    main = sys.modules["__main__"]
    monkeypatch.setattr(sys, "orig_argv", [sys.executable])
    monkeypatch.delattr(main, "__file__", raising=False)
    main.kept_by_the_notebook = buffer()
    sys.last_value = ValueError(buffer())
    try:
        assert path_of(id(main.kept_by_the_notebook)) is None
        assert path_of(id(sys.last_value.args[0])) is None
    finally:
        del main.kept_by_the_notebook, sys.last_value


def test_retained_is_what_only_the_holder_keeps(shop):
    shared = buffer()
    shop.STORE, shop.OTHER = {"own": buffer(), "shared": shared}, [shared]
    del shared
    with heap_graph() as graph:
        retained = graph.retained(graph.find(shop.STORE))
        kept = [graph.objects[node] for node in retained.nonzero()[0]]
        sizes = int(graph.sizes[retained].sum())
        assert any(obj is shop.STORE["own"] for obj in kept)
        assert not any(obj is shop.STORE["shared"] for obj in kept)
        kept.clear()
    assert SIZE < sizes < SIZE + 2000


def test_every_size_at_once_agrees_with_taking_nodes_away(shop):
    shop.A, shop.B = Box(), {"shared": [buffer()], "own": buffer()}
    shop.A.other, shop.A.shared = [shop.B], shop.B["shared"]
    with heap_graph() as graph:
        sizes, idom = graph.retained_sizes(), graph.dominators()
        everything = graph.reach()
        for obj in (shop, shop.A, shop.B, shop.B["shared"], shop.B["own"], gc, gc.collect, type, Box):
            node = graph.find(obj)
            freed = everything & ~graph.reach(without=[node])
            assert (graph.retained(node) == freed).all()
            assert sizes[node] == graph.sizes[freed].sum()
        assert idom[graph.find(shop.B["own"])] == graph.find(shop.B)
        assert idom[graph.find(shop)] == -1
        assert graph.addresses.tolist() == list(map(id, graph.objects))
        assert graph.types.tolist() == [id(type(obj)) for obj in graph.objects]


def test_a_cycle_is_retained_once(shop):
    shop.A, b = Box(), Box()
    shop.A.other, b.other, b.image = b, shop.A, buffer()
    del b
    with heap_graph() as graph:
        sizes = int(graph.sizes[graph.retained(graph.find(shop.A))].sum())
    assert SIZE < sizes < SIZE + 2000


def test_every_object_is_one_node(shop):
    shop.KEPT = [buffer()] * 10
    with heap_graph() as graph:
        assert len({id(obj) for obj in graph.objects}) == len(graph.objects)
        assert graph.starts.shape == (len(graph.objects) + 1,)
        assert graph.starts[-1] == len(graph.targets)


def test_looking_leaves_nothing_behind(shop):
    shop.KEPT = [buffer()]
    counts = []
    for _ in range(4):
        with heap_graph() as graph:
            nodes = len(graph.objects)
        counts.append(nodes)
        assert graph.objects == []
        assert gc.isenabled()
    # What a look leaves would be there after each; what other tests' threads do is there once.
    assert min(abs(after - before) for before, after in itertools.pairwise(counts[1:])) < 50


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with heap_graph():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_types_with_a_broken_size_do_not_end_the_walk(shop):
    class Rude:
        def __sizeof__(self):
            raise RuntimeError

    shop.KEPT = [Rude(), buffer()]
    assert path_of(id(shop.KEPT[1])) == "module shop → KEPT → […] → bytes"


@pytest.mark.parametrize("owner", [Box(), {}, [], (), Slotted()], ids=lambda owner: type(owner).__name__)
def test_what_can_be_looked_through_has_no_field_of_c(owner):
    assert edge_to(owner, bytearray()) == UNKNOWN


@pytest.mark.parametrize("hold", [in_module_list, in_slot, in_instance, in_deque], ids=lambda hold: hold.__name__)
def test_objgraph_agrees_where_it_can_see(shop, hold):
    hold(shop)
    chain = objgraph_chain(next(iter(_leaves(shop))))
    assert chain is not None
    assert chain.path == HOLDERS[hold]


def test_objgraph_is_blind_to_an_untracked_dict_and_says_so(shop):
    in_untracked_dict(shop)
    every_one_is_tracked = sys.version_info >= (3, 14)
    assert (objgraph_chain(shop.KEPT["a"]) is not None) == every_one_is_tracked


def _leaves(shop):
    seen, stack = set(), [value for name, value in vars(shop).items() if not name.startswith("__")]
    while stack:
        obj = stack.pop()
        if isinstance(obj, bytes) and len(obj) == SIZE:
            yield obj
        elif id(obj) not in seen:
            seen.add(id(obj))
            stack += gc.get_referents(obj)


def test_a_lazy_module_is_named_without_being_loaded(tmp_path, monkeypatch):
    (tmp_path / "later.py").write_text("raise RuntimeError('loaded')")
    monkeypatch.syspath_prepend(tmp_path)
    spec = importlib.util.find_spec("later")
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert [link.name for link in chain_of([module])] == ["later"]


class Proxy:
    """What lazy settings and context locals are: their class is looked up in what they stand for."""

    def __init__(self):
        self.asked = 0

    @property
    def __class__(self):
        self.asked += 1
        raise RuntimeError("outside of a context")


def test_a_proxy_is_not_asked_for_its_class(shop):
    proxy = Proxy()
    proxy.payload = bytes(5000)
    shop.PROXIES = [proxy]
    with heap_graph() as graph:
        node = graph.find(proxy.payload)
        path = chain_to(graph, node, graph.parents()).path
    assert "PROXIES → […] → Proxy.payload" in path
    assert proxy.asked == 0


def test_another_packages_ndarray_is_not_numpys():
    foreign = type("ndarray", (), {"__slots__": ()})
    assert edge_to(foreign(), bytearray()) == UNKNOWN
