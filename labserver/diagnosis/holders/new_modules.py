"""Modules that jobs make: what holds them is the interpreter's table of modules, and not each of them by itself."""

import sys

import numpy as np

from labserver.diagnosis.holders.snapshot import Snapshot
from labserver.heap.graph import HeapGraph

_FEWEST = 8  # fewer are late imports, each of which brings what is kept once


def hang_new_modules(graph: HeapGraph, before: Snapshot) -> None:
    """Let what many new modules hold be reached by way of `sys.modules`, where jobs have put them.

    A module is a root, so that each would hold what came with it under a path of its own.

    Args:
        graph: the heap now, in which they are no roots any more.
        before: the heap at the baseline.
    """
    modules = np.arange(graph.modules)
    new = modules[~np.isin(graph.addresses[modules], before.addresses)]
    table = graph.find(sys.modules)
    if new.size >= _FEWEST and table is not None:
        graph.hang(new, table)
