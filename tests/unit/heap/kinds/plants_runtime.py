import asyncio
import atexit
import codecs
import concurrent.futures
import contextvars
import gc
import logging
import logging.handlers
import multiprocessing.managers
import os
import re
import signal
import sqlite3
import sys
import threading
import types
import warnings
import weakref

import flask
from blinker import Namespace
from planting import COUNT, SIZE, kind


class Box:
    """Anything with attributes."""


def in_thread(plant, work, name):
    """Run a function that plants, calls what it is given and must then wait, in a thread."""
    ready, leave = threading.Event(), threading.Event()

    def pause():
        ready.set()
        leave.wait(60)

    thread = threading.Thread(target=work, args=(pause,), name=name)
    thread.start()
    plant.leaving.callback(thread.join)
    plant.leaving.callback(leave.set)
    assert ready.wait(60)


@kind("thread painter in running_threads_locals.<locals>.paint, local images → […]")
def running_threads_locals(plant):
    def paint(pause):
        images = plant.buffers()
        pause()
        return images

    in_thread(plant, paint, "painter")


@kind("thread script in <module>, globals → ['…'] → […]")
def globals_of_a_script(plant):
    buffers = plant.buffers

    def run(pause):
        exec("images = buffers()\npause()", {"__name__": "script", "buffers": buffers, "pause": pause})

    in_thread(plant, run, "script")


@kind(
    "thread failing handling ValueError → ValueError.args → […] → […]",
    "thread failing in handled_exception.<locals>.fail, local error → ValueError.args → […] → […]",
)
def handled_exception(plant):
    def fail(pause):
        try:
            raise ValueError(plant.buffers())
        except ValueError:
            pause()

    in_thread(plant, fail, "failing")


@kind(
    "contextvar images of thread with-context → […]",
    "module threading → _active → ['…'] → Thread._context → contextvar images → […]",  # from CPython 3.14 on
)
def other_threads_context(plant):
    variable = contextvars.ContextVar("images")

    def work(pause):
        variable.set(plant.buffers())
        pause()

    in_thread(plant, work, "with-context")


@kind("module shop → LOCAL → _local.images → […]")
def other_threads_thread_local(plant):
    plant.shop.LOCAL = threading.local()

    def work(pause):
        plant.shop.LOCAL.images = plant.buffers()
        pause()

    in_thread(plant, work, "with-local")


@kind("module shop → LOCAL → _local.images → […]")
def own_thread_local(plant):
    plant.shop.LOCAL = threading.local()
    plant.shop.LOCAL.images = plant.buffers()


@kind("module shop → CONTEXT → contextvar kept_images → […]")
def stored_context(plant):
    variable = contextvars.ContextVar("kept_images")
    plant.shop.CONTEXT = contextvars.Context()
    plant.shop.CONTEXT.run(variable.set, plant.buffers())


@kind("module shop → IMAGES → ContextVar.default → […]", "module shop → IMAGES → default → […]")
def default_of_a_context_variable(plant):
    plant.shop.IMAGES = contextvars.ContextVar("default_images", default=plant.buffers())


@kind(
    "module shop → LAST → OSError.__traceback__ → traceback.tb_next → traceback.tb_frame → local images (render) → […]"
)
def frame_of_a_traceback(plant):
    def render():
        images = plant.buffers()
        raise OSError(len(images))

    try:
        render()
    except OSError as error:
        plant.shop.LAST = error


@kind("module shop → JOB → Future._result → […]")
def finished_future(plant):
    plant.shop.JOB = concurrent.futures.Future()
    plant.shop.JOB.set_result(plant.buffers())


@kind("module shop → JOB → Future._exception → ValueError.args → […] → […]")
def failed_future(plant):
    plant.shop.JOB = concurrent.futures.Future()
    plant.shop.JOB.set_exception(ValueError(plant.buffers()))


