import pytest

from labserver.heap.file import HeapFile
from labserver.heap.file.describing import about_this_process, record_of
from labserver.heap.file.record_file import write_record
from labserver.heap.file.saving import save_heap
from labserver.heap.graph import heap_graph
from labserver.heap.roots import gather_roots


@pytest.fixture
def keep(tmp_path):
    """Keep the heap of this process as a file, by a forked child; or here, with what `live` says of the graph then."""
    count = 0

    def keep(live=None, **options):
        nonlocal count
        count += 1
        path, told = tmp_path / f"{count}.heap", None
        with path.open("wb") as file:
            if live is None:
                save_heap(file, **options)
                return HeapFile(path), told
            roots = gather_roots()
            with heap_graph(roots) as graph:
                write_record(record_of(graph, roots, about_this_process(**options)), file)
                told = live(graph)
            roots.clear()
        return HeapFile(path), told

    return keep
