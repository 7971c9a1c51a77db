import pytest

from labserver.heap.file import HeapFile
from labserver.heap.file.describing import about_this_process, record_of
from labserver.heap.file.record_file import write_record
from labserver.heap.graph import heap_graph
from labserver.heap.roots import gather_roots


@pytest.fixture
def keep(tmp_path):
    """Keep the heap of this process as a file; what `live` says of the graph meanwhile is given back too."""
    count = 0

    def keep(live=lambda _: None, **about):
        nonlocal count
        count += 1
        path = tmp_path / f"{count}.heap"
        roots = gather_roots()
        with heap_graph(roots) as graph, path.open("wb") as file:
            write_record(record_of(graph, roots, about_this_process(**about)), file)
            told = live(graph)
        roots.clear()
        return HeapFile(path), told

    return keep
