"""Keeps the application's at-fork hooks out of our forks; its own forks keep theirs.

Libraries register functions that clear caches, drop batches and start threads around a fork (`os.register_at_fork`).
Where a child is to show the heap as its parent has it, none of them may run, in neither process. The interpreter keeps
them in plain lists, which are found by a function of our own; around a fork of ours each is replaced by a gate.
"""

import ctypes
import gc
import os
from _thread import _local  # not `threading.local`, which an application may have replaced
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Hook = Callable[[], object]

_KINDS = 3  # before a fork, after it in the parent and in the child

_ours = _local()
# By address: a reference of ours would make the lists the analyst's. The interpreter keeps them to its end.
_lists: tuple[int, ...] | None = None


class _Gate:
    """A hook that does not run in a fork of ours."""

    __slots__ = ("hook",)

    def __init__(self, hook: Hook) -> None:
        self.hook = hook

    def __call__(self) -> None:
        if not getattr(_ours, "forking", False):
            self.hook()

    def __repr__(self) -> str:
        return repr(self.hook)  # of a hook that raises, the interpreter tells the name


@contextmanager
def without_hooks() -> Iterator[None]:
    """Forks of this thread run no hooks of Python's for the length of the block, which ends in the parent alone.

    Where the hooks cannot be found (`find_hooks`), they run.
    """
    find_hooks()
    _ours.forking = True
    try:
        for hooks in _hooks():
            for at, hook in enumerate(hooks):
                hooks[at] = _Gate(hook)
        yield
    finally:
        _ours.forking = False
        take_gates_away()


def take_gates_away() -> None:
    """Put the hooks back, in the child, too: it shows the heap as the parent has it."""
    for hooks in _hooks():
        for at, hook in enumerate(hooks):
            if type(hook) is _Gate:
                hooks[at] = hook.hook


def find_hooks() -> bool:
    """Look for the interpreter's lists of hooks; whether they are found, as they are unless they are frozen.

    The first call goes over the whole heap once, so it is best made early.
    """
    global _lists  # noqa: PLW0603 - an interpreter has one set of them
    if _lists is None:

        def probe() -> None:
            """Found in all three lists, and taken out of them again."""

        os.register_at_fork(before=probe, after_in_parent=probe, after_in_child=probe)
        found = [held for held in gc.get_referrers(probe) if type(held) is list]
        _lists = tuple(map(id, found)) if len(found) == _KINDS else ()
        for hooks in found:  # by identity: to compare hooks may run their code
            del hooks[next(at for at, hook in enumerate(hooks) if hook is probe)]
    return bool(_lists)


def _hooks() -> list[list[Hook]]:
    return [ctypes.cast(address, ctypes.py_object).value for address in _lists or ()]
