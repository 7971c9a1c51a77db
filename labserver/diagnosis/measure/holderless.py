"""What is found of growth that no chain from a module or a running frame explains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labserver.diagnosis.fact import Fact, FoundKind
from labserver.diagnosis.measure.traced_pass import Traced
from labserver.diagnosis.result import Finding
from labserver.heap.heap_growth import Extension, Garbage, HolderGrowth, LostReferences
from labserver.heap.wire import Collected

_MOST = 0.5  # of what nobody holds: lost objects that are as much of it are all of it, for some lie in reused blocks


@dataclass(frozen=True, slots=True)
class Holderless:
    """Makes the findings.

    Attributes:
        growth_bytes: the whole growth.
        jobs: the jobs that brought it.
        traced: what the traced pass saw.
        at_most: bytes per job that a part is shown with.
    """

    growth_bytes: int
    jobs: int
    traced: Traced
    at_most: float = float("inf")

    def c_held(self, item: HolderGrowth) -> Finding:
        """What C code keeps alive by references that nothing shows."""
        per_job = item.growth_bytes / self.jobs
        told = Fact(FoundKind.C_HELD, {"per_job": per_job, "raised": _raised(item.raised_in)} | _root_items(item))
        lines = self.traced.lines_of(item) or self.traced.leading_lines
        return replace(self._finding("c-held", per_job, lines, told), chain=item.chain.links)

    def lost_as(self, item: HolderGrowth, lost: LostReferences) -> Finding:
        """What seems to be held by C code, and is held by nothing.

        Args:
            item: what the looks have counted.
            lost: the same as far as it was traced.
        """
        items = int(float(str(_root_items(item)["items"])))
        return self._lost(lost, item.growth_bytes / self.jobs, items, item.raised_in or lost.raised_in)

    def lost(self, lost: Sequence[LostReferences], left: float) -> list[Finding]:
        """What no look sees.

        Args:
            lost: as far as it was traced.
            left: bytes of the growth that nobody is seen to hold.
        """
        sizes = [self.traced.lost_per_job(one) for one in lost]
        factor = min(left / self.jobs / sum(sizes), 1 / _MOST) if sum(sizes) > _MOST * left / self.jobs else 1.0
        return [
            self._lost(one, factor * size, round(self.traced.items_per_job(one) * self.jobs), one.raised_in)
            for one, size in zip(lost, sizes, strict=True)
        ]

    def cycles(self, garbage: Garbage, collected: Collected | None) -> Finding:
        """What waits for a collection.

        Args:
            garbage: what no root reaches.
            collected: what a collection freed, where the application has switched its collector off.
        """
        per_job = garbage.bytes / self.jobs
        told = Fact(FoundKind.CYCLES, {"per_job": per_job, "objects": garbage.objects})
        if collected is not None:
            freed = "" if collected.bytes is None else Fact(FoundKind.FREED, {"bytes": collected.bytes})
            told = Fact(
                FoundKind.CYCLES_UNCOLLECTED,
                {"per_job": per_job, "at": self._at(), "objects": collected.objects, "freed": freed},
            )
        return self._finding("cycles", per_job, self.traced.leading_lines, told)

    def unexplained(self, left: float, owners: Sequence[HolderGrowth], held: Sequence[HolderGrowth] = ()) -> Finding:
        """What has no holder: the C library's, where tracing sees less of a job than the meter does.

        Args:
            left: bytes.
            owners: holders that gained as many objects as there were jobs.
            held: whatever gained some.
        """
        per_job, traced = left / self.jobs, self.traced.bytes_per_job
        native = traced is not None and traced < self.growth_bytes / self.jobs - per_job / 2
        per_job = min(per_job, self.at_most)
        if native:
            return self._native(per_job, owners)
        owner = _owner(owners or self.traced.allocated_with_the_leading(held))
        told = Fact(FoundKind.UNEXPLAINED, {"per_job": per_job, "at": self._at(), "owner": owner})
        return self._finding("unexplained", per_job, self.traced.leading_lines, told)

    def _native(self, per_job: float, owners: Sequence[HolderGrowth]) -> Finding:
        told = {
            "per_job": per_job,
            "owner": _owner(owners),
            "extensions": _extensions(self.traced.growth.extensions),
            "tried": self._tried(),
        }
        return Finding("native", per_job, (), Fact(FoundKind.NATIVE, told))

    def _tried(self) -> Fact | str:
        """What speaks against fragmentation."""
        if self.traced.spare_bytes is not None:
            return Fact(FoundKind.TRIMMED, {"spare": self.traced.spare_bytes})
        return Fact(FoundKind.IN_USE) if self.traced.in_use else ""

    def _lost(self, lost: LostReferences, per_job: float, items: int, raised_in: str | None) -> Finding:
        at = Fact(FoundKind.AT, {"line": lost.allocated_at[0]}) if lost.allocated_at else ""
        told = Fact(
            FoundKind.LOST_REFERENCE,
            {"per_job": per_job, "items": items, "type": lost.type, "raised": _raised(raised_in), "at": at},
        )
        return Finding("lost-reference", per_job, lost.allocated_at, told, stack=lost.stack)

    def _finding(self, kind: str, per_job: float, lines: Sequence[str], told: Fact) -> Finding:
        return self.traced.with_stack(Finding(kind, per_job, tuple(lines), told))

    def _at(self) -> Fact | str:
        lines = self.traced.leading_lines
        return Fact(FoundKind.AT, {"line": lines[0]}) if lines else ""


def _raised(by: str | None) -> Fact | str:
    return Fact(FoundKind.RAISED, {"by": by}) if by else ""


def _owner(owners: Sequence[HolderGrowth]) -> Fact | str:
    return Fact(FoundKind.OWNER, _items(owners[0])) if owners else ""


def _items(item: HolderGrowth) -> dict[str, str | float | Fact]:
    """What came to a holder, as the arguments of a fact."""
    return {"items": item.buffers, "type": item.buffer_type, "path": item.path}


def _root_items(item: HolderGrowth) -> dict[str, str | float | Fact]:
    """What C code holds itself: not the heaviest of what hangs below it."""
    if item.item_type is None or not item.items:
        return _items(item)
    return {"items": item.items, "type": item.item_type, "path": item.path}


def _extensions(called: Sequence[Extension], *, first: bool = True) -> Fact | str:
    """The extensions in a row."""
    if not called:
        return ""
    nearest = Fact(
        FoundKind.EXTENSION,
        {"name": called[0].name, "by": called[0].called_by, "next": _extensions(called[1:], first=False)},
    )
    return Fact(FoundKind.EXTENSIONS, {"nearest": nearest}) if first else Fact(FoundKind.THEN, {"next": nearest})
