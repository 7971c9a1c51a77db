"""What grew, in words, and whose it is: no part is larger than its whole, and shares end at 100 %."""

from labserver.amounts import count, number, percent, size
from labserver.diagnosis.result import CheckResult, NamedHolder


def growth_sentence(result: CheckResult) -> str:
    """The sum of the growth: what holders explain, what findings explain, and what is left or was freed meanwhile."""
    growth = result.growth
    if growth is None or growth.total <= 0:
        return ""
    parts = [f"{percent(growth.held / growth.came)} held by {count(len(result.holders), 'holder')}"]
    if growth.found:
        parts.append(f"{percent(growth.found / growth.came)} found without a holder")
    whole = f"Growth {size(growth.total)} over {growth.jobs:,} jobs"
    if growth.freed:
        freed = f"{number(growth.freed)} B of other memory ({number(growth.freed / growth.jobs)} B/job) were freed"
        return f"{whole}: {size(growth.came)} came, {', '.join(parts)}, while {freed}."
    per_job = f"{number(growth.unexplained)} B, {number(growth.unexplained / growth.jobs)} B/job"
    return f"{whole}: {', '.join(parts)}, {percent(growth.unexplained_share)} unexplained ({per_job})."


def share(result: CheckResult, holder: NamedHolder) -> str:
    """A holder's part of what came: all holders together have no more than all of it."""
    growth = result.growth
    if growth is None or not growth.freed:
        return percent(holder.share_of_growth)
    return percent(max(holder.growth_bytes, 0) / growth.came)
