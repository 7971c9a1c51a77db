"""What CPython holds outside any module: threads' frames, thread-locals, context variables, handled exceptions, hooks.

They are gathered before a process forks: the child loses every thread but one, and with it what only that thread held,
its stack of frames among them. Gathering takes references; what the frames hold is read later, in the child.
"""

import _signal  # type: ignore[import-not-found]
import contextvars
import inspect
import signal
import sys
import threading
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labserver.heap.analyst import is_analyst_thread, loaded_modules
from labserver.heap.at_fork import find_hooks
from labserver.heap.interpreter import unknown_parts
from labserver.heap.is_a import is_a, named, namespace_of, own_attribute, text_of, type_name
from labserver.heap.layout.probe import thread_layout
from labserver.heap.layout.threads import ThreadLayout, ThreadStates, read_thread_states
from labserver.heap.root import Root, RootKind


@dataclass(slots=True)
class Roots:
    """References to what a fork loses, and to hooks that only C code holds.

    Attributes:
        frames: the frames of every thread but the caller's, innermost first, by thread identifier.
        exceptions: the exception that such a thread handles just now.
        dicts: each thread's dictionary, behind `threading.local`: thread identifier and dictionary.
        contexts: each thread's context, behind `contextvars`: thread identifier and context.
        keys: what keeps the thread-locals of each thread; nothing is behind it.
        hooks: what only C code refers to: signal handlers, the trace and profile function.
        names: the threads' names.
        notes: what could not be had, a sentence each.
    """

    frames: dict[int, list[types.FrameType]]
    exceptions: dict[int, BaseException]
    dicts: list[tuple[int, dict[object, object]]]
    contexts: list[tuple[int, contextvars.Context]]
    keys: list[tuple[int, object]]
    hooks: dict[Root, object]
    names: dict[int, str]
    notes: tuple[str, ...] = ()

    def named(self) -> Iterator[tuple[Root, object]]:
        """Every root and what is behind it; what frames hold comes first, for its name says the most."""
        for ident, stack in self.frames.items():
            yield from _held_by_frames(self._thread(ident), stack)
        for ident, error in self.exceptions.items():
            yield Root(RootKind.EXCEPTION, type_name(error), self._thread(ident)), error
        for ident, context in self.contexts:
            for variable, value in context.items():
                yield Root(RootKind.CONTEXT_VARIABLE, text_of(variable.name), self._thread(ident)), value
            yield Root(RootKind.CONTEXT, thread=self._thread(ident)), context
        for ident, namespace in self.dicts:
            yield Root(RootKind.THREAD_LOCAL, thread=self._thread(ident)), namespace
        yield from self.hooks.items()

    def clear(self) -> None:
        """Let go of everything: a frame that is kept keeps its locals."""
        groups: list[Any] = [self.frames, self.exceptions, self.hooks, self.dicts, self.contexts, self.keys]
        groups += self.frames.values()
        for group in groups:
            group.clear()

    def _thread(self, ident: int) -> str:
        return self.names.get(ident, str(ident))


def gather_roots() -> Roots:
    """Take references to what no module holds, within a millisecond; the caller's own frames are left out.

    Where other threads' states cannot be read, theirs are missing, and a note says so.
    """
    layout = thread_layout()
    # By the plain attributes: a class that is derived from `Thread` may answer in its own way.
    threads = [(own_attribute(thread, "_ident"), thread) for thread in threading.enumerate()]
    own = threading.get_ident()
    skipped = {ident for ident, thread in threads if is_analyst_thread(thread)} | {own}
    alone = ThreadStates([], [(own, contextvars.copy_context())], [])
    states = alone if layout is None else read_thread_states(layout)
    return Roots(
        frames={ident: _stack(frame) for ident, frame in sys._current_frames().items() if ident not in skipped},  # noqa: SLF001 - the only way to another thread's stack
        exceptions={ident: error for ident, error in _handled() if ident not in skipped},
        dicts=states.dicts,
        contexts=states.contexts,
        keys=states.keys,
        hooks=dict(_hooks()),
        names={ident: text_of(own_attribute(thread, "_name")) for ident, thread in threads if type(ident) is int},
        notes=tuple(_missing(layout)),
    )


def _missing(layout: ThreadLayout | None) -> Iterator[str]:
    yield from unknown_parts()
    if layout is None:
        yield "Thread-locals and context variables of other threads cannot be read in this interpreter."
    if not find_hooks():
        yield (
            "The application's at-fork hooks cannot be found, so they run in the copy that is looked at and may change "
            "what it holds: call labserver.listen() before gc.freeze()."
        )


def _stack(top: types.FrameType) -> list[types.FrameType]:
    """A thread's frames, innermost first. In a forked child, what is before its outermost one is freed already."""
    frames = [top]
    while (before := frames[-1].f_back) is not None:
        frames.append(before)
    return frames


def frame_locals(frame: types.FrameType) -> list[tuple[str, object]]:
    """A frame's local variables by name; the frame is left without a copy of them."""
    namespace = frame.f_locals
    # A class body's may be anything, such as what a metaclass prepares.
    found = named(namespace) if is_a(namespace, dict) else list(namespace.items()) if _is_proxy(namespace) else []
    # Up to CPython 3.12 the frame keeps this copy, which would prolong the life of what it holds. It is the very
    # dictionary that `locals()` gave to the application, if it asked for one: then others refer to it.
    if type(namespace) is dict and frame.f_code.co_flags & inspect.CO_OPTIMIZED and sys.getrefcount(namespace) <= 3:
        namespace.clear()
    return found


def _is_proxy(namespace: object) -> bool:
    """Whether it shows a running function's variables, as from CPython 3.13 on."""
    return type(namespace).__module__ == "builtins" and type(namespace).__name__ == "FrameLocalsProxy"


def _held_by_frames(thread: str, stack: list[types.FrameType]) -> Iterator[tuple[Root, object]]:
    """What a stack of running frames holds; `gc.get_referents` of a running frame does not show it.

    The outermost frame first: it is there in each look, whatever the thread is just doing.
    """
    modules = dict(loaded_modules())
    for frame in reversed(stack):
        function = text_of(frame.f_code.co_qualname)
        if frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            for name, value in frame_locals(frame):
                yield Root(RootKind.LOCAL, name, thread, function), value
        module = modules.get(text_of(dict(named(frame.f_globals)).get("__name__")))
        if not is_a(module, types.ModuleType) or namespace_of(module) is not frame.f_globals:
            yield Root(RootKind.GLOBALS, "", thread, function), frame.f_globals


def _handled() -> Iterator[tuple[int, BaseException]]:
    for ident, handled in sys._current_exceptions().items():  # noqa: SLF001 - the only way to another thread's state
        error = handled[1] if isinstance(handled, tuple) else handled  # a triple up to CPython 3.11
        if isinstance(error, BaseException):
            yield ident, error


def _hooks() -> Iterator[tuple[Root, object]]:
    for number in signal.valid_signals():
        handler = _signal.getsignal(number)  # `signal`'s own asks what it finds for its class
        if callable(handler):
            yield Root(RootKind.HOOK, f"signal handler {getattr(number, 'name', number)}"), handler
    for name, function in (("trace function", sys.gettrace()), ("profile function", sys.getprofile())):
        if function is not None:
            yield Root(RootKind.HOOK, name), function
