"""One load cycle between two looks at the heap: where its growth was allocated, and who holds it."""

from collections.abc import Sequence
from dataclasses import dataclass

from labserver.diagnosis.holders.find import Holder, find_growth
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.errors import ClaimFailed
from labserver.heap.chain import Chain
from labserver.heap.chains import objgraph_chain
from labserver.heap.frame import Frame
from labserver.heap.graph import HeapGraph, heap_graph
from labserver.heap.tracemalloc_tools import (
    DEFAULT_FRAMES,
    AllocationSite,
    allocation_growth,
    own_frames,
    take_snapshot,
    tracing,
)
from labserver.incident.experiments.leak.run import Experiment
from labserver.incident.experiments.measured import Measured


@dataclass(frozen=True, slots=True)
class GrowthTrace(Measured):
    """What a load cycle left behind.

    Attributes:
        jobs: finished in the cycle.
        growth_bytes: from floor to floor, traced.
        sites: allocation sites, the largest growth first.
        holders: of what came in the cycle, the most bytes first.
        objgraph_path: objgraph's chain to one of the first holder's buffers; None where it found none.
    """

    jobs: int
    growth_bytes: int
    sites: list[AllocationSite]
    holders: list[Holder]
    objgraph_path: str | None

    def top_holder(self) -> Holder:
        """The holder of the most bytes.

        Raises:
            ClaimFailed: nothing that the cycle allocated outlived it.
        """
        if not self.holders:
            raise ClaimFailed(f"Nothing new outlived the drain of {self.jobs} jobs: there is no holder to name.")
        return self.holders[0]

    def grown_sites(self, most: int) -> list[AllocationSite]:
        """The sites that kept more than they let go, the largest growth first."""
        return [site for site in self.sites if site.growth_bytes > 0][:most]


def service_line(frames: Sequence[Frame]) -> Frame:
    """The innermost line of a stack in the service's own code, which its owner can change; else of the whole stack."""
    return (own_frames(frames, "labserver.incident.service") or tuple(frames))[0]


def trace_growth(running: Experiment, *, frames: int = DEFAULT_FRAMES) -> GrowthTrace:
    """Run one load cycle, let results expire, and tell what is new in the heap.

    memlab's three looks in two: what was there before the cycle is the baseline, and what the cycle allocated counts
    only if it outlived the drain and the expiry. Only this cycle is traced, because keeping ten frames of each
    allocation makes the service several times slower.

    Args:
        running: warmed up, and not traced so far.
        frames: how many frames of each allocation tracemalloc keeps.
    """
    with heap_graph() as graph:
        baseline = snapshot_of(graph)
    with tracing(frames):
        before, first = take_snapshot(), running.floor()
        running.cycle()
        running.age_results()
        # The floor comes first: the second snapshot's own bytes are not the server's growth.
        last, after = running.floor(), take_snapshot()
        with heap_graph() as graph:
            holders = list(find_growth(graph, baseline).holders)
            cross_check = _cross_check(graph, holders)
    return GrowthTrace(
        jobs=last.finished_jobs - first.finished_jobs,
        growth_bytes=last.traced_bytes - first.traced_bytes,
        sites=allocation_growth(before, after),
        holders=holders,
        objgraph_path=cross_check.path if cross_check is not None else None,
    )


def _cross_check(graph: HeapGraph, holders: list[Holder]) -> Chain | None:
    """objgraph's chain to one of the first holder's buffers."""
    if not holders:
        return None
    return objgraph_chain(graph.objects[holders[0].example_node], ignore=[graph, graph.objects])
