"""The memory of processes that run without our instruments, seen from outside."""

from collections.abc import Callable, Iterable

import psutil

from labserver.errors import CannotRun
from labserver.heap.meters import Settling, least
from labserver.heap.wire import FloorReading

_PAGE_BYTES = 4096  # the least that can be seen to fall from outside


def rest(processes: Callable[[], Iterable[psutil.Process]], drain_s: float) -> FloorReading:
    """The least of three readings, and of more for as long as they keep falling.

    Args:
        processes: gives those that are measured; what one of them starts or ends changes the answer.
        drain_s: seconds after which it is not waited for any longer.

    Returns:
        The private memory of all of them together; what only an instrument in the process knows is None.
    """
    settling = Settling(drain_s=drain_s, falling_bytes=_PAGE_BYTES)
    return least(lambda: _reading(processes()), lambda reading: reading.used_bytes, settling)


def _reading(processes: Iterable[psutil.Process]) -> FloorReading:
    private = threads = count = 0
    for process in processes:
        try:
            memory = process.memory_full_info()
            threads += process.num_threads()
        except psutil.NoSuchProcess:  # it has just ended, and has no memory any more
            continue
        except psutil.AccessDenied:
            raise CannotRun(
                f"The memory of process {process.pid} may not be read: run the check as the user it belongs to."
            ) from None
        private += memory.uss + getattr(memory, "swap", 0)
        count += 1
    return FloorReading(private_bytes=private, threads=threads, collecting=True, processes=count)
