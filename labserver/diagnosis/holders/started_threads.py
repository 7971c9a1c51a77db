"""Threads that came since a snapshot and still run, by what they run."""

import functools
import threading
import types
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from labserver.diagnosis.holders.snapshot import Snapshot
from labserver.heap.graph import HeapGraph
from labserver.heap.heap_growth import StartedThreads
from labserver.heap.is_a import is_a, of_its_classes, own_attribute, text_of, type_name
from labserver.heap.kinds import bytes_before
from labserver.heap.root import without_numbers
from labserver.heap.tracemalloc_tools import frame_at

_MOST_GROUPS = 10
_MOST_NAMES = 50  # that differ by more than numbers
_EXAMPLES = 20  # of a group, one of which tells where it was made
_WRAPPERS: tuple[tuple[type, Any], ...] = (
    (types.MethodType, vars(types.MethodType)["__func__"]),
    (functools.partial, vars(functools.partial)["func"]),
)


@dataclass(frozen=True, slots=True)
class ThreadGroup:
    """Threads of one function.

    Attributes:
        told: of them.
        blocks: addresses of the blocks that some of their objects lie in.
    """

    told: StartedThreads
    blocks: tuple[int, ...]


def started_threads(graph: HeapGraph, before: Snapshot, running: Collection[int]) -> list[ThreadGroup]:
    """The threads that came and run, the most first.

    Args:
        graph: the heap now.
        before: the heap then.
        running: the identifiers of the threads that have a frame, the instruments' own left out.
    """
    kinds, first = np.unique(graph.types, return_index=True)
    classes = [at for at, node in enumerate(first.tolist()) if is_a(graph.objects[node], threading.Thread)]
    nodes = np.flatnonzero(np.isin(graph.types, kinds[classes]))
    known = before.addresses[np.isin(before.types, kinds[classes])]
    groups: dict[tuple[str, str, str], list[object]] = defaultdict(list)
    for node in nodes[~np.isin(graph.addresses[nodes], known)].tolist():
        thread = graph.objects[node]
        ident = own_attribute(thread, "_ident")
        if type(ident) is int and ident in running:
            groups[(*_work_of(thread), type_name(thread))].append(thread)
    found = [_group(function, place, kind, threads) for (function, place, kind), threads in groups.items()]
    return sorted(found, key=lambda one: one.told.count, reverse=True)[:_MOST_GROUPS]


def _group(function: str, place: str, kind: str, threads: list[object]) -> ThreadGroup:
    names = {without_numbers(text_of(own_attribute(thread, "_name"))) for thread in threads}
    told = StartedThreads(
        function=function, place=place, type=kind, count=len(threads), names=tuple(sorted(names)[:_MOST_NAMES])
    )
    return ThreadGroup(told, tuple(id(thread) - bytes_before(type(thread)) for thread in threads[-_EXAMPLES:]))


def _work_of(thread: object) -> tuple[str, str]:
    """What a thread runs, and where that is defined: what was handed to it, where its class runs just that."""
    run = of_its_classes(thread, "run")
    if run is threading.Timer.run:
        return _place_of(own_attribute(thread, "function"))
    return _place_of(own_attribute(thread, "_target") if run is threading.Thread.run else run)


def _place_of(function: object) -> tuple[str, str]:
    """A callable's name, and the file and line of its code."""
    # By identity: a class may have its own idea of what it equals.
    while (inside := next((inner for kind, inner in _WRAPPERS if type(function) is kind), None)) is not None:
        function = inside.__get__(function)
    if not is_a(function, types.FunctionType):
        called = of_its_classes(function, "__call__")
        if not is_a(called, types.FunctionType):
            return _name_of(function), ""
        function = called
    code = function.__code__
    frame = frame_at(text_of(code.co_filename), code.co_firstlineno)
    return text_of(code.co_qualname), f"{frame.file}:{frame.line}"


def _name_of(function: object) -> str:
    """What is made in C goes by its name, anything else by its type's."""
    if type(function) is types.BuiltinFunctionType:
        return text_of(function.__name__)
    return type_name(function)
