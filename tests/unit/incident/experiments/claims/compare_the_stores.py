from pathlib import Path
from types import SimpleNamespace

from labserver.incident.experiments.stores.drain import RealDrain
from labserver.incident.experiments.stores.promises import BOUNDED_IN_BYTES, PROMISES
from labserver.incident.experiments.stores.run import Comparison, settings_for
from labserver.incident.experiments.stores.script import LATE_GROUPS, Script
from labserver.incident.experiments.stores.store_run import Floor, StoreRun

SCRIPT = Script()
IMAGE, JOBS = 30_000, 24
TTL_S, SWEEP_S = 0.6, 0.1
OVERDUE_S, NEVER_S = 0.65, 1e9
BEST = "byte-budget"
WITHOUT = "redis-server is not on the PATH"

# What a store does in place of what its policy promises; None: as promised.
AS_PROMISED = {
    "peak_bytes": None,
    "floor_bytes": None,
    "unknown_bytes": 0,  # beyond the store's books
    "lost": None,
    "refused": None,
    "retry_after_s": SCRIPT.retry_after_s,
    "never_taken": 0,
    "late": None,
    "second_fetch": None,
    "long_job": None,
    "threads": None,
    "early": 5,  # results that the soft store gave up
    "cpu_s": 1.0,
    "gone_after_s": None,
    "went_early": False,
}
GOOD = dict.fromkeys(PROMISES, AS_PROMISED) | {"missing": ()}


def promised(value, otherwise):
    return otherwise if value is None else value


def visits(store, does):
    """What each client met."""
    expected = PROMISES[store]
    late = dict(zip(LATE_GROUPS, promised(does.late, expected.late).split("/"), strict=True))
    loses, refuses = promised(does.lost, expected.loses_unread), promised(does.refused, expected.refuses)
    found = SCRIPT.visits()
    for number, visit in enumerate(found):
        visit.job_id, visit.done_s = f"{number}", visit.arrives_s
        first = int(late.get(visit.group, "410" if store == "weak" and loses else "200"))
        second = int(promised(does.second_fetch, expected.second_fetch))
        visit.answers = [first, second][: len(visit.asks_s)]
    burst = [visit for visit in found if visit.group == "burst"]
    if refuses:
        for visit in burst[:3]:
            visit.refused, visit.retry_after_s = 1, does.retry_after_s
    if loses:
        burst[-1].answers = [410]
    for visit in burst[: does.never_taken]:
        visit.job_id = ""
    return tuple(found)


