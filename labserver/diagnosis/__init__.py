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
    from labserver.diagnosis.check import run_check
    from labserver.diagnosis.check_options import CheckOptions, CheckProgress
    from labserver.diagnosis.check_result import CheckResult, Finding, NamedHolder
    from labserver.diagnosis.decision import Verdict
    from labserver.diagnosis.in_process import leak_check
    from labserver.diagnosis.verdict import Interval

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
    "CheckOptions": "check_options",
    "CheckProgress": "check_options",
    "CheckResult": "check_result",
    "Finding": "check_result",
    "Interval": "verdict",
    "NamedHolder": "check_result",
    "Verdict": "decision",
    "leak_check": "in_process",
    "run_check": "check",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
