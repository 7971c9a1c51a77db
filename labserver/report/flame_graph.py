"""What the traced jobs left, by the stacks that allocated it: the data of the page's flame graph."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labserver.diagnosis.fact import NoteKind
from labserver.diagnosis.result import CheckResult
from labserver.heap.frame import Frame
from labserver.heap.heap_growth import Site

_LEAST_SHARE = 0.05  # of the bytes per job: what a server's own bookkeeping leaves is less


@dataclass(slots=True)
class _Node:
    """What was allocated by a line, or by what it called."""

    bytes: int = 0
    callees: "dict[Frame, _Node]" = field(default_factory=dict)


def stacks_of(result: CheckResult) -> tuple[Site, ...]:
    """The sites whose stacks are known: an older version in the service tells their lines alone."""
    return tuple(site for site in result.sites if site.stack and site.bytes > 0)


def traced_jobs(result: CheckResult) -> int | None:
    """How many jobs left that; None where nobody noted it."""
    noted = (note.arguments.get("jobs") for note in result.noted if note.kind is NoteKind.LINES_TRACED)
    jobs = next(noted, None)
    return jobs if isinstance(jobs, int) else None


def is_untraced(result: CheckResult) -> bool:
    """Whether tracing saw next to nothing of what is kept, so that a graph of what it saw would mislead."""
    jobs = traced_jobs(result)
    if not jobs or result.interval is None or result.interval.estimate <= 0:
        return False
    return sum(site.bytes for site in stacks_of(result)) / jobs < _LEAST_SHARE * result.interval.estimate


def flame_json(sites: Sequence[Site]) -> str:
    """The stacks as one tree, from the outermost callers down, as JSON that can stand in a page.

    Its `frames` are `[function, place, origin]` each; a node of its `tree` is `[index of its frame, bytes, callees]`,
    and the first node, which is everything, has the index -1.
    """
    whole = _Node()
    for site in sites:
        node = whole
        node.bytes += site.bytes
        for frame in reversed(site.stack):
            node = node.callees.setdefault(frame, _Node())
            node.bytes += site.bytes
    frames: dict[Frame, int] = {}
    tree = _plain(whole, -1, frames)
    described = [[frame.function, f"{frame.file}:{frame.line}", str(frame.origin)] for frame in frames]
    text = json.dumps({"frames": described, "tree": tree}, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # or it could end the element that it stands in


def _plain(node: _Node, at: int, frames: dict[Frame, int]) -> list[Any]:
    callees = sorted(node.callees.items(), key=lambda item: item[1].bytes, reverse=True)
    return [at, node.bytes, [_plain(one, frames.setdefault(frame, len(frames)), frames) for frame, one in callees]]
