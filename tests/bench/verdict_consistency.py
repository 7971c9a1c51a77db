"""Pages that contradict themselves: results of checks as JSON, each held against itself and against nothing else.

    python tests/bench/verdict_consistency.py outputs/runs/verdict_real

What is read are files that `labserver check --json` writes; `verdict_real.py` leaves a folder of them. Whether a page
is *right* is not asked here: that needs to be told beforehand, and this does not.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

LEAK, NO_LEAK, UNDECIDED = "leak", "no-leak", "inconclusive"
COUNTED = {"found-by-counting"}
# Nothing was measured, or whoever watched knows what to do next: no option would help.
NEEDS_NO_STEP = {"cannot-run", "interrupted"}
SLACK = 0.01  # of a byte or of a share, which are rounded

Page = dict[str, Any]
Rule = Callable[[Page], Iterator[str]]


def verdict_against_interval(page: Page) -> Iterator[str]:
    """The verdict follows from the interval shown, or names the count that it rests on."""
    interval, tolerance = page["bytes_per_job"], page["tolerance_bytes_per_job"]
    if interval is None:
        if page["verdict"] in {LEAK, NO_LEAK}:
            yield f"{page['verdict']} without an interval"
        return
    low, high = interval["low"], interval["high"]
    if page["verdict"] == LEAK:
        if low <= 0:
            yield f"LEAK whose interval covers 0: {low:,.0f} to {high:,.0f}"
        elif high < tolerance and not any(one["item_bytes"] >= tolerance for one in noted(page, *COUNTED)):
            yield f"LEAK whose interval lies below the tolerance: {low:,.0f} to {high:,.0f}"
        elif low <= tolerance and not kinds(page) & COUNTED:
            yield f"LEAK whose interval covers the tolerance, without a count: {low:,.0f} to {high:,.0f}"
    if page["verdict"] == NO_LEAK and high > tolerance:
        yield f"NO LEAK whose interval is not below the tolerance: {low:,.0f} to {high:,.0f}"


def intervals_in_order(page: Page) -> Iterator[str]:
    """An estimate lies in its interval."""
    for name in ("bytes_per_job", "native_bytes_per_job"):
        interval = page.get(name)
        if interval is not None and not interval["low"] <= interval["estimate"] <= interval["high"]:
            yield f"{name} has its estimate outside its interval"


def native_within_whole(page: Page) -> Iterator[str]:
    """What is native is a part of the whole."""
    whole, native = page["bytes_per_job"], page.get("native_bytes_per_job")
    if whole is None or native is None:
        return
    for name in ("estimate", "high"):
        if native[name] > whole[name] + SLACK and native[name] > whole["high"] + SLACK:
            yield f"native {name} {native[name]:,.0f} above the whole's {whole['high']:,.0f}"


def meter_against_native(page: Page) -> Iterator[str]:
    """What carries a leak is the memory that grows."""
    native, tolerance, whole = page.get("native_bytes_per_job"), page["tolerance_bytes_per_job"], page["bytes_per_job"]
    if native is None or whole is None or page["verdict"] != LEAK:
        return
    if page["meter"] == "native" and native["high"] < tolerance:
        yield f"said to be native, of which there is at most {native['high']:,.0f} B/job"
    if page["meter"] == "traced" and native["low"] > max(tolerance, whole["estimate"] / 2):
        yield f"said to be Python's, beside {native['low']:,.0f} B/job of native memory or more"


def reason_against_interval(page: Page) -> Iterator[str]:
    """The reason for being undecided fits the interval shown."""
    interval, tolerance = page["bytes_per_job"], page["tolerance_bytes_per_job"]
    for note in noted(page, "undecided"):
        kind = note["reason"]["kind"]
        if interval is None:
            continue
        covers = interval["low"] <= tolerance <= interval["high"]
        if kind == "spans-tolerance" and not covers:
            yield "said to span the tolerance, which the interval does not cover"
        if kind in {"may-be-none", "counted-but-may-be-none"} and interval["low"] > 0:
            yield "said to be none perhaps, with an interval above 0"
        if kind == "near-tolerance" and not tolerance / 4 < max(abs(interval["low"]), abs(interval["high"])):
            yield "said to be near the tolerance, with an interval far below it"
        if kind == "near-tolerance" and interval["low"] > 2 * tolerance:
            yield "said to be near the tolerance, with an interval at twice of it and more"


def undecided_with_a_step(page: Page) -> Iterator[str]:
    """Who cannot say says what to do next, and that is something else than what was done."""
    if page["verdict"] == UNDECIDED and not kinds(page) & {"next", *NEEDS_NO_STEP}:
        yield "undecided, without a next step"
    if page["verdict"] != UNDECIDED and kinds(page) & {"next", "undecided"}:
        yield f"{page['verdict']}, and said to be undecided"
    for note in noted(page, "next"):
        interval = page["bytes_per_job"]
        if note["option"] == "--tolerance" and interval and interval["low"] <= note["value"] <= interval["high"]:
            yield f"told to give a tolerance of {note['value']}, which the interval covers as well"


def whole_of_the_growth(page: Page) -> Iterator[str]:
    """The parts of the growth make up the whole."""
    growth = page.get("growth")
    if growth is None:
        return
    parts = sum(growth[f"{name}_bytes"] for name in ("held", "found", "small", "unexplained"))
    if abs(parts - growth["bytes"]) > 1:
        yield f"the growth of {growth['bytes']:,} B is not the sum of its parts, {parts:,} B"
    if growth["unexplained_share"] > 1 + SLACK:
        yield "more than all of the growth is unexplained"


def shares_of_holders(page: Page) -> Iterator[str]:
    """Shares are between none and all, and so is their sum where nothing was freed beside."""
    growth, shares = page.get("growth"), [holder["share_of_growth"] for holder in page["holders"]]
    if any(not 0 <= share <= 1 for share in shares):
        yield "a holder has less than none or more than all of the growth"
    if growth and growth["unexplained_bytes"] >= 0 and sum(shares) > 1 + SLACK:
        yield f"holders have {sum(shares):.0%} of the growth together"


def parts_within_holders(page: Page) -> Iterator[str]:
    """What came to a holder is a part of what it holds; what came by type, of what came."""
    for holder in every_holder(page):
        name, came, whole = holder["path"], holder["retained_bytes"], holder["holder_retained_bytes"]
        if whole is not None and came > whole:
            yield f"{name} retains {whole:,} B, of which {came:,} B came"
        if holder["items"] is not None and holder["items"] < 0:
            yield f"{name} gained {holder['items']} items"
        for change in holder["contents"]:
            if min(change["came"], change["gone"]) < 0:
                yield f"{name} tells of {change['came']} new and {change['gone']} gone {change['type']}"


def findings_within_whole(page: Page) -> Iterator[str]:
    """A finding is a part of the whole, and a native one of what is native."""
    whole, native = page["bytes_per_job"], page.get("native_bytes_per_job")
    for finding in page["findings"]:
        per_job, kind = finding["bytes_per_job"], finding["kind"]
        if whole is not None and per_job > whole["high"] + SLACK:
            yield f"a finding of {per_job:,.0f} B/job ({kind}) in a whole of at most {whole['high']:,.0f}"
        if kind == "native" and native is not None and per_job > native["high"] + SLACK:
            yield f"a native finding of {per_job:,.0f} B/job where at most {native['high']:,.0f} are native"


def somebody_named(page: Page) -> Iterator[str]:
    """A leak, and growth that is undecided, has a holder, a finding, or a note that says who or why not."""
    if page["holders"] or page["findings"] or kinds(page) & {"no-look", "in-part", "most-held"}:
        return
    interval = page["bytes_per_job"]
    if page["verdict"] == LEAK:
        yield "LEAK of nobody"
    elif page["verdict"] == UNDECIDED and interval is not None and interval["low"] > page["tolerance_bytes_per_job"]:
        yield "undecided of growth beyond the tolerance, whose holder nobody names"


def growth_within_tolerance(page: Page) -> Iterator[str]:
    """What is said to grow within the tolerance is within it, and no leak."""
    for note in noted(page, "rises"):
        if page["verdict"] != NO_LEAK:
            yield f"{page['verdict']}, and said to grow within the tolerance"
        if note["per_job"] > note["tolerance"]:
            yield f"said to grow by {note['per_job']:,.0f} B a job within {note['tolerance']:,.0f} B"


def bound_against_verdict(page: Page) -> Iterator[str]:
    """A leak's holder declares no bound that it has not reached, unless somebody says why that bounds nothing."""
    told = kinds(page) & {"challenged", "challenged-bytes", "beyond-memory"}
    for holder in page["holders"][:1]:
        bound = holder["bound"]
        if page["verdict"] == LEAK and "only be filling" in holder["hint"]:
            yield f"LEAK of {holder['path']}, which is said to be filling up perhaps"
        if page["verdict"] == LEAK and bound is not None and (holder["items"] or 0) < bound and not told:
            yield f"LEAK of {holder['path']}, which declares a bound of {bound:,} and is not seen to be full"


