"""What is usually done about a holder or a finding, in a sentence for whoever has to mend it."""

from collections.abc import Sequence
from itertools import pairwise

from labserver.heap.chain import Link

_BY_HOLDER = {
    "dict": "entries are added per job and never removed: bound it, or evict what was fetched or has expired",
    "OrderedDict": "entries are added per job and never removed: popitem(last=False) beyond a bound",
    "defaultdict": "each job makes a new key, if only by looking it up: bound it, or look keys up with get",
    "Counter": "each job counts a new key: bound it, or count by something that repeats",
    "WeakKeyDictionary": "the values refer to their own keys, so no key ever dies: keep the value free of its key",
    "WeakValueDictionary": "something else keeps the values alive: follow the other holders of the same objects",
    "list": "items are appended per job and never removed: clear it, or use a deque with a maxlen",
    "set": "items are added per job and never removed: discard them when the job is done",
    "deque": "items are appended per job faster than they are taken: give it a maxlen, or drain it",
    "Queue": "items are put per job and not taken: give it a maxsize, and see that its consumer still runs",
    "SimpleQueue": "items are put per job and not taken: see that its consumer still runs",
    "_lru_cache_wrapper": "each job brings a new key: give the cache a maxsize, or arguments that repeat (not self)",
    "tuple": "a new tuple is made from the old one per job: something appends by concatenation; bound it",
    "Thread": "a thread that does not end keeps its arguments: join it, or hand it what it needs through a queue",
    "Context": "a context variable that was set is never reset: reset(token) when the job is done",
    "Logger": "handlers or filters are added per job: add them once, when the application starts",
    "Signal": "receivers are connected per job: connect them once, or disconnect when the job is done",
    "NamedSignal": "receivers are connected per job: connect them once, or disconnect when the job is done",
    "array": "an array is extended per job: bound it, or start it anew",
    "bytearray": "a buffer is extended per job: clear it when the job is done",
    "BytesIO": "a stream is written per job: truncate it, or close it when the job is done",
    "StringIO": "a stream is written per job: truncate it, or close it when the job is done",
}
_OTHERWISE = "what it holds is added per job and never let go: remove it when the job is done, or bound it"

# What lies on the chain says more than the container at its end; the first that matches is said.
_BY_LINK = {
    "traceback": "a kept exception holds every local of its frames: keep str(error), or error.with_traceback(None)",
    "frame": "a kept frame holds every local: keep what you need of it instead",
    "cell": "a closure keeps what it was made with: pass it as an argument, or drop the callback when it has run",
    "generator": "a generator that was not run to its end keeps its locals: close() it",
    "coroutine": "a coroutine that never finishes keeps its locals: await it, or cancel its task",
    "Task": "tasks are kept after they have finished: discard them in a done callback",
    "Future": "futures are kept after they have finished, and with each its result or exception: drop them",
    "memoryview": "a small view keeps all that it looks into: copy the part with bytes(view)",
    "LogRecord": "log records are buffered: give the handler a capacity, or flush it",
}
_BY_LINK_AND_EDGE = {
    ("Logger", "handlers"): _BY_HOLDER["Logger"],
    ("Logger", "filters"): _BY_HOLDER["Logger"],
    ("Signal", "receivers"): _BY_HOLDER["Signal"],
    ("NamedSignal", "receivers"): _BY_HOLDER["NamedSignal"],
    ("ndarray", "base"): "a small view keeps the whole array it was cut from: copy() the part",
}

_BY_FINDING = {
    "unexplained": "run with more jobs; if it stays, look at the allocating lines, and at extensions written in C",
    "native": "look at what native code is handed per job: an image, a session, a parser that is never closed or freed",
    "cycles": "call gc.enable(), or gc.collect() between jobs; better, break the cycle with weakref",
    "c-held": "C code keeps references: a callback never unregistered (atexit, signal), or a bug of an extension",
    "threads": "jobs start threads that never end: use a pool, or join them; each keeps its stack and its arguments",
}


def hint_for_holder(holder_type: str, chain: Sequence[Link], *, came: int = 0, bound: int | None = None) -> str:
    """The usual remedy, by the holder's type and by what lies on the chain.

    Args:
        holder_type: the type of the last object on the way to all that came.
        chain: the path as data, the root first.
        came: the number of objects that came.
        bound: the number of entries that the holder declares to keep at most.
    """
    hint = _BY_HOLDER.get(holder_type, _OTHERWISE)
    if bound is not None and came > bound:
        hint = f"it declares a bound of {bound:,} and grows beyond it: whatever should evict does not"
    elif bound is not None:
        hint = f"it declares a bound of {bound:,} and may only be filling up: run with more jobs than that"
    more = _on_the_chain(chain)
    return hint if more is None or more == hint else f"{hint}; {more}"


def hint_for_finding(kind: str) -> str:
    """The usual remedy, by the finding's kind; empty for one that is not known."""
    return _BY_FINDING.get(kind, "")


def _on_the_chain(chain: Sequence[Link]) -> str | None:
    for owner, link in pairwise(chain):
        hint = _BY_LINK_AND_EDGE.get((owner.type, link.words)) or _BY_LINK.get(link.type)
        if hint is not None:
            return hint
    return None
