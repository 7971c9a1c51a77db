"""The comparison's claims: each policy against what it promises, the recommended one, and the original's reasons."""

from collections.abc import Mapping

from labserver.incident.experiments.stores.drain import RealDrain
from labserver.incident.experiments.stores.promises import BOUNDED_IN_BYTES, ELSEWHERE, PROMISES
from labserver.incident.experiments.stores.reasons import reasons
from labserver.incident.experiments.stores.run import Comparison
from labserver.incident.experiments.stores.script import Script
from labserver.incident.experiments.stores.store_run import StoreRun
from labserver.suite.bound import Bound, above, at_least, at_most, below, exactly, says
from labserver.suite.declared import declares
from labserver.suite.finding import Value
from labserver.suite.findings import Findings

# What a job costs besides its image: its record and its id; with a timer, a thread's objects; in Redis, what the
# server's allocator rounds up.
_RECORD_BYTES = {"timer": 5000, "redis": 7000}
_USUAL_RECORD_BYTES = 2000
# What the server and the observer make in passing, about as much as one result.
_PASSING_BYTES = 65_536
# The curves and figures that show what is claimed, besides each store's own curve.
_OVER_TIME = "figures/06_kept_bytes.svg"
_KEPT = [_OVER_TIME, "figures/06_peak_and_floor.svg"]
_DRAIN = ["curves/06_real_drain.csv", "figures/06_real_drain.svg"]


@declares
def load(findings: Findings, script: Script, *, budget_bytes: int) -> None:
    """Record how large the load was, and the budget of the bounded stores."""
    findings.measured("jobs_offered", len(script.visits()) + 1)
    findings.measured("burst_jobs", script.burst_jobs)
    findings.measured("budget_bytes", budget_bytes, unit="B")


@declares
def stores(findings: Findings, comparison: Comparison) -> None:
    """Hold what each store did against what its policy promises, and say which could not be measured.

    Args:
        findings: where to.
        comparison: what they did.
    """
    for store, reason in comparison.missing.items():
        text = f"not measured: {reason}"
        findings.record(f"{store.replace('-', '_')}_measured", "not measured", holds=True, text=text)
    for run in comparison.runs.values():
        _StoreClaims(findings, run, [_curve(run), *_KEPT]).record()


@declares
def recommended(findings: Findings, run: StoreRun) -> None:
    """Hold a store against what is asked of a fix: bounded bytes, nothing unread lost, refusals that end."""
    refused = [visit for visit in run.visits if visit.refused]
    told = min((visit.retry_after_s for visit in refused), default=0.0)
    again = sum(visit.accepted for visit in refused)
    every = exactly(max(1, len(refused)), "every refused job, once others were read")
    wait = exactly(run.script.retry_after_s, "with every refusal")
    shown = [_curve(run), *_KEPT]
    findings.measured("recommended_store", run.store)
    findings.claim("recommended_peak_bytes", run.peak_bytes, _budget(run), unit="B", evidence=shown)
    findings.claim("recommended_lost_unread", run.lost_unread, exactly(0), evidence=shown)
    beyond = at_least(1, "by 503, of a burst beyond the budget")
    findings.claim("recommended_refused", len(refused), beyond, evidence=shown)
    findings.claim("recommended_retry_after_s", told, wait, unit="s")
    findings.claim("recommended_accepted_again", again, every)
    empty = exactly(0, "after the drain")
    findings.claim("recommended_floor_bytes", run.drained.kept_bytes, empty, unit="B", evidence=shown)


@declares
def drain(findings: Findings, drain: RealDrain) -> None:
    """Hold each store against its promise in real time: all of the time to live, and nothing after it and a sweep."""
    for store, looks in drain.samples.items():
        gone, kept_until = drain.gone_after_s(store), drain.full_until_s(store)
        if store == "weak":
            bound = below(drain.ttl_s, "at once, before the time to live")
            holds = bound.holds(gone)
        elif PROMISES[store].goes_in_time:
            bound = says("not before {seconds:g} s, and by itself", seconds=drain.ttl_s)
            early = any(after < drain.ttl_s and kept < drain.put_bytes for _, after, kept in looks)
            holds = gone is not None and not early
        else:
            bound, holds = says("never: nothing comes to remove it"), gone is None
        text = f"all of it was there until {kept_until:.2f} s" if kept_until else ""
        name = f"{store.replace('-', '_')}_gone_after_s"
        findings.record(name, gone, holds=holds, bound=bound, unit="s", evidence=_DRAIN, text=text)


