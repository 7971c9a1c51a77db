"""What will run by itself: threads that are alive, tasks that wait, timers of an event loop."""

import threading
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from labserver.diagnosis.holders.functions import Routine, methods, names_in, plain, routine_of, scopes
from labserver.diagnosis.holders.handling import attribute_of, attributes
from labserver.heap.analyst import is_analyst_thread, loaded_modules
from labserver.heap.graph import HeapGraph
from labserver.heap.is_a import is_a, own_attribute
from labserver.heap.root import RootKind
from labserver.heap.roots import frame_locals

_DEEP = 2  # calls from what runs to what it runs
_HANDLES = ("Handle", "TimerHandle")
_MOST = 2000  # tasks and handles: of many that wait, most run the same code


class Running:
    """The code that runs, or waits to.

    Args:
        graph: the heap.
    """

    def __init__(self, graph: HeapGraph) -> None:
        self._graph = graph
        self._names: frozenset[str] | None = None
        self._codes: dict[int, Routine] | None = None

    def runs(self, code: types.CodeType) -> bool:
        """Whether a thread, a task or a timer runs some code, itself or through what it calls."""
        known = self._known()
        return id(code) in known or code.co_qualname in self._at_work()

    def calls(self, name: str, namespace: object) -> bool:
        """Whether a function of a module that runs calls something by a name."""
        return any(
            routine.namespace is namespace and name in names_in(routine.code) for routine in self._known().values()
        )

    def _at_work(self) -> frozenset[str]:
        """The functions in which threads are, by qualified name."""
        if self._names is None:
            roots = self._graph.local_roots.values()
            kinds = (RootKind.LOCAL, RootKind.GLOBALS)
            self._names = frozenset(root.function for root in roots if root.kind in kinds)
        return self._names

    def _known(self) -> dict[int, Routine]:
        if self._codes is None:
            found: dict[int, Routine] = {}
            level = list(self._begun())
            for _ in range(_DEEP + 1):
                following: list[tuple[Routine, object]] = []
                for routine, me in level:
                    if id(routine.code) not in found:
                        for codes in scopes(routine.code):
                            found[id(codes[0])] = routine
                        following += _called(routine, me)
                level = following
            self._codes = found
        return self._codes

    def _begun(self) -> Iterator[tuple[Routine, object]]:
        """What begins each of them, and the object that it belongs to."""
        for thread in list(threading._active.values()):  # type: ignore[attr-defined] # noqa: SLF001 - without its lock
            if not is_analyst_thread(thread):
                having = dict(attributes(thread))
                for name in ("_target", "function"):
                    yield from _bound(having.get(name))
                if type(thread) is not threading.Thread:
                    yield from ((routine_of(run), thread) for run in methods(type(thread)) if run.__name__ == "run")
        for node in np.flatnonzero(self._graph.types == id(types.CoroutineType))[:_MOST].tolist():
            task: Any = self._graph.objects[node]
            if (frame := task.cr_frame) is not None:
                yield Routine(task.cr_code, frame.f_globals), _first(frame)
        events = next((module for name, module in loaded_modules() if name == "asyncio.events"), None)
        for kind in filter(None, (own_attribute(events, name) for name in _HANDLES)):
            for node in np.flatnonzero(self._graph.types == id(kind))[:_MOST].tolist():
                yield from _bound(attribute_of(self._graph.objects[node], "_callback"))


def _first(frame: types.FrameType) -> object:
    """What a frame has for its first parameter, a method its own object."""
    found = frame_locals(frame) if frame.f_code.co_argcount else []
    return found[0][1] if found else None


def _bound(called: object) -> Iterator[tuple[Routine, object]]:
    function = plain(called)
    if function is not None:
        yield routine_of(function), called.__self__ if is_a(called, types.MethodType) else None


def _called(routine: Routine, me: object) -> Iterator[tuple[Routine, object]]:
    """The functions that a routine calls, as far as names tell: globals, and methods of its own object."""
    for name in names_in(routine.code):
        function = plain(attribute_of(routine.namespace, name))
        if function is not None:
            yield routine_of(function), None
        if me is not None and (method := plain(attribute_of(type(me), name))) is not None:
            yield routine_of(method), me
