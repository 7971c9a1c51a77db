import abc
import contextlib
import dataclasses
import enum
import functools
import types

from planting import COUNT, SIZE, kind


class Slotted:
    __slots__ = ("image",)

    def __init__(self, image):
        self.image = image


@kind("module shop → KEPT → […] → Slotted.image")
def slots(plant):
    plant.shop.KEPT = [Slotted(image) for image in plant.buffers()]


@dataclasses.dataclass(slots=True)
class Record:
    image: bytes


@kind("module shop → KEPT → […] → Record.image")
def dataclass_slots(plant):
    plant.shop.KEPT = [Record(image) for image in plant.buffers()]


@kind("module shop → Registry → Registry.images → […]")
def class_attribute(plant):
    plant.shop.Registry = type("Registry", (), {"images": plant.buffers()})


@kind("module shop → callback → closure images → […]")
def closure_cell(plant):
    images = plant.buffers()
    plant.shop.callback = lambda: images


@kind("module shop → handler → default images → […]")
def default_argument(plant):
    def handler(first, images=plant.buffers()):  # noqa: B008 - the trap under test
        return first, images

    plant.shop.handler = handler


@kind("module shop → handler → keyword default images → […]")
def keyword_default(plant):
    def handler(*, images=plant.buffers()):  # noqa: B008 - the trap under test
        return images

    plant.shop.handler = handler


@kind("module shop → handler → handler.calls → […]")
def function_attribute(plant):
    def handler():
        """Count its own calls, as some do."""

    handler.calls = plant.buffers()
    handler.__qualname__ = "handler"
    plant.shop.handler = handler


def bytes_in(code):
    """The one constant of that type; each CPython puts others before it."""
    return next(constant for constant in code.co_consts if isinstance(constant, bytes))


@kind("module shop → template → code constant")
def code_constant(plant):
    code = compile(f"IMAGE = {bytes(SIZE * COUNT)!r}", "template", "exec")
    plant.note(bytes_in(code))
    plant.shop.template = code


@kind("module shop → render → code constant")
def constant_of_a_function(plant):
    names = {}
    exec(f"def render(): return {bytes(SIZE * COUNT)!r}", names)
    plant.note(bytes_in(names["render"].__code__))
    plant.shop.render = names["render"]


@kind("module shop → later → partial argument → […]")
def partial_argument(plant):
    plant.shop.later = functools.partial(len, plant.buffers())


@kind("module shop → later → partial keyword key → […]")
def partial_keyword(plant):
    plant.shop.later = functools.partial(sorted, key=plant.buffers())


@kind("module shop → hook → method.__self__ → Job.images → […]")
def bound_method(plant):
    class Job:
        def run(self):
            """Run."""

    Job.__qualname__ = "Job"
    job = Job()
    job.images = plant.buffers()
    plant.shop.hook = job.run


@kind("module shop → rows → local images (rows) → […]")
def suspended_generator(plant):
    def rows():
        images = plant.buffers()
        yield
        yield images

    plant.shop.rows = rows()
    next(plant.shop.rows)


@kind(
    "module shop → rows → being evaluated (rows) → iterated items → […]",
    "module shop → rows → being evaluated (rows) → […]",  # from CPython 3.15 on a loop over a list has no iterator
)
def loop_of_a_generator(plant):
    def rows():
        for image in plant.buffers():
            yield len(image)

    plant.shop.rows = rows()
    next(plant.shop.rows)


@kind("module shop → rows → local images (rows) → […]")
def generators_variable_in_a_cell(plant):
    def rows():
        images = plant.buffers()
        yield lambda: images

    plant.shop.rows = rows()
    next(plant.shop.rows)


@types.coroutine
def pause():
    yield


@kind("module shop → job → local images (work) → […]")
def suspended_coroutine(plant):
    async def work():
        images = plant.buffers()
        await pause()
        return images

    plant.shop.job = work()
    plant.shop.job.send(None)
    plant.leaving.callback(plant.shop.job.close)


