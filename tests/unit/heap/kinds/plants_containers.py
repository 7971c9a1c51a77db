import array
import collections
import heapq
import itertools
import queue
import types
import weakref
from typing import NamedTuple

from planting import COUNT, SIZE, kind


class Box:
    """Anything with attributes."""


@kind("module shop → KEPT → […]")
def module_list(plant):
    plant.shop.KEPT = plant.buffers()


@kind("module shop → IMAGE")
def module_global(plant):
    plant.shop.IMAGE = plant.buffer()


@kind("module shop → KEPT → ['…']")
def untracked_dict(plant):
    plant.shop.KEPT = dict(enumerate(plant.buffers()))


@kind("module shop → KEPT → […]")
def untracked_tuple(plant):
    plant.shop.KEPT = tuple(plant.buffers())


@kind("module shop → KEPT → ['…'] → ['…'] → ['…']")
def nested_dicts(plant):
    plant.shop.KEPT = {"jobs": {n: {"image": image} for n, image in enumerate(plant.buffers())}}


@kind("module shop → KEPT → {key}")
def dict_keys(plant):
    plant.shop.KEPT = dict.fromkeys(plant.note(bytes([n]) * SIZE) for n in range(COUNT))


@kind("module shop → KEPT → {…}")
def a_set(plant):
    plant.shop.KEPT = {plant.note(bytes([n]) * SIZE) for n in range(COUNT)}


@kind("module shop → KEPT → […]")
def a_deque(plant):
    plant.shop.KEPT = collections.deque(plant.buffers())


@kind("module shop → KEPT → ['…']")
def an_ordered_dict(plant):
    plant.shop.KEPT = collections.OrderedDict(enumerate(plant.buffers()))


@kind("module shop → KEPT → ['…'] → […]")
def a_defaultdict(plant):
    plant.shop.KEPT = collections.defaultdict(list)
    for n, image in enumerate(plant.buffers()):
        plant.shop.KEPT[n % 3].append(image)


@kind("module shop → KEPT → ['…']")
def a_dict_subclass(plant):
    plant.shop.KEPT = type("Registry", (dict,), {})(enumerate(plant.buffers()))


@kind("module shop → KEPT → Registry.newest → […]")
def an_attribute_of_a_dict_subclass(plant):
    plant.shop.KEPT = type("Registry", (dict,), {})()
    plant.shop.KEPT.newest = plant.buffers()


@kind("module shop → KEPT → ChainMap.maps → […] → ['…']")
def a_chain_map(plant):
    plant.shop.KEPT = collections.ChainMap(dict(enumerate(plant.buffers())), {})


@kind("module shop → KEPT → UserDict.data → ['…']")
def a_user_dict(plant):
    plant.shop.KEPT = collections.UserDict(enumerate(plant.buffers()))


@kind("module shop → KEPT → ['…']")
def a_mapping_proxy(plant):
    plant.shop.KEPT = types.MappingProxyType(dict(enumerate(plant.buffers())))


@kind("module shop → KEPT → SimpleNamespace.images → […]")
def a_simple_namespace(plant):
    plant.shop.KEPT = types.SimpleNamespace(images=plant.buffers())


@kind("module shop → KEPT → […] → […]")
def a_heap(plant):
    plant.shop.KEPT = []
    for n, image in enumerate(plant.buffers()):
        heapq.heappush(plant.shop.KEPT, (-n, image))


class Pair(NamedTuple):
    image: bytes
    note: str


@kind("module shop → KEPT → […] → Pair.image")
def named_tuples(plant):
    plant.shop.KEPT = [Pair(image, "note") for image in plant.buffers()]


@kind("module shop → KEPT → Counter.{key}", "module shop → KEPT → {key}")
def a_counter(plant):
    plant.shop.KEPT = collections.Counter(plant.note(bytes([n]) * SIZE) for n in range(COUNT))


@kind("module shop → STORE → Box.images → […]")
def an_instance(plant):
    plant.shop.STORE = Box()
    plant.shop.STORE.images = plant.buffers()


