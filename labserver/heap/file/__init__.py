"""Heaps as files: written by a process about itself, read anywhere, without its code and in another Python."""

from labserver.heap.file.heap_file import HeapFile

__all__ = ["HeapFile"]