@kind("module shop → stream → local images (stream) → […]")
def async_generator(plant):
    async def stream():
        images = plant.buffers()
        yield
        yield images

    plant.shop.stream = stream()
    with contextlib.suppress(StopIteration):
        plant.shop.stream.asend(None).send(None)
    plant.leaving.callback(_close, plant.shop)


def _close(shop):
    with contextlib.suppress(StopIteration):
        shop.stream.aclose().send(None)


@kind("module shop → render → cache value")
def lru_cache(plant):
    @functools.lru_cache(maxsize=50)
    def render(number):
        return plant.buffer(SIZE + number)

    for number in range(COUNT):
        render(number)
    plant.shop.render = render


@kind("module shop → render → cache value")
def unbounded_cache(plant):
    @functools.cache
    def render(number):
        return plant.buffer(SIZE + number)

    for number in range(COUNT):
        render(number)
    plant.shop.render = render


@kind("module shop → render → cache key", "module shop → render → cache key → […]")
def cache_keys(plant):
    @functools.cache
    def render(image, note):
        return len(image)

    for n in range(COUNT):
        render(plant.note(bytes([n]) * SIZE), "note")
    plant.shop.render = render


class Page:
    @functools.cached_property
    def images(self):
        return self.plant.buffers()


@kind("module shop → PAGE → Page.images → […]")
def cached_property(plant):
    plant.shop.PAGE = Page()
    plant.shop.PAGE.plant = plant
    plant.shop.PAGE.images  # noqa: B018 - fills it
    del plant.shop.PAGE.plant


@kind("module shop → Model → Model.image → property.fget → closure images → […]")
def property_closure(plant):
    images = plant.buffers()
    plant.shop.Model = type("Model", (), {"image": property(lambda _: images)})


class Field:
    """A descriptor that keeps a value for each owner, as hand-made ORMs do."""

    def __init__(self):
        self.values = {}

    def __get__(self, owner, kind):
        return self.values.get(id(owner))


@kind("module shop → Model → Model.image → Field.values → ['…']")
def descriptor(plant):
    plant.shop.Model = type("Model", (), {"image": Field()})
    vars(plant.shop.Model)["image"].values.update(enumerate(plant.buffers()))


class Registering(type):
    def __init__(cls, name, bases, names):
        super().__init__(name, bases, names)
        cls.registry = [*getattr(cls, "registry", ()), cls]


@kind("module shop → Plugin → Plugin.registry → […] → Painter.images → […]")
def metaclass_registry(plant):
    plant.shop.Plugin = Registering("Plugin", (), {})
    painter = type.__new__(type, "Painter", (), {"images": plant.buffers()})
    plant.shop.Plugin.registry.append(painter)


@kind("module shop → Colour → Colour.RED → Colour.images → […]")
def enum_member(plant):
    plant.shop.Colour = enum.Enum("Colour", "RED GREEN")
    plant.shop.Colour.RED.images = plant.buffers()


@kind("module shop → CLEANUP → ExitStack._exit_callbacks → […] → […] → closure args → […] → […]")
def exit_stack(plant):
    plant.shop.CLEANUP = contextlib.ExitStack()
    plant.shop.CLEANUP.callback(len, plant.buffers())
    plant.leaving.callback(plant.shop.CLEANUP.close)


@kind("module shop → Shape → Shape.registered → […] → Square.images → […]")
def abstract_base_class(plant):
    plant.shop.Shape = abc.ABCMeta("Shape", (), {"registered": []})
    plant.shop.Shape.registered.append(plant.shop.Shape.register(type("Square", (), {"images": plant.buffers()})))


def show(_):
    """Show anything."""


@kind("module shop → show → show.registry → ['…'] → closure images → […]")
def single_dispatch(plant):
    images = plant.buffers()
    plant.shop.show = functools.singledispatch(show)
    plant.shop.show.register(int, lambda _: images)