def store_run(store, does, folder=Path()):
    """A store's run by its policy's promises, but for what it does otherwise."""
    expected = PROMISES[store]
    settings = settings_for(store, SCRIPT, budget_results=12, result_px=160)
    at_rest = 0 if expected.gives_back else IMAGE
    left = promised(does.floor_bytes, at_rest)
    peak = settings.budget_bytes if store in BOUNDED_IN_BYTES else 2 * settings.budget_bytes
    elsewhere = store in {"disk", "redis"}

    def floor(kept, jobs):
        heap = jobs * 400 + (0 if elsewhere else kept) + does.unknown_bytes
        return Floor(kept, jobs, heap, kept if elsewhere else 0)

    met = visits(store, does)
    gone = store == "weak" and promised(does.lost, expected.loses_unread)
    return StoreRun(
        store=store,
        script=SCRIPT,
        settings=settings,
        visits=met,
        long_job=promised(does.long_job, (200, 410 if gone else 200)),
        full=floor(IMAGE * JOBS, JOBS),
        drained=floor(left, left // IMAGE),
        failed_kept=0,
        given_up_early=does.early if store == "soft" else 0,
        peak_bytes=promised(does.peak_bytes, peak),
        peak_jobs=JOBS,
        threads_peak=promised(does.threads, JOBS if store == "timer" else 0),
        cpu_s=does.cpu_s,
        p95_ms=12.0,
        curve=folder / f"06_{store}.csv",
    )


def drained(stores, does):
    """When each store let go of what nobody fetched."""
    samples = {}
    for store in stores:
        by_itself = 0.01 if store == "weak" else OVERDUE_S if PROMISES[store].goes_in_time else NEVER_S
        gone, early = promised(does[store].gone_after_s, by_itself), does[store].went_early
        looks = [0.02 * number for number in range(60)]
        samples[store] = [(at, at, 0 if at >= gone else 300 if early and at > 0.3 else 400) for at in looks]
    return RealDrain(TTL_S, SWEEP_S, 400, samples)


def run(given):
    does = {store: SimpleNamespace(**vars(given)[store]) for store in PROMISES if store not in given.missing}
    runs = {store: store_run(store, each) for store, each in does.items()}
    return {
        "comparison": Comparison(runs, dict.fromkeys(given.missing, WITHOUT)),
        "runs": runs,
        "script": SCRIPT,
        "best": runs[BEST],
        "budget_bytes": runs[BEST].settings.budget_bytes,
        "drain": drained(runs, does),
    }


def broken_promises(store, promise):
    """What a store can do wrong: the cause, what it does instead, and the claim that fails."""
    weak, timer, empties = store == "weak", store == "timer", promise.gives_back
    yield "its books are wrong", {"unknown_bytes": 10**6}, "unaccounted_bytes"
    if store in BOUNDED_IN_BYTES:
        yield "more is kept than the budget", {"peak_bytes": 10**9}, "peak_bytes"
    what = "something stays for ever" if empties else "everything is given back"
    yield what, {"floor_bytes": IMAGE if empties else 0}, "floor_bytes"
    what = "nothing unread is lost" if promise.loses_unread else "something unread is lost"
    yield what, {"lost": not promise.loses_unread} | ({"late": "200/410/410"} if weak else {}), "lost_unread"
    if store != "redis":  # which may do either
        what = "nobody is refused" if promise.refuses else "somebody is refused"
        yield what, {"refused": not promise.refuses}, "refused"
    yield "a job is never taken", {"never_taken": 1}, "not_taken"
    yield "who is late is told another thing", {"late": f"{410 if weak else 200}/404/404"}, "late_answers"
    again = "200" if promise.second_fetch == "410" else "410"
    yield "a second fetch is told another thing", {"second_fetch": again}, "second_fetch"
    yield "a long job is unknown meanwhile", {"long_job": (404, 410 if weak else 200)}, "long_job"
    what = "its timers share a thread" if timer else "the load takes threads"
    yield what, {"threads": 1 if timer else 3}, "threads_peak"
    what = "nothing goes by itself" if promise.goes_in_time else "results go by themselves"
    yield what, {"gone_after_s": NEVER_S if promise.goes_in_time else OVERDUE_S}, "gone_after_s"
    if promise.goes_in_time and not weak:
        yield "some results go early", {"went_early": True}, "gone_after_s"


# What else rests on the same figure.
RESTS = {
    (BEST, "peak_bytes"): {"recommended_peak_bytes"},
    (BEST, "floor_bytes"): {"recommended_floor_bytes"},
    (BEST, "lost_unread"): {"recommended_lost_unread"},
    (BEST, "refused"): {"recommended_refused", "recommended_retry_after_s", "recommended_accepted_again"},
    (BEST, "not_taken"): {"recommended_accepted_again"},
    ("redis", "floor_bytes"): {"reason_redis"},
    ("redis", "lost_unread"): {"reason_redis"},
    ("soft", "lost_unread"): {"reason_soft"},
    ("weak", "lost_unread"): {"reason_weak", "weak_late_answers", "weak_long_job"},
    ("timer", "threads_peak"): {"reason_timer"},
    ("scheduler", "threads_peak"): {"reason_timer"},
}


def does(store, **instead):
    return {store: AS_PROMISED | instead}


CAUSES = {
    f"{store}: {cause}": (
        does(store, **instead),
        {f"{store.replace('-', '_')}_{claim}"} | RESTS.get((store, claim), set()),
    )
    for store, promise in PROMISES.items()
    for cause, instead, claim in broken_promises(store, promise)
} | {
    "soft: nothing is given up early": (does("soft", early=0), {"soft_given_up_early"}),
    "redis: a job costs three times the processor": (does("redis", cpu_s=3.0), {"reason_redis"}),
    f"{BEST}: who is refused is told another time": (does(BEST, retry_after_s=1.0), {"recommended_retry_after_s"}),
    "there is no Redis": ({"missing": ("redis",)}, set()),
    "there is the recommended store alone": ({"missing": tuple(PROMISES.keys() - {BEST})}, set()),
}
