"""A heap graph as a record: what of it may leave the process, and nothing else."""

import os
import platform
import types
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
import psutil

from labserver.heap.file.code_names import is_plain, names_in, of_thread
from labserver.heap.file.edge_names import EdgeNames
from labserver.heap.file.record import About, CodeLine, Record, ThreadStack, TypeName
from labserver.heap.graph import HeapGraph
from labserver.heap.is_a import is_a, module_of, of_class, own_attribute, text_of
from labserver.heap.layout.objects import Indices
from labserver.heap.roots import Roots
from labserver.heap.tracemalloc_tools import short_path

T = TypeVar("T")

_LONGEST_TEXT = 64
_LONGEST_KEY = 40
_LONGEST_STACK = 100
_UNTOLD = "…"


def about_this_process(*, target: str = "", with_names: bool = False) -> About:
    """Where a heap comes from that is about to be taken; to be asked before a fork, after which the process is another.

    Args:
        target: what the user calls it.
        with_names: whether keys and strings are told, shortened; bytes never are.
    """
    return About(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        pid=os.getpid(),
        started=psutil.Process().create_time(),
        taken=datetime.now(UTC).isoformat(timespec="seconds"),
        target=target,
        with_names=with_names,
    )


def record_of(graph: HeapGraph, roots: Roots, about: About) -> Record:
    """Describe a heap.

    Args:
        graph: the heap.
        roots: that it was walked from; the threads' stacks are read here.
        about: where it comes from.
    """
    _, first, kind = np.unique(graph.types, return_index=True, return_inverse=True)
    kind = kind.astype(np.int32)
    classes = [type(graph.objects[at]) for at in first.tolist()]
    code = dict(_exactly(graph, types.CodeType))
    names = EdgeNames(graph, classes, kind, names_in(code.values()), _key_text if about.with_names else None)
    texts, checksums = _texts(graph) if about.with_names else ({}, np.zeros(0, dtype=np.int64))
    return Record(
        about=replace(about, complete=graph.complete, notes=graph.notes),
        type_names=[TypeName(text_of(of_class(cls, "__qualname__")), module_of(cls)) for cls in classes],
        edges=names.table,
        types=kind,
        sizes=graph.sizes,
        addresses=graph.addresses,
        starts=graph.starts,
        targets=graph.targets,
        edge_of=names.of,
        modules=graph.modules,
        roots={node: replace(root, thread=of_thread(root.thread)) for node, root in graph.local_roots.items()},
        cycles=graph.cycles(),
        garbage=np.flatnonzero(graph.garbage),
        names=dict(_names(graph, classes, kind)),
        lines={node: CodeLine(short_path(one.co_filename), one.co_firstlineno) for node, one in code.items()},
        threads=list(_threads(roots)),
        texts=texts,
        checksums=checksums,
    )


def _names(graph: HeapGraph, classes: list[type], kind: Indices) -> Iterator[tuple[int, str]]:
    """The names of modules, classes, functions and code objects."""
    for node, module in enumerate(graph.objects[: graph.modules]):
        name = text_of(own_attribute(module, "__name__"))
        yield node, name if all(map(is_plain, name.split("."))) else _UNTOLD
    of_classes = np.array([issubclass(cls, type) for cls in classes])[kind]
    for node in np.flatnonzero(of_classes).tolist():
        cls = graph.objects[node]
        if is_a(cls, type):
            yield node, text_of(of_class(cls, "__qualname__"))
    yield from ((node, text_of(one.__qualname__)) for node, one in _exactly(graph, types.FunctionType))
    yield from ((node, one.co_qualname) for node, one in _exactly(graph, types.CodeType))


def _exactly(graph: HeapGraph, cls: type[T]) -> Iterator[tuple[int, T]]:
    """The objects of exactly that type."""
    for node in np.flatnonzero(graph.types == id(cls)).tolist():
        obj = graph.objects[node]
        if is_a(obj, cls):
            yield node, obj


def _threads(roots: Roots) -> Iterator[ThreadStack]:
    for ident, stack in roots.frames.items():
        name = of_thread(roots.names.get(ident, "…"))
        frames = stack[:_LONGEST_STACK]
        lines = (f"{short_path(one.f_code.co_filename)}:{one.f_lineno} in {one.f_code.co_qualname}" for one in frames)
        yield ThreadStack(name, tuple(lines))


def _texts(graph: HeapGraph) -> tuple[dict[int, str], Indices]:
    texts = dict(_exactly(graph, str))
    sums = (zlib.crc32(text.encode(errors="surrogatepass")) for text in texts.values())
    short = {node: _short(text, _LONGEST_TEXT) for node, text in texts.items()}
    return short, np.fromiter(sums, np.int64, len(texts))


def _key_text(key: object) -> str:
    return repr(_short(key, _LONGEST_KEY)) if type(key) is str else ""


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