@kind("module shop → HEAD → (Box.next)×N → Box.image")
def a_linked_list(plant):
    # The buffers hang from the last nodes.
    for image in plant.buffers() + [None] * 30:
        node = Box()
        node.next, node.image = getattr(plant.shop, "HEAD", None), image
        plant.shop.HEAD = node


@kind("module shop → JOBS → SimpleQueue.[…]", "module shop → JOBS → […]")
def a_simple_queue(plant):
    plant.shop.JOBS = queue.SimpleQueue()
    for image in plant.buffers():
        plant.shop.JOBS.put(image)


@kind("module shop → JOBS → Queue.queue → […]")
def a_queue(plant):
    plant.shop.JOBS = queue.Queue()
    for image in plant.buffers():
        plant.shop.JOBS.put(image)


@kind("module shop → JOBS → PriorityQueue.queue → […] → […]")
def a_priority_queue(plant):
    plant.shop.JOBS = queue.PriorityQueue()
    for n, image in enumerate(plant.buffers()):
        plant.shop.JOBS.put((n, image))


@kind("module shop → KEPT → […]")
def bytearrays(plant):
    plant.shop.KEPT = [plant.note(bytearray(SIZE)) for _ in range(COUNT)]


@kind("module shop → KEPT → […]")
def arrays(plant):
    plant.shop.KEPT = [plant.note(array.array("d", bytes(SIZE))) for _ in range(COUNT)]


@kind("module shop → KEPT → […]")
def strings(plant):
    plant.shop.KEPT = [plant.note(chr(97 + n) * SIZE) for n in range(COUNT)]


@kind("module shop → ROWS → iterated items → […]")
def a_list_iterator(plant):
    plant.shop.ROWS = iter(plant.buffers())
    next(plant.shop.ROWS)


@kind("module shop → ROWS → iterated items → ['…']")
def a_dict_iterator(plant):
    plant.shop.ROWS = iter(dict(enumerate(plant.buffers())).values())


@kind("module shop → ROWS → iterated items → […] → iterated items → […]")
def a_zip(plant):
    plant.shop.ROWS = zip(plant.buffers(), itertools.count(), strict=False)


@kind("module shop → ROWS → iterated items → […] → iterated items → […]")
def a_map(plant):
    plant.shop.ROWS = map(len, plant.buffers())


@kind("module shop → ROWS → iterated items → iterated items → […]")
def an_enumerate(plant):
    plant.shop.ROWS = enumerate(plant.buffers())


@kind("module shop → ROWS → iterated items → buffered items")
def a_tee(plant):
    plant.shop.ROWS, ahead = itertools.tee(iter(plant.buffers()))
    list(ahead)


@kind("module shop → ROWS → iterated items → iterated items → […]")
def a_cycle(plant):
    plant.shop.ROWS = itertools.cycle(plant.buffers())
    next(plant.shop.ROWS)


@kind("module shop → VIEWS → […] → memoryview.obj")
def memory_views(plant):
    plant.shop.VIEWS = [memoryview(image)[:16] for image in plant.buffers()]


@kind("module shop → PART → slice.start → […]")
def a_slice(plant):
    plant.shop.PART = slice(plant.buffers(), None)


@kind("module shop → CACHE → WeakKeyDictionary.data → ['…'] → […]")
def a_weak_key_dictionary_with_living_keys(plant):
    plant.shop.OWNER, plant.shop.CACHE = Box(), weakref.WeakKeyDictionary()
    plant.shop.CACHE[plant.shop.OWNER] = plant.buffers()


@kind("module shop → LIVING → […] → Box.image")
def a_weak_value_dictionary_with_living_values(plant):
    plant.shop.CACHE, plant.shop.LIVING = weakref.WeakValueDictionary(), []
    for n, image in enumerate(plant.buffers()):
        box = Box()
        box.image = image
        plant.shop.CACHE[n] = box
        plant.shop.LIVING.append(box)
