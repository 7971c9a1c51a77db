"""Threads that jobs leave behind are the cause of what they hold, and of what has no other name: they lead."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from labserver.diagnosis.fact import Fact, FoundKind
from labserver.diagnosis.result import Finding, NamedHolder
from labserver.heap.heap_growth import HolderGrowth, StartedThreads
from labserver.heap.root import RootKind

# Where the standard library keeps its threads, and what it hands to them.
_KEEPERS = ("threading", "_thread", "concurrent.futures.thread", "_threading_local")
_THREADS_OWN = (RootKind.LOCAL, RootKind.GLOBALS, RootKind.EXCEPTION, RootKind.THREAD_LOCAL)
_THREADS_CONTEXT = (RootKind.CONTEXT, RootKind.CONTEXT_VARIABLE)
_APART = ("lost-reference",)  # which no thread can be the cause of


@dataclass(frozen=True, slots=True)
class ThreadFinding:
    """The finding, and what folds under it.

    Attributes:
        threads: that are left.
        jobs: that left them.
        started: what they run, the most first; empty where nobody knows.
        holders: of what they hold.
        at_most: bytes per job that a part of the growth is shown with.
    """

    threads: int
    jobs: int
    started: Sequence[StartedThreads]
    holders: tuple[NamedHolder, ...]
    at_most: float = float("inf")

    @staticmethod
    def is_of(item: HolderGrowth, started: Collection[StartedThreads]) -> bool:
        """Whether a chain begins at such threads, or passes through them from where only they are kept."""
        root = item.root
        if root is not None and root.kind in _THREADS_OWN + _THREADS_CONTEXT:
            return any(root.thread in one.names for one in started)
        links = item.chain.links
        if root is not None and root.kind is RootKind.MODULE and root.name in _KEEPERS:
            return True
        holder_at = item.holder_at if item.holder_at is not None else len(links) - 1
        kinds = {one.type for one in started}
        return any(link.type in kinds for link in links[1 : holder_at + 1])

    def leading(self, others: Sequence[Finding]) -> list[Finding]:
        """The finding, with whatever else may be the threads' in it; then the others."""
        apart = [one for one in others if one.kind in _APART]
        inside = [one for one in others if one not in apart]
        held = min(sum(one.growth_bytes for one in self.holders) / self.jobs, self.at_most)
        first = self.started[0] if self.started else None
        lines = first.allocated_at if first is not None else ()
        told = Fact(
            FoundKind.THREADS,
            {
                "threads": self.threads,
                "jobs": self.jobs,
                "running": "" if first is None else _running(first),
                "started": Fact(FoundKind.STARTED, {"line": lines[0]}) if lines else "",
                "beside": self._beside(),
                "held": Fact(FoundKind.HELD, {"per_job": held}) if self.holders else "",
            },
        )
        known = lines or next((one.allocated_at for one in inside if one.allocated_at), ())
        return [
            Finding(
                "threads",
                min(held + sum(one.bytes_per_job for one in inside), self.at_most),
                known,
                told,
                stack=first.stack if first is not None and lines else (),
                holders=self.holders,
            ),
            *apart,
        ]

    def _beside(self) -> Fact | str:
        """The threads that run something else than the most of them do."""
        others = sum(one.count for one in self.started[1:])
        return Fact(FoundKind.BESIDE, {"threads": others}) if others else ""


def _running(started: StartedThreads) -> Fact:
    place = Fact(FoundKind.PLACE, {"line": started.place}) if started.place else ""
    return Fact(FoundKind.RUNNING, {"function": started.function, "place": place})
