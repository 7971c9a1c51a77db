"""The words and figures that every report of a check shares: page, HTML, summary and JUnit say the same."""

from labserver.amounts import count, number, percent, size
from labserver.diagnosis.fact import NoteKind
from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.diagnosis.sentences import sentence
from labserver.diagnosis.verdict import Verdict
from labserver.heap.chain import Link
from labserver.stats.interval import Interval

METERS = {
    "both": "memory in use, Python's and the C library's",
    "traced": "memory in use by Python's objects",
    "native": "memory in use beyond Python's objects",
}
_SAY_WHY = (NoteKind.UNDECIDED, NoteKind.CANNOT_RUN)


def span(interval: Interval) -> str:
    """The bounds of an interval: `199,900 to 200,340, 99 %`."""
    return f"{number(interval.low)} to {number(interval.high)}, {100 * interval.confidence:g} %"


def verdict_word(result: CheckResult) -> str:
    """The verdict as a reader meets it."""
    if result.verdict is Verdict.LEAK:
        return "LEAK, ACCEPTED" if result.accepted else "LEAK"
    if result.verdict is Verdict.NO_LEAK:
        return "NO LEAK"
    return "INCONCLUSIVE" if result.interval is not None else "CANNOT SAY"


def verdict_sentence(result: CheckResult) -> str:
    """What the target keeps of every job, with the interval: no verdict without its bound."""
    interval = result.interval
    if interval is None:
        return result.target
    allowed = f"tolerance {tolerance_of(result)} B"
    if result.verdict is Verdict.NO_LEAK:
        return f"{result.target} keeps less than {tolerance_of(result)} B of every job ({span(interval)})"
    if result.verdict is Verdict.LEAK:
        return f"{result.target} keeps {number(interval.estimate)} B of every job ({span(interval)}); {allowed}"
    bounds = f"{number(interval.low)} to {number(interval.high)} B of every job ({100 * interval.confidence:g} %)"
    return f"{result.target} keeps {bounds}; {allowed}"


def tolerance_of(result: CheckResult) -> str:
    """The tolerance as it was given: `256`, `0.5`."""
    return f"{result.tolerance:,.10g}"


def headline(result: CheckResult) -> str:
    """The verdict in one line."""
    return f"{verdict_word(result)}  {verdict_sentence(result)}"


def reason(result: CheckResult) -> str:
    """The same, and where nothing can be said, why."""
    if result.interval is not None or not result.noted:
        return headline(result)
    why = next((note for note in result.noted if note.kind in _SAY_WHY), result.noted[0])
    return f"{headline(result)}: {sentence(why)}"


def how(result: CheckResult) -> str:
    """How much was measured, and with what."""
    if not result.jobs:
        return f"nothing was measured in {result.seconds:.1f} s"
    failed = f", {result.errors:,} of them failed" if result.errors else ""
    return f"{result.jobs:,} jobs{failed}, {result.seconds:.1f} s; meter: {METERS.get(result.meter, result.meter)}"


def native_sentence(result: CheckResult) -> str:
    """What the process took beyond Python's allocators; empty where that was not read."""
    if result.native is None:
        return ""
    kept = f"{number(result.native.estimate)} B of every job ({span(result.native)})"
    return f"Beyond Python's objects the process keeps {kept}."


def growth_sentence(result: CheckResult) -> str:
    """The sum of the growth: what holders explain, what findings explain, and what is left or was freed meanwhile."""
    growth = result.growth
    if growth is None or growth.total <= 0:
        return ""
    parts = [f"{percent(growth.held / growth.came)} held by {count(len(result.holders), 'holder')}"]
    if growth.found:
        parts.append(f"{percent(growth.found / growth.came)} found without a holder")
    whole = f"Growth {size(growth.total)} over {growth.jobs:,} jobs"
    if growth.freed:
        freed = f"{number(growth.freed)} B of other memory ({number(growth.freed / growth.jobs)} B/job) were freed"
        return f"{whole}: {size(growth.came)} came, {', '.join(parts)}, while {freed}."
    per_job = f"{number(growth.unexplained)} B, {number(growth.unexplained / growth.jobs)} B/job"
    return f"{whole}: {', '.join(parts)}, {percent(growth.unexplained_share)} unexplained ({per_job})."


def share(result: CheckResult, holder: NamedHolder) -> str:
    """A holder's part of what came: all holders together have no more than all of it."""
    growth = result.growth
    if growth is None or not growth.freed:
        return percent(holder.share_of_growth)
    return percent(max(holder.growth_bytes, 0) / growth.came)


def holder_index(holder: NamedHolder) -> int:
    """Where in its chain the holder itself stands."""
    if holder.holder_at is not None:
        return holder.holder_at
    above = range(max(len(holder.chain) - 2, 0), -1, -1)  # an older version in the service does not tell
    return next((at for at in above if holder.chain[at].type == holder.holder_type), above[0])


def guilty_index(holder: NamedHolder) -> int:
    """The link whose edge is to be cut: what is added with every job, or the holder where the chain ends with it."""
    return min(holder_index(holder) + 1, len(holder.chain) - 1)


def end_of(holder: NamedHolder) -> str:
    """What came, to put behind the name of the chain's last link."""
    came = f"× {number(holder.buffers)}"
    inside = holder_index(holder) < len(holder.chain) - 1
    # One that is its own holder has itself grown.
    if holder.chain[-1].type == holder.buffer_type and (inside or holder.buffers == 1):
        return came
    return f"with {holder.buffer_type} {came}"


def holder_name(holder: NamedHolder) -> str:
    """The holder as one would write it in code: `shop.STORE._jobs`."""
    if not holder.chain:
        return holder.holder
    return path_name(holder, holder_index(holder))


def path_name(holder: NamedHolder, last: int) -> str:
    """The chain up to one of its links, as one would write it in code."""
    name = holder.chain[0].name
    for link in holder.chain[1 : last + 1]:
        edge = link.edge or "?"
        name += edge if edge[0] in "[{" else f".{edge.removeprefix('local ')}"
    return name


def link_name(link: Link, *, root: bool) -> str:
    """What an object of a chain is called: a root or a module by its name, anything else by its type."""
    if link.type == "module":
        return f"module {link.name}"
    return link.name if root else link.type
