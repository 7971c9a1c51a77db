import os
import threading
import zlib

import pytest

from labserver.heap.chains import chain_to
from labserver.heap.fork import in_fork
from labserver.heap.graph import heap_graph
from labserver.heap.layout.fields import decompressor_fields

TEXT = zlib.compress(os.urandom(50_000))


def test_the_fields_are_what_the_attributes_say():
    ended, under_way, new = (zlib.decompressobj() for _ in range(3))
    ended.decompress(TEXT + b"more")
    under_way.decompress(TEXT, 10)
    for one in (ended, under_way, new):
        fields = decompressor_fields(one)
        assert set(fields) == {"unused_data", "unconsumed_tail"}
        assert all(value is getattr(one, name) for name, value in fields.items())


@pytest.mark.timeout(120)
def test_a_look_does_not_wait_for_a_thread_that_was_decompressing(shop):
    shop.STREAMS = [zlib.decompressobj() for _ in range(50)]
    for stream in shop.STREAMS:
        stream.decompress(TEXT, 10)
    leave, tails = threading.Event(), [id(stream.unconsumed_tail) for stream in shop.STREAMS]
    large, busy = zlib.compress(bytes(200_000_000)), zlib.decompressobj()
    shop.BUSY = busy

    def decompress():
        while not leave.is_set():
            busy.copy().decompress(large)
            shop.BUSY = another = zlib.decompressobj()
            another.decompress(large)

    def look(roots):
        with heap_graph(roots) as graph:
            nodes = [node for node, address in enumerate(graph.addresses.tolist()) if address in tails]
            return [chain_to(graph, node, graph.parents()).trail for node in nodes]

    thread = threading.Thread(target=decompress)
    thread.start()
    try:
        for _ in range(3):
            found = in_fork(look, within_s=30)
            assert found == ["module shop → STREAMS → […] → Decompress.unconsumed_tail"] * len(tails)
    finally:
        leave.set()
        thread.join()
