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

_CHILD = 2  # of the lists: before a fork, after it in the parent, after it in the child

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
        probes = [_probe() for _ in range(_CHILD + 1)]
        os.register_at_fork(before=probes[0], after_in_parent=probes[1], after_in_child=probes[_CHILD])
        found = [
            [held for held in gc.get_referrers(probe) if type(held) is list and held is not probes] for probe in probes
        ]
        _lists = tuple(id(held[0]) for held in found if len(held) == 1)
        if len(_lists) != len(probes):
            _lists = ()
        for probe, lists in zip(probes, found, strict=True):
            for hooks in lists:  # by identity: to compare hooks may run their code
                del hooks[next(at for at, hook in enumerate(hooks) if hook is probe)]
    return bool(_lists)


def hooks_of_children() -> list[Hook]:
    """The hooks that run in forked children alone; none where they cannot be found."""
    if not find_hooks():
        return []
    *others, inside = _hooks()
    elsewhere = {id(hook) for hooks in others for hook in hooks}
    return [hook for hook in inside if id(hook) not in elsewhere]


def _probe() -> Hook:
    def probe() -> None:
        """Found in its list, and taken out of it again."""

    return probe


def _hooks() -> list[list[Hook]]:
    return [ctypes.cast(address, ctypes.py_object).value for address in _lists or ()]
