"""What has come to a heap since a baseline, and who holds it, as the agent tells it.

As in `labserver.heap.wire`: keys are added and never renamed, and what came later than the first version has a default.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labserver.heap.chain import Chain
from labserver.heap.frame import Frame
from labserver.heap.message import Message
from labserver.heap.root import Root, RootKind
from labserver.heap.wire import FinishedJobs, LookCost, cost_of, jobs_of


def _frames(stack: Iterable[Mapping[str, Any]]) -> tuple[Frame, ...]:
    return tuple(map(Frame.from_json, stack))


@dataclass(frozen=True, slots=True)
class Garbage(Message):
    """What no root reaches: cycles that wait for the collector."""

    objects: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal(Message):
    """What the code around a container says about letting go of its items.

    Attributes:
        seen: whether all code that may reach the container was read: that of its referrers and of their classes.
        by: where something is taken out, such as `Cache.set (shop/cache.py:41)`; None where nothing does.
        runs: whether a thread, a timer or a task that is alive runs that code, so that it comes by itself.
        opaque: whether the container, or what keeps it, is of an extension's type: that may evict, and nobody can read
            it.
    """

    seen: bool = False
    by: str | None = None
    runs: bool = False
    opaque: bool = False

    def joined(self, other: "Removal") -> "Removal":
        """What takes something out of either container."""
        return Removal(
            seen=self.seen and other.seen,
            by=self.by or other.by,
            runs=self.runs or other.runs,
            opaque=self.opaque or other.opaque,
        )


@dataclass(frozen=True, slots=True)
class TypeChange(Message):
    """What a holder gained and lost of one type, itself or below its items.

    Attributes:
        type: the type's name.
        came: objects that came since the baseline.
        gone: that went.
        bytes: net.
    """

    type: str
    came: int
    gone: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LostReferences(Message):
    """Objects of one type and stack whose counts say that they are referred to, where nothing in memory does.

    Attributes:
        type: their type's name.
        items: how many were allocated since tracing began.
        bytes: `sys.getsizeof` of them and of what hangs on them alone.
        unseen_bytes: of these, what no look at the heap sees: what the collector does not track.
        raised_in: what raised them, such as `Company.short (shop.py:12)`, if they are exceptions with a traceback.
        allocated_at: the application's lines that allocated one, or all lines where none is the application's.
        stack: the whole stack, the allocating line first.
    """

    type: str
    items: int
    bytes: int
    unseen_bytes: int = 0
    raised_in: str | None = None
    allocated_at: tuple[str, ...] = ()
    stack: tuple[Frame, ...] = field(default=(), metadata={"read": _frames})


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedThreads(Message):
    """Threads that run one function, and that came since the baseline and still run.

    Attributes:
        function: what they run, such as `Session.run`.
        place: where that is defined, such as `shop.py:12`; empty where it is made in C.
        type: the class of the threads, by name.
        count: how many.
        names: of the threads, without the numbers in them.
        allocated_at: the application's lines that made one; empty where nobody traced.
        stack: the whole stack, the allocating line first.
    """

    function: str
    place: str
    type: str
    count: int
    names: tuple[str, ...] = ()
    allocated_at: tuple[str, ...] = ()
    stack: tuple[Frame, ...] = field(default=(), metadata={"read": _frames})


@dataclass(frozen=True, slots=True)
class Extension(Message):
    """An extension module that the application's code calls, itself or through a library.

    Attributes:
        name: as it is imported, such as `lxml.etree`.
        called_by: the application's function from which it is reached, such as `render (shop.py:12)`.
        through: how many functions and classes of others lie between the two.
    """

    name: str
    called_by: str
    through: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldGroup(Message):
    """A group of objects that came since the baseline and are held in the same place.

    Attributes:
        path: from a root to one of them, in one line.
        holder: the path to the last object that is on the way to all of them.
        holder_type: its type.
        buffer_type: the type that has the most bytes among them.
        buffers: how many of that type came, less those that went.
        growth_bytes: what the allocators gave for the group, less what they got back.
        retained_bytes: the same as `sys.getsizeof` counts, but no more than letting go of the holder frees.
        chain: the path as data.
        root: where it begins; None from a version that did not tell.
        holder_at: which link of the chain the holder is; None from a version that did not tell.
        also_held_by: the paths to those others.
        bound: the number of entries that the holder says it keeps at most.
        bound_from: what says so.
        item_type: the type of what hangs directly below the holder, such as `Session`; None where nobody told.
        items: how many of these came, less those that went.
        item_bytes: what the allocators gave for these and all below them, less what they got back.
        contents: what the items consist of, by type, the most bytes first.
        length: entries of the container by now, those of the baseline included; None where it has no length.
        removal: what speaks for a bound in the code around the container; None where nobody looked.
        bound_bytes: the most bytes that its owner says it keeps, where the owner counts bytes and not entries.
        thinks_bytes: how many bytes the owner's own account says it keeps by now.
        raised_in: what raised the items, if they are exceptions with a traceback.
    """

    path: str
    holder: str
    holder_type: str
    buffer_type: str
    buffers: int
    growth_bytes: int
    retained_bytes: int
    chain: Chain = field(metadata={"read": Chain.from_json})
    root: Root | None = field(default=None, metadata={"read": lambda root: root and Root.from_json(root)})
    holder_at: int | None = None
    also_held_by: tuple[str, ...] = ()
    bound: int | None = None
    bound_from: str | None = None
    item_type: str | None = None
    items: int | None = None
    item_bytes: int | None = None
    contents: tuple[TypeChange, ...] = field(
        default=(), metadata={"read": lambda items: tuple(map(TypeChange.from_json, items))}
    )
    length: int | None = None
    removal: Removal | None = field(default=None, metadata={"read": lambda told: told and Removal.from_json(told)})
    bound_bytes: int | None = None
    thinks_bytes: int | None = None
    raised_in: str | None = None


@dataclass(frozen=True, slots=True)
class WorkerGain(Message):
    """What a holder gained in one of several processes that serve together.

    Attributes:
        pid: of the process.
        items: that came, less those that went.
        bytes: the same, as the allocators give and get back.
    """

    pid: int
    items: int
    bytes: int


def _gains(told: Iterable[Mapping[str, Any]]) -> tuple[WorkerGain, ...]:
    return tuple(map(WorkerGain.from_json, told))


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderGrowth(HeldGroup):
    """Such a group, as other processes are told of it.

    Attributes:
        holder_retained_bytes: what would be freed if the holder let go, the baseline's objects included; where others
            hold the group as well, if all of them did; None from a version that did not tell.
        allocated_at: the application's lines that allocated one of its objects, the innermost first, or all lines where
            none is the application's; empty where nobody traced.
        fingerprint: a short name, the same in every run.
        cohorts: of the items that are there now, how many were first seen at the baseline, at the first look after it,
            and so on up to this one; empty where nobody remembers them.
        stack: the whole stack that allocated that object, the allocating line first; empty where nobody traced.
        workers: what each of several processes has of it, in their order; empty for one process.
    """

    holder_retained_bytes: int | None = None
    allocated_at: tuple[str, ...] = ()
    fingerprint: str
    cohorts: tuple[int, ...] = ()
    stack: tuple[Frame, ...] = field(default=(), metadata={"read": _frames})
    workers: tuple[WorkerGain, ...] = field(default=(), metadata={"read": _gains})

    @property
    def is_held_by_c(self) -> bool:
        """Whether nothing but C code is seen to hold it."""
        if self.root is not None:
            return self.root.kind is RootKind.C_CODE
        # An older version tells the root by its name alone.
        return [link.name for link in self.chain.links[:1]] == [Root(RootKind.C_CODE).title]


@dataclass(frozen=True, slots=True)
class Remembered(Message):
    """The cohorts of a holder that earlier looks named and this one does not, since it keeps less than at the baseline.

    Attributes:
        fingerprint: its short name.
        cohorts: as those of a `HolderGrowth`.
    """

    fingerprint: str
    cohorts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapGrowth(Message):
    """What has changed in a heap since its baseline.

    Attributes:
        holders: who holds what has come, the most bytes first.
        bytes: how much more the allocators gave; None where that is known in part.
        objects: how many more there are.
        garbage: of these, what waits for the collector.
        notes: sentences about single holders, and about what could not be seen.
        complete: whether the whole heap was walked, now and then; if not, holders may be missing.
        remembered: holders that were named by an earlier look, and that are no longer among these.
        threads: that came and still run, the most first; empty from a version that did not tell.
        lost: where references were lost; empty where nobody traced.
        extensions: that the application calls, the nearest first; empty where nobody traced.
        jobs: that were finished by then; None where nothing in the process counts them.
        cost: of the look; None from a version that did not tell.
    """

    holders: tuple[HolderGrowth, ...] = field(
        default=(), metadata={"read": lambda items: tuple(map(HolderGrowth.from_json, items))}
    )
    bytes: int | None = None
    objects: int = 0
    garbage: Garbage = field(default=Garbage(), metadata={"read": Garbage.from_json})
    notes: tuple[str, ...] = ()
    complete: bool = True
    remembered: tuple[Remembered, ...] = field(
        default=(), metadata={"read": lambda items: tuple(map(Remembered.from_json, items))}
    )
    threads: tuple[StartedThreads, ...] = field(
        default=(), metadata={"read": lambda items: tuple(map(StartedThreads.from_json, items))}
    )
    lost: tuple[LostReferences, ...] = field(
        default=(), metadata={"read": lambda items: tuple(map(LostReferences.from_json, items))}
    )
    extensions: tuple[Extension, ...] = field(
        default=(), metadata={"read": lambda items: tuple(map(Extension.from_json, items))}
    )
    jobs: FinishedJobs | None = field(default=None, metadata={"read": jobs_of})
    cost: LookCost | None = field(default=None, metadata={"read": cost_of})


@dataclass(frozen=True, slots=True)
class Site(Message):
    """A stack that allocated what is still there.

    Attributes:
        bytes: that are.
        blocks: in how many pieces.
        allocated_at: the application's lines, the innermost first, or all lines where none is the application's.
        stack: the whole stack, the allocating line first; empty from a version that did not tell.
    """

    bytes: int
    blocks: int
    allocated_at: tuple[str, ...]
    stack: tuple[Frame, ...] = field(default=(), metadata={"read": _frames})
