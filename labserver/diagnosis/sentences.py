"""The English of what a check found: the one place where facts become words."""

from collections.abc import Mapping
from enum import StrEnum
from string import Formatter
from typing import Any

from labserver.amounts import count, duration, percent, rough_size
from labserver.diagnosis.fact import Fact, FailedKind, FoundKind, NoteKind, PartKind, ReasonKind, State
from labserver.heap.chain import abridged

# A reason follows a colon and is followed by a full stop; a note is a sentence by itself.
_REASONS: dict[StrEnum, str] = {
    ReasonKind.NO_SLOPE: "a slope needs three floors, and only {floors} could be read",
    ReasonKind.FEW_FLOORS: "only {floors} floors were read, at least {least} are needed",
    ReasonKind.FEW_JOBS: "too few jobs were run",
    ReasonKind.SPANS_TOLERANCE: "the interval still spans the tolerance",
    ReasonKind.NEAR_TOLERANCE: "the growth is too near the tolerance to be sure of",
    ReasonKind.COMES_BACK: (
        "memory is hardly above what it was before it fell: what is filled and emptied again looks like that"
    ),
    ReasonKind.MAY_BE_NONE: "the interval covers 0, so memory at rest may not have grown at all",
    ReasonKind.COUNTED_BUT_MAY_BE_NONE: (
        "{path:path} gained {items:item} in {jobs:,} jobs, but the interval covers 0, so memory at rest may not "
        "have grown at all"
    ),
    ReasonKind.MAY_BE_A_CACHE: "the growth may be that of a cache that takes thousands of jobs to fill",
    ReasonKind.SLOWS_DOWN: "the growth is slowing down, as that of a cache that fills",
    ReasonKind.FILLS: "a cache is filling up to its bound",
    ReasonKind.LETS_GO: "most of the growth is of items that are let go of after a while",
    ReasonKind.NOT_FULL: "the growth is that of {path:path}, which declares a bound of {bound:,} and is not full yet",
    ReasonKind.NOT_COUNTED: "the holders have not been counted yet",
    ReasonKind.FEW_LARGE_ITEMS: "a holder has gained a few large items",
    ReasonKind.MAPPED_GROWS: "memory that is mapped directly grows",
    ReasonKind.EXPIRES: (
        "memory goes down again within {seconds:.0f} s without load: give --settle {seconds:.0f} or more"
    ),
    ReasonKind.REPLACED: (
        "the processes that serve were replaced by others {times:time}, the last after {jobs:job}, before there was an "
        "answer: let them live longer (gunicorn: --max-requests) while they are checked"
    ),
    ReasonKind.FEW_LOOKS: "so few looks ({looks}) show no trend",
    ReasonKind.MAY_EVICT: (
        "{path:path} keeps all that it gets so far, but {by} can take something out, and may do so later"
    ),
    ReasonKind.UNSEEN_CODE: (
        "{path:path} keeps all that it gets so far, but not all code around it could be read: something may be taken "
        "out later"
    ),
    ReasonKind.UNHELD: "memory grows, and no holder is seen to keep what comes",
    ReasonKind.SEEN_IN_PART: "the heap is too large to be seen whole, and of a part nobody can say what stays",
    ReasonKind.STALLS: (
        "a look holds the process up for {stall_ms:.0f} ms, and {allowed_ms:.0f} are allowed: give --stall-ms"
    ),
}
_NOTES: dict[StrEnum, str] = {
    NoteKind.FEW_JOBS: "In so few jobs a cache that takes thousands of keys looks like a leak.",
    NoteKind.FEW_ITEMS: (
        "Of so few items no trend is sure: a cache that few jobs use and that fills slowly would look the same."
    ),
    NoteKind.FOUND_BY_COUNTING: (
        "Found by counting: {path:path} gained {items:item} of {item_bytes:,.0f} B in {jobs:,} jobs."
    ),
    NoteKind.GAINED: "{path:path} gained {items:item} of {item_bytes:,.0f} B in {jobs:,} jobs.",
    NoteKind.MAPPED_GROWS: "The growth is memory that is mapped directly, beside all allocators.",
    NoteKind.SLOW_WARM_UP: "The application is slow: the warm-up ended after {jobs} jobs.",
    NoteKind.EXPIRED: (
        "Memory went down by itself within {seconds:.1f} s without load: measured anew, with that wait before each "
        "floor."
    ),
    NoteKind.STOPPED: "{path:path} grew no further from {entries:entry} on: measured anew, from there.",
    NoteKind.CHALLENGED: "Challenged: {path:path} shows no bound up to {entries:entry} ({bytes:bytes}){although}.",
    NoteKind.CHALLENGED_BYTES: "Challenged: memory went on growing, by {bytes:bytes} in {jobs:,} jobs.",
    NoteKind.LETS_GO: (
        "{path:path} lets go of its oldest items; it kept {most:,} more at most. What is judged is what stays beside "
        "them."
    ),
    NoteKind.BEYOND_MEMORY: (
        "{path:path} declares {bound:entry}: {bytes:bytes}, more than the service may take, so that the bound is none."
    ),
    NoteKind.BYTES_BEYOND_MEMORY: (
        "{path:path} declares a bound of {bytes:bytes}, more than the service may take, so that the bound is none."
    ),
    NoteKind.MISSES_BYTES: (
        "{path:path} declares a bound of {bound:bytes}{thinks}, and keeps {bytes:bytes}: the account misses what the "
        "entries hold, so that the bound is none."
    ),
    NoteKind.IN_BYTES: "{path:path} declares a bound of {bytes:bytes}, which is about {entries:entry}.",
    NoteKind.RISES: "Memory grows by {per_job:,.0f} B a job, within the tolerance of {tolerance:,.0f} B{by}.",
    NoteKind.NEXT: "Next: the same with {option} {value}.",
    NoteKind.FILLED: "{path:path} was filled up to its bound of {bound:,} before the measured jobs.",
    NoteKind.JOBS_FAILED: "{failed} of {jobs} jobs failed ({share:%}): {why}.",
    NoteKind.THREADS_LEFT: "{threads} threads were started by {jobs} jobs and still run.",
    NoteKind.TRACED: "This platform's allocators keep no books: the memory was traced, which costs time.",
    NoteKind.MAY_HIDE: "What fewer than 1 in {jobs:,} jobs keep may not have shown.",
    NoteKind.UNDECIDED: "Undecided after {jobs} jobs: {reason}.",
    NoteKind.OBSERVED_UNDECIDED: "Undecided after {seconds:duration} of its traffic: {reason}.",
    NoteKind.MOST_HELD: "Most of the growth is held by {path:path}: {items:item} by the last look.",
    NoteKind.TOGETHER: "{processes} processes serve together ({pids}): bytes and items are those of all of them.",
    NoteKind.REGROUPED: (
        "Other processes took the place of some that served, {times:time}: all was measured anew with them, from the "
        "warm-up on."
    ),
    NoteKind.NO_LOOK: "The heap could not be looked at, so the holders are not known: {why}.",
    NoteKind.IN_PART: (
        "The heap is too large to be seen whole in the time and memory of a look: holders may be missing."
    ),
    NoteKind.LINES_TRACED: ("The allocating lines come from {jobs} more jobs under tracemalloc with {frames} frames."),
    NoteKind.NO_TIME_FOR_LINES: "The seconds were over before the allocating lines could be looked for.",
    NoteKind.NO_LINES: "The allocating lines could not be looked for: {why}.",
    NoteKind.FOUND_IN_TIME: (
        "Found by counting: {path:path} gained {items:item} of {item_bytes:,.0f} B in {seconds:duration}."
    ),
    NoteKind.GAINED_IN_TIME: "{path:path} gained {items:item} of {item_bytes:,.0f} B in {seconds:duration}.",
    NoteKind.LASTED: "{path:path} has kept its oldest items for {seconds:duration}{by}.",
    NoteKind.LOOKED: (
        "Looked {looks} times, every {every:duration}: {share:%} of one core; a look held the process up for "
        "{stall_ms:.1f} ms, {most_ms:.1f} ms at most, of the {allowed_ms:.0f} ms that are allowed."
    ),
    NoteKind.JOBS_COUNTED: "The jobs are those that {by} has counted.",
    NoteKind.NOBODY_COUNTS: (
        "Nothing in the process counts its jobs, so all is per hour: give --jobs-from, or put labserver.wsgi() or "
        "labserver.asgi() around the application."
    ),
    NoteKind.STANDS_STILL: "The count of jobs of {by} stands still while memory grows, so all is per hour.",
    NoteKind.RESTARTED: (
        "The process was replaced by another one {times:time}: each is looked at by itself, and this is what the one "
        "says that was seen longest, or that leaks."
    ),
    NoteKind.ENDED: "The observation ended after {seconds:duration}: {why}.",
    NoteKind.OBJECTS_ALONE: (
        "Under traffic it is Python's objects that are judged: memory beyond them is never at rest, so it is not."
    ),
    NoteKind.FORECAST: (
        "At this pace the process reaches {limit} ({bytes:bytes}, of which {used:bytes} are in use) in "
        "{hours:hours}{span}."
    ),
    NoteKind.LINES_OBSERVED: (
        "The allocating lines come from {seconds:duration} more under tracemalloc with {frames} frames."
    ),
    NoteKind.INTERRUPTED: "Interrupted after {jobs} jobs: what was known so far.",
    NoteKind.CANNOT_RUN: "{text}",
    NoteKind.SAID: "{text}",
}
_FOUND: dict[StrEnum, str] = {
    FoundKind.C_HELD: (
        "{per_job:,.0f} B/job are kept by references from C code: {items:,} × {type}{raised} that no module, frame or "
        "object is seen to refer to, by way of {path:path}."
    ),
    FoundKind.LOST_REFERENCE: (
        "{per_job:,.0f} B/job are {items:,} × {type}{raised} that nothing in memory refers to: an extension has "
        "probably lost count of a reference{at}."
    ),
    FoundKind.CYCLES: ("{per_job:,.0f} B/job wait in cycles that a collection did not free: {objects:,} objects."),
    FoundKind.CYCLES_UNCOLLECTED: (
        "The collector is switched off: {per_job:,.0f} B/job wait in cycles{at}; gc.collect() freed {objects:,} "
        "objects{freed}."
    ),
    FoundKind.NATIVE: (
        "{per_job:,.0f} B/job are taken from the C library by native code, where no tracing sees them.{owner}"
        "{extensions}{tried}"
    ),
    FoundKind.UNEXPLAINED: (
        "{per_job:,.0f} B/job have no holder that can be reached from a module or a running frame{at}.{owner}"
    ),
    FoundKind.THREADS: (
        "{threads:,} threads{running}{started} were started by {jobs:,} jobs and still run, each with its stack and "
        "what it refers to.{beside}{held}"
    ),
    FoundKind.RUNNING: " {function}{place}",
    FoundKind.PLACE: " ({line})",
    FoundKind.STARTED: ", started at {line},",
    FoundKind.BESIDE: " {threads:,} more run something else.",
    FoundKind.HELD: " They hold {per_job:,.0f} B/job.",
    FoundKind.RAISED: ", raised in {by},",
    FoundKind.EXTENSIONS: " The extension modules that the application calls, the nearest first: {nearest}.",
    FoundKind.EXTENSION: "{name} by {by}{next}",
    FoundKind.THEN: "; {next}",
    FoundKind.TRIMMED: (
        " It is no fragmentation: bytes in use are counted, not the pages that allocators keep. malloc_trim(0) was "
        "called before each floor; the {spare:bytes} that the C library's arenas keep of freed memory are not counted."
    ),
    FoundKind.IN_USE: " It is no fragmentation: bytes in use are counted, not the pages that allocators keep.",
    FoundKind.AT: ", allocated at {line}",
    FoundKind.FREED: " and {bytes:,} B",
    FoundKind.OWNER: " The {items:,} × {type} that {path:path} leads to came with the jobs and may own them.",
}
_PARTS: dict[StrEnum, str] = {
    PartKind.ALTHOUGH: ", although {by} can remove some",
    PartKind.UNSEEN: "; the code that could remove some was not all to be seen",
    PartKind.BY: ", the largest part of it in {path:path}",
    PartKind.THINKS: ", of which it counts {bytes:bytes}",
    PartKind.NOBODY: "",
    PartKind.OUT_BY: ", although {by} can take something out",
    PartKind.NOT_SEEN: "; not all code around it could be read",
    PartKind.BETWEEN: " ({low:hours} to {high:hours})",
    PartKind.AT_LEAST: " ({low:hours} at least)",
}
_STATES: dict[StrEnum, str] = {
    State.NEW: "new: the baseline does not accept it",
    State.ACCEPTED: "accepted until {until}: {reason}",
    State.EXPIRED: "expired: was accepted until {until} ({reason})",
    State.GROWN: "grown: {per_job:,.0f} B/job, accepted up to {at_most:,.0f} ({reason})",
}
_FAILED: dict[StrEnum, str] = {
    FailedKind.EVERY: "Every job failed: {why}.",
    FailedKind.EVERY_MEASURED: "Every measured job failed: {why}.",
    FailedKind.ONE: "A job failed: {why}.",
    FailedKind.NOTHING_SAYS_WHY: "nothing says why",
}
# Members of two enumerations are equal where their values are, so each has forms of its own.
_FORMS: Mapping[type[StrEnum], Mapping[StrEnum, str]] = {
    ReasonKind: _REASONS,
    NoteKind: _NOTES,
    FoundKind: _FOUND,
    PartKind: _PARTS,
    State: _STATES,
    FailedKind: _FAILED,
}


class _Words(Formatter):
    """Forms as those of `str.format`, which also know `%`, `bytes`, `path`, `duration` and a noun: `{items:item}`."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """The value in words."""
        if isinstance(value, Fact):
            return sentence(value)
        if format_spec == "%":
            return percent(value)
        if format_spec == "bytes":
            return rough_size(value)
        if format_spec == "path":
            return abridged(value)
        if format_spec in {"duration", "hours"}:
            return duration(value * (3600 if format_spec == "hours" else 1))
        return count(value, format_spec) if format_spec.isalpha() else str(format(value, format_spec))


def sentence(fact: Fact | None) -> str:
    """The fact in English; nothing for none. A reason has no full stop and begins in lower case: it follows a colon."""
    return "" if fact is None else _Words().format(_FORMS[type(fact.kind)][fact.kind], **fact.arguments)
