"""The explanation of a leak: who holds what has come, and which memory it is."""

from labserver.diagnosis.fact import Fact, FoundKind
from labserver.diagnosis.measure.naming import Named, name_holders
from labserver.diagnosis.measure.native import meter_of, native_interval
from labserver.diagnosis.measure.notes import leaves_threads
from labserver.diagnosis.measure.state import CheckState
from labserver.diagnosis.result import Finding
from labserver.diagnosis.verdict import Verdict
from labserver.heap.wire import FloorReading


def explain(state: CheckState) -> None:
    """Name the holders and the findings of a leak, and tell Python's memory from native memory."""
    leak, named = state.decision.verdict is Verdict.LEAK, None
    if leak and (named := _named(state)) is not None:
        state.holders, state.findings = named.holders, _with_threads(state, named.findings)
        state.sites = named.sites
        state.notes += [note for note in named.notes if note not in state.notes]
    series = state.series
    if state.decision.interval is None or series.meter != "both" or not state.process.instrumented:
        return
    state.native = native_interval(
        series.whole(),
        jobs=series.jobs[-1],
        objects_per_job=series.objects_per_job,
        traced_per_job=None if named is None else named.traced_per_job,
    )
    if leak and state.native is not None:
        state.meter = meter_of(series.whole(), state.native, state.rules.tolerance, series.meter)


def _named(state: CheckState) -> Named | None:
    series, driver = state.series, state.driver

    def drive(jobs: int) -> FloorReading:
        driver.drive(jobs)
        return state.floors.take()

    if state.can_look:
        driver.name("looking for the holders")
    return state.look(
        lambda: name_holders(
            state.process,
            growth_bytes=series.grown,
            jobs=max(series.jobs[-1], 1),
            collecting=series.collecting,
            drive=drive,
        )
    )


def _with_threads(state: CheckState, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Threads that jobs leave behind are the cause of what has no other name."""
    if not leaves_threads(state):
        return findings
    left, jobs = state.series.threads_left, state.series.jobs[-1]
    unnamed = sum(finding.bytes_per_job for finding in findings)
    where = next((finding.allocated_at for finding in findings if finding.allocated_at), ())
    return (Finding("threads", unnamed, where, Fact(FoundKind.THREADS, {"threads": left, "jobs": jobs})),)
