"""The comparison's findings: each policy against what it promises, the recommended one, and the original's reasons."""

from collections.abc import Sequence

from labserver.incident.experiments.stores.drain import RealDrain
from labserver.incident.experiments.stores.expected import BOUNDED_IN_BYTES, ELSEWHERE, EXPECTED, KEEPS_NOTHING
from labserver.incident.experiments.stores.one_store import StoreRun
from labserver.incident.experiments.stores.run import Comparison
from labserver.incident.experiments.stores.script import LATE_GROUPS, said
from labserver.suite.findings import Findings

# What a job costs besides its image: its record and its id; with a timer, a thread's objects; in Redis, what the
# server's allocator rounds up.
_RECORD_BYTES = {"timer": 5000, "redis": 7000}
_USUAL_RECORD_BYTES = 2000
# What the server and the observer make in passing, about as much as one result.
_PASSING_BYTES = 65_536


def late_answers(run: StoreRun) -> str:
    """What the late clients were told, as `200/200/410`."""
    return "/".join(said(run.visits, group) for group in LATE_GROUPS)


def second_fetch(run: StoreRun) -> str:
    """What a second fetch was told."""
    return said(run.visits, "twice", asking=1)


def not_taken(run: StoreRun) -> int:
    """Jobs that were never taken, however often they came."""
    return sum(not visit.accepted for visit in run.visits)


def record_store(findings: Findings, run: StoreRun, evidence: Sequence[str]) -> None:
    """Hold what one store did against what its policy promises.

    Args:
        findings: where to.
        run: what it did.
        evidence: the figures; the store's own curve is added.
    """
    _Recorder(findings, run, [f"curves/{run.curve.name}", *evidence]).record()


class _Recorder:
    """Records one store's findings under its name."""

    def __init__(self, findings: Findings, run: StoreRun, evidence: list[str]) -> None:
        self._findings = findings
        self._run = run
        self._expected = EXPECTED[run.store]
        self._evidence = evidence
        self._prefix = run.store.replace("-", "_")

    def record(self) -> None:
        self._bytes()
        self._results()
        self._answers()
        self._threads()
        self._findings.measured(f"{self._prefix}_cpu_ms_per_job", self._run.cpu_ms_per_job, unit="ms")
        self._findings.measured(f"{self._prefix}_p95_ms", self._run.p95_ms, unit="ms")

    def _claim(  # noqa: PLR0913 - a finding has that many named sides
        self, what: str, value: float | str, *, holds: bool, bound: str, unit: str = "", text: str = ""
    ) -> None:
        name = f"{self._prefix}_{what}"
        self._findings.record(name, value, holds=holds, bound=bound, unit=unit, evidence=self._evidence, text=text)

    def _bytes(self) -> None:
        run = self._run
        budget = run.settings.budget_bytes
        bounded = run.store in BOUNDED_IN_BYTES
        self._claim(
            "peak_bytes",
            run.peak_bytes,
            unit="B",
            holds=not bounded or run.peak_bytes <= budget,
            bound=f"at most the budget of {budget:,}" if bounded else "",
            text=f"kept {ELSEWHERE[run.store]}" if run.store in ELSEWHERE else "",
        )
        empty = self._expected.after_drain == KEEPS_NOTHING
        self._claim(
            "floor_bytes",
            run.drained.kept_bytes,
            unit="B",
            holds=(run.drained.kept_bytes == 0) == empty,
            bound="0 after the drain" if empty else "more than 0 after the drain",
        )
        self._findings.measured(f"{self._prefix}_heap_floor_bytes", run.drained.heap_bytes, unit="B")
        record = _RECORD_BYTES.get(run.store, _USUAL_RECORD_BYTES)
        passing = _PASSING_BYTES * (2 if run.store == "redis" else 1)  # its client's connections, too
        allowed = passing + record * max(run.full.jobs_kept, run.drained.jobs_kept)
        self._claim(
            "unaccounted_bytes",
            run.unaccounted_bytes,
            unit="B",
            holds=run.unaccounted_bytes <= allowed,
            bound=f"at most {allowed:,}: the records",
            text="the gap between the store's books and the bytes found",
        )

    def _results(self) -> None:
        lost, loses = self._run.lost_unread, self._expected.loses_unread
        bound = "at least 1: it may lose what is unread" if loses else "none"
        self._claim("lost_unread", lost, holds=(lost > 0) == loses, bound=bound)
        refused, left = self._run.refused, not_taken(self._run)
        if self._run.store != "redis":  # which may do either, by what its connections take of the same memory
            bound = "at least 1, told to come again" if self._expected.refuses else "none"
            self._claim("refused", refused, holds=(refused > 0) == self._expected.refuses, bound=bound)
        self._claim("not_taken", left, holds=left == 0, bound="none, in the end")
        if self._run.store == "soft":
            early = self._run.given_up_early
            self._claim("given_up_early", early, holds=early > 0, bound="at least 1 unread, under pressure")
        self._findings.measured(f"{self._prefix}_failed_kept", self._run.failed_kept)

    def _answers(self) -> None:
        run, expected = self._run, self._expected
        late, again, long_job = late_answers(run), second_fetch(run), "/".join(map(str, run.long_job))
        # A Redis server's connections take of the same memory: where it is small, it may evict what came in time, too.
        allowed = {expected.late, "410/410/410"} if run.store == "redis" else {expected.late}
        self._claim("late_answers", late, holds=late in allowed, bound=" or ".join(sorted(allowed)))
        self._claim("second_fetch", again, holds=again == expected.second_fetch, bound=expected.second_fetch)
        wanted = f"200/{expected.long_result}"
        self._claim("long_job", long_job, holds=long_job == wanted, bound=wanted)

    def _threads(self) -> None:
        threads = self._run.threads_peak
        if self._run.store == "timer":
            least = self._run.full.jobs_kept - 1  # but the job that still runs
            self._claim("threads_peak", threads, holds=threads >= least, bound=f"one for each of {least} results")
        else:
            self._claim("threads_peak", threads, holds=threads == 0, bound="none for the load")


