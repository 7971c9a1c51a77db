from dataclasses import replace

from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.stats.interval import Interval


def holder(path):
    return NamedHolder(path, path, "dict", "bytes", 400, 10**6, 10**6, 0.99, (), (), "0123")


CLEAN = CheckResult("the job", Verdict.NO_LEAK, Interval(20.0, -40.0, 82.0, 0.99), 256, "traced", 400, 5.0, 0)
LEAK = replace(CLEAN, verdict=Verdict.LEAK, interval=Interval(20_100.0, 20_000.0, 20_200.0, 0.99))
LEAKS = replace(LEAK, holders=(holder("module __main__ → results → ['…']"),))
UNDECIDED = {"verdict": Verdict.INCONCLUSIVE, "interval": None}

GOOD = {"before": LEAKS, "after": CLEAN}


def run(given):
    return {"before": given.before, "answers": vars(given)}


CAUSES = {
    "nothing leaks": ({"before": CLEAN}, {"before_verdict", "before_bytes_per_job", "before_holder"}),
    "the leak stays open": ({"before": replace(LEAKS, **UNDECIDED)}, {"before_verdict"}),
    "something else is named": ({"before": replace(LEAK, holders=(holder("module shop → POOL"),))}, {"before_holder"}),
    "it is not mended": ({"after": LEAKS}, {"after_verdict", "after_bytes_per_job", "after_holder"}),
    "the fix stays open": ({"after": replace(CLEAN, **UNDECIDED)}, {"after_verdict"}),
}
