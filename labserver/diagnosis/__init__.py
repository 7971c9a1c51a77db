"""What the numbers and the graph mean: bytes per job with an interval, and who holds them.

For scripts, notebooks and CI:

    from labserver.diagnosis import CheckOptions, leak_check, run_check

    leak_check(job).verdict                                             # a callable, in this process
    run_check(CheckOptions("shop.app:app", ("GET /",))).to_dict()       # an application, in a process of its own

All names are imported when they are first used: the instruments in a service need a few of the modules only.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labserver.diagnosis.measure.check import run_check
    from labserver.diagnosis.measure.in_process import leak_check
    from labserver.diagnosis.measure.options import CheckOptions, CheckProgress
    from labserver.diagnosis.result import CheckResult, Finding, NamedHolder
    from labserver.diagnosis.verdict import Verdict
    from labserver.stats.interval import Interval

__all__ = [
    "CheckOptions",
    "CheckProgress",
    "CheckResult",
    "Finding",
    "Interval",
    "NamedHolder",
    "Verdict",
    "leak_check",
    "run_check",
]

_HOMES = {
    "CheckOptions": "labserver.diagnosis.measure.options",
    "CheckProgress": "labserver.diagnosis.measure.options",
    "CheckResult": "labserver.diagnosis.result",
    "Finding": "labserver.diagnosis.result",
    "Interval": "labserver.stats.interval",
    "NamedHolder": "labserver.diagnosis.result",
    "Verdict": "labserver.diagnosis.verdict",
    "leak_check": "labserver.diagnosis.measure.in_process",
    "run_check": "labserver.diagnosis.measure.check",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