def record_recommended(findings: Findings, run: StoreRun, evidence: Sequence[str]) -> None:
    """Hold a store against what is asked of a fix: bounded bytes, nothing unread lost, refusals that end."""
    budget, wait = run.settings.budget_bytes, run.script.retry_after_s
    refused = [visit for visit in run.visits if visit.refused]
    told = min((visit.retry_after_s for visit in refused), default=0.0)
    again = sum(visit.accepted for visit in refused)
    shown = [f"curves/{run.curve.name}", *evidence]
    findings.measured("recommended_store", run.store)
    findings.record("recommended_peak_bytes", run.peak_bytes, unit="B", holds=run.peak_bytes <= budget,
                    bound=f"never above the budget of {budget:,}", evidence=shown)  # fmt: skip
    findings.record("recommended_lost_unread", run.lost_unread, holds=run.lost_unread == 0, bound="none",
                    evidence=shown)  # fmt: skip
    findings.record("recommended_refused", len(refused), holds=bool(refused), evidence=shown,
                    bound="at least 1 of a burst beyond the budget: 503")  # fmt: skip
    findings.record("recommended_retry_after_s", told, unit="s", holds=told == wait,
                    bound=f"{wait:g}, with every refusal")  # fmt: skip
    findings.record("recommended_accepted_again", again, holds=bool(refused) and again == len(refused),
                    bound="every refused job, once others were read")  # fmt: skip
    findings.record("recommended_floor_bytes", run.drained.kept_bytes, unit="B",
                    holds=run.drained.kept_bytes == 0, bound="0 after the drain", evidence=shown)  # fmt: skip


def record_drain(findings: Findings, drain: RealDrain, evidence: Sequence[str]) -> None:
    """Hold each store against its promise in real time: all of the time to live, and nothing after it and a sweep."""
    for store in drain.samples:
        gone, kept_until = drain.gone_after_s(store), drain.full_until_s(store)
        name = f"{store.replace('-', '_')}_gone_after_s"
        if store == "weak":
            holds, bound = gone is not None and gone < drain.ttl_s, "at once, before the time to live"
        elif EXPECTED[store].goes_in_time:
            early = any(after < drain.ttl_s and kept < drain.put_bytes for _, after, kept in drain.samples[store])
            holds, bound = gone is not None and not early, f"not before {drain.ttl_s:g} s, and by itself"
        else:
            holds, bound = gone is None, "never: nothing comes to remove it"
        text = f"all of it was there until {kept_until:.2f} s" if kept_until else ""
        findings.record(name, gone, unit="s", holds=holds, bound=bound, evidence=evidence, text=text)


def record_missing(findings: Findings, comparison: Comparison) -> None:
    """Say of each store that this machine lacks what it needs, in place of its claims."""
    for store, reason in comparison.missing.items():
        findings.record(
            f"{store.replace('-', '_')}_measured", "not measured", holds=True, text=f"not measured: {reason}"
        )
