"""Why the original rejected an alternative, and whether what was measured bears that reason out."""

from collections.abc import Mapping
from dataclasses import dataclass

from labserver.incident.experiments.measured import Measured
from labserver.incident.experiments.stores.store_run import StoreRun

HOLDS, IN_PART, NOT = "holds", "holds in part", "does not hold"
# A store in another process may cost that much more of the processor before "too much" is a fair word for it.
_TOO_MUCH = 2.0


@dataclass(frozen=True, slots=True)
class Reason(Measured):
    """An alternative, the original's reason against it, and what was measured.

    Attributes:
        store: the alternative's name here.
        original: the reason, in the original's words.
        verdict: whether it holds.
        measured: what shows it, in a sentence.
        finding: the name of the one with the most telling figure.
        expected: whether the verdict is what this suite claims.
    """

    store: str
    original: str
    verdict: str
    measured: str
    finding: str
    expected: bool


def reasons(runs: Mapping[str, StoreRun]) -> list[Reason]:
    """The reasons that can be judged by the stores that ran."""
    judges = (
        (_weak, ("weak",)),
        (_soft, ("soft",)),
        (_redis, ("redis", "ttl")),
        (_timer, ("timer", "scheduler")),
    )
    return [judge(runs) for judge, needed in judges if all(name in runs for name in needed)]


def _weak(runs: Mapping[str, StoreRun]) -> Reason:
    run = runs["weak"]
    asked = _asked_in_time(run)
    verdict = HOLDS if run.lost_unread == asked else IN_PART if run.lost_unread else NOT
    measured = (
        f"{run.lost_unread} of {asked} results were gone before their clients came: no collection is needed, CPython "
        "frees them with their last strong reference."
    )
    return Reason(
        "weak", "the result may vanish before it is read", verdict, measured, "weak_lost_unread", verdict == HOLDS
    )


def _soft(runs: Mapping[str, StoreRun]) -> Reason:
    run = runs["soft"]
    calm = sum(visit.lost_unread(run.script.ttl_s) for visit in run.visits if visit.group in {"once", "twice"})
    under_pressure = run.lost_unread - calm
    verdict = HOLDS if under_pressure and calm == 0 else IN_PART if run.lost_unread else NOT
    measured = (
        f"none was lost while memory was free, {under_pressure} of the {run.script.burst_jobs} of the burst before "
        f"they were read; {run.given_up_early} unread results were given up before their time."
        if calm == 0
        else f"{calm} were lost while memory was free, {under_pressure} under pressure."
    )
    return Reason(
        "soft", "the result may vanish before it is read", verdict, measured, "soft_lost_unread", verdict == HOLDS
    )


def _redis(runs: Mapping[str, StoreRun]) -> Reason:
    run, ttl = runs["redis"], runs["ttl"]
    ratio = run.cpu_ms_per_job / ttl.cpu_ms_per_job
    cheap, gives_back = ratio < _TOO_MUCH, run.drained.kept_bytes == 0
    verdict = HOLDS if not cheap else IN_PART if gives_back and run.lost_unread else NOT
    measured = (
        f"{ratio:.2f} × the processor time per job of ttl, one more process to run, and no image in this one; "
        f"but at its memory's bound it evicted {run.lost_unread} results before they were read."
    )
    return Reason("redis", "too much for one instance", verdict, measured, "redis_cpu_ms_per_job", verdict == IN_PART)


def _timer(runs: Mapping[str, StoreRun]) -> Reason:
    timer, scheduler = runs["timer"], runs["scheduler"]
    a_thread_each = timer.threads_peak >= timer.full.jobs_kept - 1
    verdict = IN_PART if a_thread_each and scheduler.threads_peak == 0 else HOLDS if a_thread_each else NOT
    measured = (
        f"where a timer is a thread, {timer.threads_peak} threads for {timer.peak_jobs} jobs kept. One thread that "
        "sleeps until the first of all deadlines, as in a ScheduledExecutorService, does the same, and the load adds "
        f"{scheduler.threads_peak} to it."
    )
    return Reason("timer", "a thread per job", verdict, measured, "timer_threads_peak", verdict == IN_PART)


def _asked_in_time(run: StoreRun) -> int:
    """Results whose clients came within the time to live, the long job's included."""
    return sum(visit.comes_in_time(run.script.ttl_s) for visit in run.visits) + 1
