"""The dictionary and the context of every thread, read from CPython's thread states.

No Python function gives another thread's. Where they stand in a `PyThreadState` is found by planting them, in a process
that has nothing to lose (`find_layout`); only then are they read in one that serves.
"""

import _thread
import contextvars
import ctypes
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, chain, islice, repeat, starmap, takewhile
from typing import Any

from labserver.heap.layout.memory import REACH, WORD, object_at, word_at, words

_PREVIOUS, _NEXT, _INTERPRETER = 0, WORD, 2 * WORD
_WORDS = 64  # of a thread state that are searched
_THREADS = 3  # whose states must agree


@dataclass(frozen=True, slots=True)
class ThreadLayout:
    """Where a thread state has what; offsets in bytes.

    Attributes:
        ident: the thread's identifier.
        dict: its dictionary, behind `threading.local`.
        context: its context, behind `contextvars`.
        key: what keeps its thread-locals alive besides, from CPython 3.13 on; None where there is no such thing.
    """

    ident: int
    dict: int
    context: int
    key: int | None


@dataclass(slots=True)
class ThreadStates:
    """What the threads' states hold: thread identifier and object, for those that have one.

    Attributes:
        dicts: their dictionaries.
        contexts: their contexts.
        keys: what keeps their thread-locals; nothing is behind it.
    """

    dicts: list[tuple[int, dict[object, object]]]
    contexts: list[tuple[int, contextvars.Context]]
    keys: list[tuple[int, object]]


def read_thread_states(layout: ThreadLayout) -> ThreadStates:
    """What every thread of this interpreter holds just now."""
    return ThreadStates(
        dicts=_held_at(layout.dict, layout.ident),
        contexts=_held_at(layout.context, layout.ident),
        keys=[] if layout.key is None else _held_at(layout.key, layout.ident),
    )


def find_layout() -> ThreadLayout | None:
    """Look for what some threads are known to hold, and try whether it is found again; None where it is not.

    It reads what may lie behind a thread state's end and starts threads: call it in a forked child only.
    """
    if sys.implementation.name != "cpython" or "t" in sys.abiflags or sys.maxsize < 2**32:
        return None
    planted = [_Planted() for _ in range(_THREADS)]
    with _waiting(planted):
        places = [
            set.intersection(*(_places(one.state, getattr(one, what)) for one in planted))
            for what in ("ident", "dict", "context", "key", "interpreter")
        ]
        if any(len(found) > 1 for found in places) or places.pop() != {_INTERPRETER} or not all(places[:3]):
            return None
        layout = ThreadLayout(*(next(iter(found), None) for found in places))  # type: ignore[arg-type]
        read = read_thread_states(layout)
        return layout if all(one.is_found(read) for one in planted) else None


class _Planted:
    """What one thread knows of itself: its state's address, and the words that must be found there."""

    def __init__(self) -> None:
        self.ready, self.leave = _thread.allocate_lock(), _thread.allocate_lock()
        self.ready.acquire()
        self.leave.acquire()
        self.state = self.ident = self.dict = self.context = self.key = self.interpreter = 0

    def run(self) -> None:
        """The thread."""
        contextvars.Context().run(self._know)

    def is_found(self, states: ThreadStates) -> bool:
        """Whether what this thread holds was read, so that its thread-locals outlive its state."""
        held, context = dict(states.dicts).get(self.ident, {}), dict(states.contexts).get(self.ident)
        keys = [*dict.values(held), dict(states.keys).get(self.ident)]
        return id(held) == self.dict and id(context) == self.context and self.key in map(id, keys)

    def _know(self) -> None:
        local = _thread._local()  # noqa: SLF001 - `threading.local`, also where an application has replaced that
        local.made = True  # a thread gets its dictionary when it first needs one
        self.state, self.ident = own_state(), _thread.get_ident()
        self.dict = _c("PyThreadState_GetDict")()
        self.interpreter = _c("PyInterpreterState_Get")()
        # Weak references to an object of the thread's: when it goes, the thread's values go.
        weak = [item for held in gc.get_referents(local) if isinstance(held, dict | set) for item in held]
        keys = [item() for item in weak if isinstance(item, weakref.ref)]
        self.key = id(keys[0]) if len(keys) == 1 else 0
        variable: contextvars.ContextVar[bool] = contextvars.ContextVar("labserver")
        token = variable.set(True)
        # The thread runs in the context that was entered last.
        self.context = next(id(held) for held in gc.get_referents(token) if isinstance(held, contextvars.Context))
        self.ready.release()
        self.leave.acquire()


@contextmanager
def _waiting(planted: list[_Planted]) -> Iterator[None]:
    """Threads that hold what is planted for as long as the block runs."""
    for one in planted:
        _thread.start_new_thread(one.run, ())
        one.ready.acquire()
    try:
        yield
    finally:
        for one in planted:
            one.leave.release()


def _places(state: int, word: int) -> set[int]:
    """The offsets at which a thread state has a word."""
    found = words(state, _WORDS).tolist()
    return {at * WORD for at, value in enumerate(found) if value == word} if word else set()


def _held_at(offset: int, ident: int) -> list[tuple[int, Any]]:
    """From each thread state the identifier and the object at an offset, where there is one."""
    own, collecting = own_state(), gc.isenabled()
    idents = map(word_at, _states(own), repeat(REACH - ident))
    held = map(object_at, _states(own), repeat(REACH - offset))
    try:
        # All in one call of C code, which keeps the interpreter's lock: no bytecode runs between finding a thread state
        # and taking the reference, no finalizer, no audit hook, no signal handler; so no thread can end meanwhile.
        found = list(chain(starmap(gc.disable, [()]), zip(idents, held, strict=False)))
    finally:
        if collecting:
            gc.enable()
    return [pair for pair in found if pair is not None and pair[1] is not None]


def _states(own: int) -> Iterator[int]:
    """The addresses of this interpreter's thread states, from the calling thread's in both directions."""
    return chain(_following(own, _NEXT), islice(_following(own, _PREVIOUS), 1, None))


def _following(state: int, offset: int) -> Iterator[int]:
    return takewhile(bool, accumulate(chain([state], repeat(REACH - offset)), word_at))


def own_state() -> int:
    """The address of the calling thread's state."""
    return int(_c("PyThreadState_Get")())


@cache  # each prototype is a class of its own
def _c(name: str) -> Callable[[], Any]:
    """A function of CPython's C interface without arguments that gives an address."""
    return ctypes.PYFUNCTYPE(ctypes.c_void_p)((name, ctypes.pythonapi))