@kind(
    "module shop → POOL → ThreadPoolExecutor._work_queue → SimpleQueue.[…] → _WorkItem.args → […] → […]",
    "module shop → POOL → ThreadPoolExecutor._work_queue → […] → _WorkItem.args → […] → […]",
    "module shop → POOL → ThreadPoolExecutor._work_queue → […] → _WorkItem.task → […] → […] → […]",  # CPython 3.14
)
def waiting_work_item(plant):
    leave = threading.Event()
    plant.shop.POOL = concurrent.futures.ThreadPoolExecutor(1)
    plant.shop.POOL.submit(leave.wait, 60)
    plant.shop.POOL.submit(len, plant.buffers())
    plant.leaving.callback(plant.shop.POOL.shutdown)
    plant.leaving.callback(leave.set)


@kind("module shop → TIMER → Timer.args → […] → […]")
def timer(plant):
    plant.shop.TIMER = threading.Timer(60, len, [plant.buffers()])
    plant.shop.TIMER.start()
    plant.leaving.callback(plant.shop.TIMER.join)
    plant.leaving.callback(plant.shop.TIMER.cancel)


def loop_of(plant):
    loop = asyncio.new_event_loop()
    plant.leaving.callback(loop.close)
    plant.shop.LOOP = loop
    return loop


@kind("module shop → DONE → Future._result → […]")
def asyncio_future(plant):
    plant.shop.DONE = loop_of(plant).create_future()
    plant.shop.DONE.set_result(plant.buffers())
    plant.shop.LOOP = None


@kind("module shop → TASK → Task._coro → local images (work) → […]")
def asyncio_task(plant):
    async def work():
        images = plant.buffers()
        await asyncio.sleep(60)
        return images

    async def begin():
        plant.shop.TASK = asyncio.ensure_future(work())
        await asyncio.sleep(0)

    loop = loop_of(plant)
    loop.run_until_complete(begin())
    plant.leaving.callback(_cancel, loop, plant.shop.TASK)
    plant.shop.LOOP = None


def _cancel(loop, task):
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))


@kind("module shop → LOOP → _UnixSelectorEventLoop._scheduled → […] → TimerHandle._args → […] → […]")
def asyncio_timer(plant):
    loop_of(plant).call_later(600, len, plant.buffers())


@kind("module shop → LOOP → _UnixSelectorEventLoop._ready → […] → Handle._args → […] → […]")
def asyncio_callback(plant):
    loop_of(plant).call_soon(len, plant.buffers())


@kind("module shop → LOOP → _UnixSelectorEventLoop._ready → […] → Handle._context → contextvar images_in_task → […]")
def context_of_a_callback(plant):
    variable = contextvars.ContextVar("images_in_task")
    context = contextvars.Context()
    context.run(variable.set, plant.buffers())
    loop_of(plant).call_soon(len, "", context=context)


@kind(
    "module shop → handler → MemoryHandler.buffer → […] → LogRecord.args → […] → […]",
    "module shop → handler → MemoryHandler.buffer → […] → LogRecord.args → […]",
)
def logging_handler(plant):
    plant.shop.handler = logging.handlers.MemoryHandler(10_000)
    logger = logging.Logger("shop")
    logger.addHandler(plant.shop.handler)
    for image in plant.buffers():
        logger.warning("image %s", image)
    plant.leaving.callback(plant.shop.handler.close)
    plant.leaving.callback(plant.shop.handler.buffer.clear)


@kind(
    "module logging → root → RootLogger.filters → […] → closure images → […]",
    "module logging → Logger → Logger.root → RootLogger.filters → […] → closure images → […]",
)
def filter_of_the_root_logger(plant):
    images = plant.buffers()

    def keep(_):
        return bool(images)

    logging.root.addFilter(keep)
    plant.leaving.callback(logging.root.removeFilter, keep)


@kind(
    "contextvar flask.app_ctx of thread serving → AppContext.g → _AppCtxGlobals.images → […]",
    "module threading → _active → ['…'] → Thread._context → contextvar flask.app_ctx → AppContext.g"
    " → _AppCtxGlobals.images → […]",  # from CPython 3.14 on
)
def flask_g(plant):
    app = flask.Flask("shop")

    def serve(pause):
        with app.app_context():
            flask.g.images = plant.buffers()
            pause()

    in_thread(plant, serve, "serving")


@kind("module shop → app → Flask.extensions → ['…'] → ['…'] → […]")
def flask_extension(plant):
    plant.shop.app = flask.Flask("shop")
    plant.shop.app.extensions["images"] = {"kept": plant.buffers()}


