"""The verdict in words, as every report of a check begins: page, HTML, summary and JUnit say the same."""

from labserver.amounts import number
from labserver.diagnosis.decide.observation import Unit
from labserver.diagnosis.fact import NoteKind
from labserver.diagnosis.result import CheckResult
from labserver.diagnosis.sentences import sentence
from labserver.diagnosis.verdict import Verdict
from labserver.report.pace import traffic_sentence
from labserver.stats.interval import Interval

METERS = {
    "both": "memory in use, Python's and the C library's",
    "traced": "memory in use by Python's objects",
    "native": "memory in use beyond Python's objects",
}
EVERY = {Unit.JOB: "of every job", Unit.HOUR: "every hour"}
EACH = {Unit.JOB: "a job", Unit.HOUR: "an hour"}
_SAY_WHY = (NoteKind.UNDECIDED, NoteKind.OBSERVED_UNDECIDED, NoteKind.CANNOT_RUN)


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
    """What the target keeps of every job, or every hour, with the interval: no verdict without its bound.

    Where that is undecided it is what memory grew by: nobody knows yet whether it is kept.
    """
    interval = result.interval
    if interval is None:
        return result.target
    allowed, every = f"tolerance {tolerance_of(result)} B", EVERY[result.unit]
    if result.verdict is Verdict.NO_LEAK:
        return f"{result.target} keeps less than {tolerance_of(result)} B {every} ({span(interval)})"
    if result.verdict is Verdict.LEAK:
        return f"{result.target} keeps {number(interval.estimate)} B {every} ({span(interval)}); {allowed}"
    bounds = f"{number(interval.low)} to {number(interval.high)} B {EACH[result.unit]}"
    bounds += f" ({100 * interval.confidence:g} %)"
    return f"{result.target} grew by {bounds}; {allowed}"


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
    meter = f"meter: {METERS.get(result.meter, result.meter)}"
    if result.traffic is not None:
        return f"{traffic_sentence(result.traffic)}; {meter}"
    if not result.jobs:
        return f"nothing was measured in {result.seconds:.1f} s"
    failed = f", {result.errors:,} of them failed" if result.errors else ""
    return f"{result.jobs:,} jobs{failed}, {result.seconds:.1f} s; {meter}"


def native_sentence(result: CheckResult) -> str:
    """What the process took beyond Python's allocators; empty where that was not read, or is the headline itself."""
    native = result.native
    if native is None or result.meter == "native":
        return ""
    if native.high < 0:
        given = Interval(-native.estimate, -native.high, -native.low, native.confidence)
        return (
            f"Beyond Python's objects the process gave back {number(given.estimate)} B with every job ({span(given)})."
        )
    return f"Beyond Python's objects the process keeps {number(native.estimate)} B of every job ({span(native)})."
