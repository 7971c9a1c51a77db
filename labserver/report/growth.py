"""What grew, in words, and whose it is: no part is larger than its whole, and shares end at 100 %."""

from labserver.amounts import count, number, percent, rough_size, size
from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.report.headline import tolerance_of


def growth_sentence(result: CheckResult) -> str:
    """The sum of the growth: what holders explain, what findings explain, and what is left or was freed meanwhile."""
    growth = result.growth
    if growth is None or growth.total <= 0:
        return ""
    parts = []
    if result.holders:
        parts.append(f"{percent(growth.held / growth.came)} held by {count(len(result.holders), 'holder')}")
    if growth.small:
        parts.append(f"{percent(growth.small / growth.came)} by {count(len(result.small_holders), 'small one')}")
    led = round(sum(one.bytes_per_job for one in result.leading) * growth.jobs)
    if led:
        parts.append(f"{percent(led / growth.came)} kept by threads that still run")
    if growth.found > led:
        parts.append(f"{percent((growth.found - led) / growth.came)} found without a holder")
    whole = f"Growth {size(growth.total)} over {growth.jobs:,} jobs"
    if growth.freed:
        freed = f"{number(growth.freed)} B of other memory ({number(growth.freed / growth.jobs)} B/job) were freed"
        return f"{whole}: {size(growth.came)} came, {', '.join(parts)}, while {freed}."
    if growth.unexplained or not parts:
        per_job = f"{number(growth.unexplained)} B, {number(growth.unexplained / growth.jobs)} B/job"
        parts.append(f"{percent(growth.unexplained_share)} unexplained ({per_job})")
    return f"{whole}: {', '.join(parts)}."


def small_sentence(result: CheckResult) -> str:
    """The holders below the tolerance, all in one; empty where there are none."""
    growth, small = result.growth, result.small_holders
    if growth is None or not small:
        return ""
    what = count(len(small), "more holder" if result.holders or result.findings else "holder")
    held = f"{rough_size(growth.small / growth.jobs)}/job"
    hold = f"holds {held}" if len(small) == 1 else f"hold {held} together"
    return f"{what} below {tolerance_of(result)} B/job {hold}."


def share(result: CheckResult, holder: NamedHolder) -> str:
    """A holder's part of what came: all holders together have no more than all of it."""
    growth = result.growth
    if growth is None or not growth.freed:
        return percent(holder.share_of_growth)
    return percent(max(holder.growth_bytes, 0) / growth.came)