@kind("module shop → SIGNAL → NamedSignal.receivers → ['…'] → closure images → […]")
def signal_receiver(plant):
    images = plant.buffers()
    plant.shop.SIGNAL = Namespace().signal("finished")
    plant.shop.SIGNAL.connect(lambda _: images, weak=False)


@kind("module shop → DATABASE → Connection.row_factory → closure images → […]")
def sqlite_row_factory(plant):
    images = plant.buffers()
    plant.shop.DATABASE = sqlite3.connect(":memory:", check_same_thread=False)
    plant.shop.DATABASE.row_factory = lambda *_: images
    plant.leaving.callback(plant.shop.DATABASE.close)


@kind("references from C code → closure images → […]")
def sqlite_function(plant):
    images = plant.buffers()
    plant.shop.DATABASE = sqlite3.connect(":memory:", check_same_thread=False)
    plant.shop.DATABASE.create_function("images", 0, lambda: len(images))
    plant.leaving.callback(plant.shop.DATABASE.close)


@kind(reason="sqlite3 takes its pages from malloc and tells nobody")
def sqlite_database_in_memory(plant):
    plant.shop.DATABASE = sqlite3.connect(":memory:")
    plant.shop.DATABASE.execute("create table images (image blob)")
    for image in plant.odd_buffers():
        plant.shop.DATABASE.execute("insert into images values (?)", (image,))
    plant.leaving.callback(plant.shop.DATABASE.close)


@kind("module shop → SERVER → Server.id_to_obj → ['…'] → […] → […]")
def multiprocessing_manager(plant):
    manager = type("Manager", (multiprocessing.managers.BaseManager,), {})
    manager.register("images", plant.buffers)
    plant.shop.SERVER = manager(("127.0.0.1", 0), b"key").get_server()
    plant.leaving.callback(plant.shop.SERVER.listener.close)
    plant.shop.SERVER.create(None, "images")


@kind("module weakref → finalize → finalize._registry → ['…'] → _Info.args → […] → […]")
def finalizer(plant):
    plant.shop.OWNER = Box()
    finalize = weakref.finalize(plant.shop.OWNER, len, plant.buffers())
    plant.leaving.callback(finalize.detach)


@kind("module shop → REFERENCE → weakref callback → closure images → […]")
def callback_of_a_weak_reference(plant):
    images = plant.buffers()
    plant.shop.OWNER = Box()
    plant.shop.REFERENCE = weakref.ref(plant.shop.OWNER, lambda _: images)


@kind(
    "references from C code → […]",
    "references from C code → […] → […]",
    "references from C code → […] → […] → […] → […]",  # from CPython 3.14 on: a list of functions with their arguments
)
def exit_handler(plant):
    images = plant.buffers()
    atexit.register(len, images)
    plant.leaving.callback(atexit.unregister, len)


def let_go(reference):
    vars(reference()).clear()


@kind("references from C code → […] → closure box → Box.images → […]")
def hook_of_a_fork(plant):
    box = Box()
    box.images = plant.buffers()
    os.register_at_fork(after_in_child=lambda: box)
    plant.leaving.callback(let_go, weakref.ref(box))  # the hook itself stays


@kind("references from C code → closure box → Box.images → […]")
def audit_hook(plant):
    box = Box()
    box.images = plant.buffers()
    sys.addaudithook(lambda *_: box and None)
    plant.leaving.callback(let_go, weakref.ref(box))  # the hook itself stays


@kind("references from C code → closure images → […]", "references from C code → […] → closure images → […]")
def codec_search_function(plant):
    images = plant.buffers()

    def search(_):
        return images and None

    codecs.register(search)
    plant.leaving.callback(lambda reference: codecs.unregister(reference()), weakref.ref(search))


@kind("signal handler SIGUSR2 → closure images → […]")
def signal_handler(plant):
    images = plant.buffers()
    plant.leaving.callback(signal.signal, signal.SIGUSR2, signal.signal(signal.SIGUSR2, lambda *_: images))


@kind("trace function → closure images → […]", "module threading → _trace_hook → closure images → […]")
def trace_function(plant):
    images = plant.buffers()
    before = threading._trace_hook
    threading.settrace(lambda *_: images and None)
    plant.leaving.callback(threading.settrace, before)


