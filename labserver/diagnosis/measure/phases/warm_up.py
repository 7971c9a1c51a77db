"""The warm-up: the jobs that make caches, pools and lazy imports what they stay."""

import time

from labserver.diagnosis.fact import FailedKind, Note, NoteKind
from labserver.diagnosis.failure import JobsFailed
from labserver.diagnosis.measure.plan import make_plan
from labserver.diagnosis.measure.state import CheckState


def warm_up(state: CheckState) -> None:
    """Run the first jobs, and plan by their rate what can be measured."""
    driver, warm = state.driver, state.heuristics.warm_up
    driver.begin("warming up")
    _probe(state)
    until = driver.seconds() + warm.share * state.left_s()
    began, before = time.monotonic(), driver.jobs
    jobs = warm.fast_jobs if state.options.fast else warm.jobs
    wanted = max(jobs, before + warm.slice_jobs)  # many users' first jobs may be more
    while driver.jobs < wanted and driver.seconds() < until:
        driver.drive(min(warm.slice_jobs, wanted - driver.jobs))
    rate = max(driver.jobs - before, 1) / (time.monotonic() - began)
    if driver.jobs < wanted:
        state.notes.append(Note(NoteKind.SLOW_WARM_UP, {"jobs": driver.jobs}))
    began = time.monotonic()
    state.floors.keep_threads(state.floors.read())
    floor_s = time.monotonic() - began + state.floors.settle_s
    cycles, left_s = state.heuristics.cycles, state.left_s()
    state.plan = make_plan(state.options, cycles, jobs_per_s=rate, floor_s=floor_s, left_s=left_s)


def _probe(state: CheckState) -> None:
    """Run a few jobs first: an application that fails them all is not worth a warm-up."""
    warm = state.heuristics.warm_up
    for attempt in range(warm.probes):
        if attempt:
            time.sleep(warm.probe_pause_s)
        if state.driver.drive(warm.probe_jobs * state.driver.concurrency):
            return
    raise JobsFailed(FailedKind.EVERY, state.driver.first_failure)
