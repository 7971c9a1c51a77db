from dataclasses import replace

from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.incident.experiments.own_service.run import Application
from labserver.stats.interval import Interval

# Who is expected to hold something, and what is not to be confused with it.
APPLICATIONS = {
    "signals": Application("services.signals:create_app", "Signal.receivers"),
    "charts": Application("services.charts:app", "Gcf.figs"),
    "thumbnails": Application("services.thumbnails:app", "CACHE"),
    "clean": Application("services.clean:app"),
}


def holder(path):
    return NamedHolder(path, path, "dict", "bytes", 400, 10**6, 10**6, 0.99, (), (), "0123")


CLEAN = CheckResult("shop:app", Verdict.NO_LEAK, Interval(1.0, -40.0, 42.0, 0.99), 512, "both", 250, 5.0, 0)
LEAK = replace(CLEAN, verdict=Verdict.LEAK, interval=Interval(2500.0, 2400.0, 2600.0, 0.99))
UNDECIDED = replace(CLEAN, verdict=Verdict.INCONCLUSIVE, interval=None)

GOOD = {
    name: replace(LEAK, holders=(holder(f"module shop → {each.holder} → ['…']"),)) if each.holder else CLEAN
    for name, each in APPLICATIONS.items()
}


def run(given):
    return {"applications": APPLICATIONS, "results": vars(given), "tolerance": CLEAN.tolerance}


def _figures(name, *claims):
    return {f"{name}_{claim}" for claim in claims}


CAUSES = {
    f"{name}: {cause}": ({name: result}, _figures(name, *broken))
    for name, good in GOOD.items()
    for cause, result, broken in (
        ("a request fails", replace(good, errors=1), ["errors"]),
        ("the answer stays open", replace(good, verdict=UNDECIDED.verdict, interval=None), ["verdict"]),
        ("something else is named", replace(good, holders=(holder("module shop → POOL"),)), ["holder"]),
        ("more is kept than is sure", replace(good, interval=Interval(600.0, 200.0, 1000.0, 0.99)), ["bytes_per_job"]),
    )
} | {
    f"{name}: the misuse is mended": ({name: CLEAN}, _figures(name, "verdict", "bytes_per_job", "holder"))
    for name in ("signals", "charts", "thumbnails")
}
CAUSES["clean: it leaks"] = ({"clean": GOOD["charts"]}, _figures("clean", "verdict", "bytes_per_job", "holder"))