def said_once(page: Page) -> Iterator[str]:
    """Nothing is said twice, and nobody named twice."""
    for what, names in (
        ("said", page["notes"]),
        ("named", [holder["fingerprint"] + holder["path"] for holder in every_holder(page)]),
    ):
        yield from (f"{what} twice: {name}" for name in sorted(set(names)) if names.count(name) > 1)


def counted_jobs(page: Page) -> Iterator[str]:
    """No more jobs fail than are done, and floors do not go back."""
    jobs = [floor["jobs"] for floor in page["floors"]]
    if page["errors"] > page["jobs"]:
        yield f"{page['errors']} of {page['jobs']} jobs failed"
    if jobs != sorted(jobs):
        yield "floors at fewer and fewer jobs"


RULES: tuple[Rule, ...] = (
    verdict_against_interval,
    intervals_in_order,
    native_within_whole,
    meter_against_native,
    reason_against_interval,
    undecided_with_a_step,
    whole_of_the_growth,
    shares_of_holders,
    parts_within_holders,
    findings_within_whole,
    somebody_named,
    growth_within_tolerance,
    bound_against_verdict,
    said_once,
    counted_jobs,
)


def contradictions(page: Page) -> list[str]:
    """What a page says that it cannot also mean, by all rules."""
    return [sentence for rule in RULES for sentence in rule(page)]


def noted(page: Page, kind: str) -> list[dict[str, Any]]:
    return [note for note in page["noted"] if note["kind"] == kind]


def kinds(page: Page) -> set[str]:
    return {note["kind"] for note in page["noted"]}


def every_holder(page: Page) -> list[dict[str, Any]]:
    """The holders, the small ones, and those of findings."""
    of_findings = [holder for finding in page["findings"] for holder in finding.get("holders", [])]
    return [*page["holders"], *page.get("small_holders", []), *of_findings]


def pages_of(paths: Iterable[Path]) -> Iterator[Path]:
    """The files, and those in the folders."""
    for path in paths:
        yield from sorted(path.glob("*.json")) if path.is_dir() else [path]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(paths: tuple[Path, ...]) -> None:
    """Print each page that contradicts itself, and end with 1 if there is one."""
    files, wrong = list(pages_of(paths)), 0
    for file in files:
        found = contradictions(json.loads(file.read_text(encoding="utf-8")))
        wrong += bool(found)
        for sentence in found:
            print(f"{file.stem}: {sentence}")
    print(f"{wrong} of {len(files)} pages contradict themselves.")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