@declares
def rejections(findings: Findings, runs: Mapping[str, StoreRun]) -> None:
    """Say of each reason of the original whether it holds, with the figures that it rests on."""
    for reason in reasons(runs):
        bound = says(f"the original's reason: {reason.original}")
        shown = [_curve(runs[reason.store]), _OVER_TIME]
        name = f"reason_{reason.store}"
        findings.record(name, reason.verdict, holds=reason.expected, bound=bound, evidence=shown, text=reason.measured)


class _StoreClaims:
    """One store's claims, under its name."""

    def __init__(self, findings: Findings, run: StoreRun, evidence: list[str]) -> None:
        self._findings = findings
        self._run = run
        self._promise = PROMISES[run.store]
        self._evidence = evidence
        self._prefix = run.store.replace("-", "_")

    def record(self) -> None:
        self._peak()
        self._floor()
        self._books()
        self._results()
        self._answers()
        self._threads()
        self._measured("cpu_ms_per_job", self._run.cpu_ms_per_job, unit="ms")
        self._measured("p95_ms", self._run.p95_ms, unit="ms")

    def _peak(self) -> None:
        run = self._run
        if run.store in BOUNDED_IN_BYTES:
            text = f"kept {ELSEWHERE[run.store]}" if run.store in ELSEWHERE else ""
            self._claim("peak_bytes", run.peak_bytes, _budget(run), unit="B", text=text)
        else:
            name = f"{self._prefix}_peak_bytes"
            self._findings.measured(name, run.peak_bytes, unit="B", evidence=self._evidence)

    def _floor(self) -> None:
        drained, after = self._run.drained, "after the drain"
        bound = exactly(0, after) if self._promise.gives_back else above(0, after)
        self._claim("floor_bytes", drained.kept_bytes, bound, unit="B")
        self._measured("heap_floor_bytes", drained.heap_bytes, unit="B")

    def _books(self) -> None:
        run = self._run
        record = _RECORD_BYTES.get(run.store, _USUAL_RECORD_BYTES)
        passing = _PASSING_BYTES * (2 if run.store == "redis" else 1)  # its client's connections, too
        bound = at_most(passing + record * max(run.full.jobs_kept, run.drained.jobs_kept), "the records")
        text = "the gap between the store's books and the bytes found"
        self._claim("unaccounted_bytes", run.unaccounted_bytes, bound, unit="B", text=text)

    def _results(self) -> None:
        run, promise = self._run, self._promise
        lost = at_least(1, "it may lose what is unread") if promise.loses_unread else exactly(0)
        self._claim("lost_unread", run.lost_unread, lost)
        if run.store != "redis":  # which may do either, by what its connections take of the same memory
            refused = at_least(1, "told to come again") if promise.refuses else exactly(0)
            self._claim("refused", run.refused, refused)
        not_taken = sum(not visit.accepted for visit in run.visits)
        self._claim("not_taken", not_taken, exactly(0, "in the end"))
        if run.store == "soft":
            self._claim("given_up_early", run.given_up_early, at_least(1, "unread, under pressure"))
        self._measured("failed_kept", run.failed_kept)

    def _answers(self) -> None:
        run, promise = self._run, self._promise
        self._told("second_fetch", run.second_fetch, promise.second_fetch)
        self._told("long_job", "/".join(map(str, run.long_job)), f"200/{promise.long_result}")
        if run.store == "redis":
            # Its connections take of the same memory: where it is small, it may evict what came in time, too.
            self._told("late_answers", run.late_answers, promise.late, "410/410/410")
        else:
            self._told("late_answers", run.late_answers, promise.late)

    def _threads(self) -> None:
        if self._run.store == "timer":
            least = self._run.full.jobs_kept - 1  # but the job that still runs
            bound = at_least(least, "one for each of {results} results", results=least)
        else:
            bound = exactly(0, "none for the load")
        self._claim("threads_peak", self._run.threads_peak, bound)

    def _measured(self, what: str, value: Value, *, unit: str = "") -> None:
        self._findings.measured(f"{self._prefix}_{what}", value, unit=unit)

    def _claim(self, what: str, value: float, bound: Bound, *, unit: str = "", text: str = "") -> None:
        name = f"{self._prefix}_{what}"
        self._findings.claim(name, value, bound, unit=unit, evidence=self._evidence, text=text)

    def _told(self, what: str, status: str, *promised: str) -> None:
        """Claim that the clients were told the promised statuses, or the ones given after them."""
        form = " or ".join(("{first}", "{second}")[: len(promised)])
        bound = says(form, **dict(zip(("first", "second"), promised, strict=False)))
        name = f"{self._prefix}_{what}"
        self._findings.record(name, status, holds=status in promised, bound=bound, evidence=self._evidence)


def _budget(run: StoreRun) -> Bound:
    return at_most(run.settings.budget_bytes, "the budget")


def _curve(run: StoreRun) -> str:
    return f"curves/{run.curve.name}"