@kind("profile function → closure images → […]")
def profile_function(plant):
    images = plant.buffers()
    plant.leaving.callback(sys.setprofile, sys.getprofile())
    sys.setprofile(lambda *_: images and None)


@kind("module sys → excepthook → closure images → […]")
def exception_hook(plant):
    images = plant.buffers()
    plant.leaving.callback(setattr, sys, "excepthook", sys.excepthook)
    sys.excepthook = lambda *_: images


@kind("module gc → callbacks → […] → closure images → […]")
def collector_callback(plant):
    images = plant.buffers()

    def observe(*_):
        return images

    gc.callbacks.append(observe)
    plant.leaving.callback(gc.callbacks.remove, observe)


@kind(
    "module sys → path_importer_cache → ['…'] → FileFinder._path_cache → {…}",
    "module sys → path_importer_cache → ['…'] → Box.images → […]",
)
def importer_cache(plant):
    finder = Box()
    finder.images = plant.buffers()
    sys.path_importer_cache["/nowhere"] = finder
    plant.leaving.callback(sys.path_importer_cache.pop, "/nowhere")


@kind("module sys → meta_path → […] → Box.images → […]")
def importer(plant):
    finder = Box()
    finder.images, finder.find_spec = plant.buffers(), lambda *_: None
    sys.meta_path.append(finder)
    plant.leaving.callback(sys.meta_path.remove, finder)


@kind("module shop → __warningregistry__ → {key} → […]")
def warnings_registry(plant):
    plant.shop.__warningregistry__ = {}
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for n in range(COUNT):
            text = plant.note(chr(97 + n) * SIZE)
            plant.shop.__warningregistry__[text, UserWarning, 1] = True


@kind("module warnings → filters → […] → […]")
def warnings_filters(plant):
    plant.leaving.enter_context(warnings.catch_warnings())
    warnings.filters.insert(0, ("ignore", plant.buffer(), Warning, None, 0))


@kind("module shop → images → shop.images.kept → […]")
def module_in_a_module(plant):
    plant.shop.images = types.ModuleType("shop.images")
    plant.shop.images.kept = plant.buffers()


@kind("module shop → ERRORS → […] → ExceptionGroup.exceptions → […] → ValueError.args → […]")
def exception_group(plant):
    plant.shop.ERRORS = [ExceptionGroup("all", [ValueError(image) for image in plant.buffers()])]


@kind("module shop → LAST → KeyError.__context__ → ValueError.args → […] → […]")
def context_of_an_exception(plant):
    try:
        try:
            raise ValueError(plant.buffers())
        except ValueError:
            raise KeyError from None
    except KeyError as error:
        error.__traceback__ = error.__context__.__traceback__ = None
        plant.shop.LAST = error


@kind(reason="garbage in a cycle has no holder: it waits for the collector")
def garbage_cycle(plant):
    box = Box()
    box.box, box.images = box, plant.buffers()


@kind(reason="a class in no namespace is only weakly known to its base")
def forgotten_subclass(plant):
    type("Forgotten", (Box,), {"images": plant.buffers()})


@kind(reason="what ended has no locals")
def dead_threads_locals(plant):
    def paint():
        images = plant.odd_buffers()
        return len(images)

    thread = threading.Thread(target=paint)
    thread.start()
    thread.join()


@kind(reason="weak references alone hold nothing")
def weak_references_alone(plant):
    box = Box()
    box.images = plant.odd_buffers()
    plant.shop.CACHE = weakref.WeakValueDictionary(one=box)
    plant.shop.REFERENCE = weakref.ref(box)


@kind("module re → _cache → ['…'] → Pattern.pattern", "module re → _cache → {key} → […]")
def pattern_cache(plant):
    re.purge()
    for n in range(COUNT):
        re.compile(plant.note(f"#{n}" + " " * SIZE * 5), re.VERBOSE)
    plant.leaving.callback(re.purge)


@kind("contextvar own_images of thread MainThread → […]")
def own_context(plant):
    # The last one: each context that is made from here on would hold it too.
    variable = contextvars.ContextVar("own_images")
    plant.leaving.callback(variable.reset, variable.set(plant.buffers()))
