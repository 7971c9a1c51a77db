"""Two heaps of two processes, in which no object is the same: what each path through the dominator tree retains."""

from dataclasses import dataclass

from labserver.heap.chain import in_one_line
from labserver.heap.file.dominator_groups import Group, groups_in
from labserver.heap.file.heap_view import HeapView

_LEAST_SHARE = 0.0005
_INNER = 0.95  # of a change, that one further in must be to be told in its place
_MOST, _MOST_TOPS = 40, 1000


@dataclass(frozen=True, slots=True)
class PathChange:
    """What a path retains in each heap.

    Attributes:
        path: through the dominator tree.
        old_count: objects at its end, in the first heap.
        new_count: in the second.
        more_bytes: that it retains in the second.
    """

    path: str
    old_count: int
    new_count: int
    more_bytes: int


def compare_strangers(old: HeapView, new: HeapView) -> list[PathChange]:
    """What has changed by path, the most bytes first; of nested paths that change alike, the longest alone."""
    before, after = _flat(old), _flat(new)
    changes = []
    for path in before | after:
        then, now = before.get(path, (0, 0)), after.get(path, (0, 0))
        if then[1] != now[1]:
            changes.append((path, then[0], now[0], now[1] - then[1]))
    inner: dict[tuple[str, ...], int] = {}
    for path, _, _, more in changes:
        inner[path[:-1]] = max(inner.get(path[:-1], 0), abs(more))
    told = [one for one in changes if inner.get(one[0], 0) < _INNER * abs(one[3])]
    told.sort(key=lambda one: -abs(one[3]))
    return [PathChange(in_one_line(path), then, now, more) for path, then, now, more in told]


def _flat(view: HeapView) -> dict[tuple[str, ...], tuple[int, int]]:
    """Each path with how many objects it leads to and what they retain."""
    found: dict[tuple[str, ...], tuple[int, int]] = {}

    def walk(group: Group, path: tuple[str, ...]) -> None:
        for one in group.groups:
            if one.count:
                here = (*path, one.name)
                count, retained = found.get(here, (0, 0))
                found[here] = count + one.count, retained + one.retained
                walk(one, here)

    walk(groups_in(view, least_share=_LEAST_SHARE, most=_MOST, most_tops=_MOST_TOPS), ())
    return found
