"""Findings that were looked at and accepted for a time: a file that lets old leaks pass and stops new ones."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from labserver.diagnosis.fact import State
from labserver.diagnosis.result import CheckResult, Finding, NamedHolder, Status
from labserver.diagnosis.verdict import Verdict
from labserver.errors import UsageError

SCHEMA = "labserver.baseline/1"
EXPIRES_AFTER = timedelta(days=90)
_ROOM = 1.5  # an accepted leak may grow by half before it is a new one
_SIGNIFICANT = 0.01
_RESIDUE = 0.05  # what allocators round up and containers keep spare has no name in any leak
_REQUIRED = {"fingerprint": str, "reason": str, "expires": str}
_OPTIONAL = {"what": str, "at_most_bytes_per_job": int | float}


@dataclass(frozen=True, slots=True)
class Accepted:
    """One holder or finding that may be there.

    Attributes:
        fingerprint: that of the holder or finding.
        reason: why it is accepted.
        expires: the last day on which it is.
        what: for the reader of the file.
        at_most_bytes_per_job: above that it is not accepted; None for no such bound.
    """

    fingerprint: str
    reason: str
    expires: date
    what: str = ""
    at_most_bytes_per_job: float | None = None


def read_baseline(path: Path) -> dict[str, Accepted]:
    """Read the accepted findings of a file, by their fingerprints.

    Raises:
        UsageError: the file cannot be read, or something in it is not as it must be; the sentence says what.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The baseline {path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise UsageError(f"The baseline {path} is no JSON ({error}).") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(f'The baseline {path} has no "schema": "{SCHEMA}".')
    entries = document.get("accepted")
    if not isinstance(entries, list):
        raise UsageError(f'The baseline {path} has no list "accepted".')
    accepted = [_entry(entry, f"Entry {at} of the baseline {path}") for at, entry in enumerate(entries, 1)]
    return {one.fingerprint: one for one in accepted}


def text_of(accepted: Iterable[Accepted]) -> str:
    """The text of a baseline file."""
    entries = [
        {
            "fingerprint": one.fingerprint,
            "what": one.what,
            "reason": one.reason,
            "expires": one.expires.isoformat(),
        }
        | ({} if one.at_most_bytes_per_job is None else {"at_most_bytes_per_job": one.at_most_bytes_per_job})
        for one in accepted
    ]
    return json.dumps({"schema": SCHEMA, "accepted": entries}, indent=2, ensure_ascii=False) + "\n"


def accept_all(result: CheckResult, known: dict[str, Accepted], today: date) -> list[Accepted]:
    """An entry for all that a leak consists of; what is accepted already keeps its reason, bound and last day."""
    fresh = {
        fingerprint: Accepted(fingerprint, "TODO", today + EXPIRES_AFTER, what, math.ceil(_ROOM * per_job))
        for fingerprint, what, per_job in _parts(result)
    }
    standing = {
        one.fingerprint: known[one.fingerprint]
        for one in result.parts
        if one.status is not None and one.status.state is State.ACCEPTED
    }
    return list((fresh | standing).values())


def judge(result: CheckResult, known: dict[str, Accepted], today: date) -> CheckResult:
    """The result with the state of each holder and finding, and whether the leak as a whole is accepted.

    Args:
        result: a check's.
        known: the accepted findings.
        today: what their last days are compared with.
    """
    per_job = {fingerprint: size for fingerprint, _, size in _parts(result)}

    def status(one: NamedHolder | Finding) -> Status:
        return _status(known.get(one.fingerprint), per_job[one.fingerprint], today)

    judged = replace(
        result,
        holders=tuple(replace(holder, status=status(holder)) for holder in result.holders),
        findings=tuple(replace(finding, status=status(finding)) for finding in result.findings),
    )
    return replace(judged, accepted=_all_accepted(judged))


def _status(entry: Accepted | None, per_job: float, today: date) -> Status:
    if entry is None:
        return Status(State.NEW)
    accepted = {"until": entry.expires.isoformat(), "reason": entry.reason}
    if today > entry.expires:
        return Status(State.EXPIRED, accepted)
    bound = entry.at_most_bytes_per_job
    if bound is not None and per_job > bound:
        return Status(State.GROWN, {"per_job": per_job, "at_most": bound, "reason": entry.reason})
    return Status(State.ACCEPTED, accepted)


def _all_accepted(result: CheckResult) -> bool:
    growth = result.growth
    if result.traffic is not None and result.verdict is Verdict.LEAK:  # its holders are all that leaks
        found = [one.status for one in result.holders]
        return bool(found) and all(one is not None and one.state is State.ACCEPTED for one in found)
    if result.verdict is not Verdict.LEAK or growth is None or growth.total <= 0:
        return False
    shares = [one.share_of_growth for one in result.holders]
    shares += [one.bytes_per_job * growth.jobs / growth.total for one in result.findings]
    states = [
        one.status.state
        for one, share in zip(result.parts, shares, strict=True)
        if one.status is not None and share > _SIGNIFICANT
    ]
    # An accepted "unexplained" finding speaks for what has no name.
    named = any(one.kind == "unexplained" for one in result.findings)
    explained = named or growth.unexplained < max(result.tolerance * growth.jobs, _RESIDUE * growth.total)
    return bool(states) and explained and all(state is State.ACCEPTED for state in states)


def _parts(result: CheckResult) -> list[tuple[str, str, float]]:
    """The fingerprint, name and bytes per job of all that the growth consists of."""
    jobs = max(result.jobs, 1) if result.growth is None else result.growth.jobs
    held = [(one.fingerprint, one.path, one.growth_bytes / jobs) for one in result.holders]
    return held + [(one.fingerprint, one.text, one.bytes_per_job) for one in result.findings]


def _entry(entry: Any, which: str) -> Accepted:
    if not isinstance(entry, dict):
        raise UsageError(f"{which} is no object.")
    for key, kind in _REQUIRED.items():
        if not isinstance(entry.get(key), kind) or not entry[key].strip():
            raise UsageError(f'{which} needs "{key}" as a text.')
    for key, value in entry.items():
        if key not in _REQUIRED | _OPTIONAL:
            raise UsageError(f'{which} has an unknown key "{key}": known are {", ".join(_REQUIRED | _OPTIONAL)}.')
        if key in _OPTIONAL and (not isinstance(value, _OPTIONAL[key]) or isinstance(value, bool)):
            raise UsageError(f'{which}: "{key}" is {value!r}.')
    try:
        expires = date.fromisoformat(entry["expires"])
    except ValueError:
        raise UsageError(f'{which}: "expires" is {entry["expires"]!r}, not a day such as 2030-01-31.') from None
    return Accepted(**(entry | {"expires": expires}))
