"""Two results of a check, before and after a change, side by side."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.text import Text

from labserver.amounts import number, percent
from labserver.errors import UsageError
from labserver.report.heap.printing import FAINT, STRONG, Page, shortened, table
from labserver.text import one_line

_SCHEMA = "labserver.check/1"
_MARK = b"{"


def is_check(file: Path) -> bool:
    """Whether a file seems to be JSON, and so a check's result."""
    try:
        with file.open("rb") as opened:
            return opened.read(1) == _MARK
    except OSError:
        return False


def checks_page(old: Path, new: Path) -> Page:
    """The verdicts, the growth and the holders of two checks.

    Raises:
        UsageError: a file is no result of a check.
    """
    before, after = _read(old), _read(new)
    return lambda width: _lines(before, after, (old.name, new.name), width)


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read as a check's result ({error}).") from error
    if not isinstance(found, dict) or found.get("schema") != _SCHEMA:
        raise UsageError(f"{file} is no result of a check: 'labserver check --json FILE' writes one.")
    return found


def _lines(before: dict[str, Any], after: dict[str, Any], names: tuple[str, str], width: int) -> Iterator[Text]:
    verdicts = " → ".join(_verdict(one) for one in (before, after))
    yield Text(f"{verdicts}  {one_line(after['target'])}", STRONG)
    if before["target"] != after["target"]:
        yield Text(f"before, it was {one_line(before['target'])}", FAINT)
    yield Text()
    rows = [[names[0], *_figures(before)], [names[1], *_figures(after)]]
    yield from table(["check", "bytes a job", "from", "to", "jobs"], rows, width)
    then, now = _holders(before), _holders(after)
    for title, found in (
        ("Gone", [one for mark, one in then.items() if mark not in now]),
        ("Still there", [one for mark, one in now.items() if mark in then]),
        ("New", [one for mark, one in now.items() if mark not in then]),
    ):
        if found:
            yield Text()
            yield Text(title, STRONG)
            for holder in found:
                share = percent(holder["share_of_growth"])
                retained = f"{number(holder['retained_bytes'])} B retained, {share} of the growth"
                yield Text(f"  {shortened(holder['path'], width - 2)}")
                yield Text(f"    {retained}", FAINT)
    if not then and not now:
        yield Text()
        yield Text("Neither check names a holder.", FAINT)


def _verdict(result: dict[str, Any]) -> str:
    return str(result["verdict"]).replace("-", " ").upper()


def _figures(result: dict[str, Any]) -> list[str]:
    growth = result.get("bytes_per_job") or {}
    told = [number(growth[name]) if growth.get(name) is not None else "?" for name in ("estimate", "low", "high")]
    return [*told, number(result["jobs"])]


def _holders(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {holder.get("fingerprint") or holder["path"]: holder for holder in result.get("holders", ())}
