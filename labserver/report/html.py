"""A check's result as one self-contained page that fetches nothing, and runs what stands in it alone."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from labserver.amounts import duration, number, percent, size
from labserver.diagnosis.fact import NoteKind
from labserver.diagnosis.result import CheckResult
from labserver.diagnosis.sentences import sentence
from labserver.diagnosis.verdict import Verdict
from labserver.report import by_process
from labserver.report.allocation import allocation_of
from labserver.report.contents import table_of, what_came
from labserver.report.curve import NARROW, WIDE, curve_of, is_fitted
from labserver.report.failure_detail import details_of
from labserver.report.finding_title import title_of, untold_allocation_of
from labserver.report.flame_graph import flame_json, is_untraced, stacks_of, traced_jobs
from labserver.report.growth import growth_sentence, share, small_sentence
from labserver.report.headline import EACH, EVERY, METERS, how, native_sentence, span, tolerance_of, verdict_word
from labserver.report.holder_chain import (
    end_of,
    guilty_index,
    held_in_words,
    holder_index,
    holder_name,
    item_index,
    link_name,
)
from labserver.report.icicle import NARROW_PX, WIDE_PX, icicle_of
from labserver.report.pace import hourly_sentence, pace_sentence
from labserver.text import bound_units, clean

TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS = (Path(__file__).parent / "vendor" / "d3-flame-graph.js", TEMPLATES / "flame.js")
# What a verdict must not hide, and what to do where there is none.
_BESIDE_THE_VERDICT = (
    NoteKind.RISES,
    NoteKind.UNDECIDED,
    NoteKind.OBSERVED_UNDECIDED,
    NoteKind.NEXT,
    NoteKind.FORECAST,
)
_MOST_ROWS_WITH_STACKS = 40  # or a page of deep stacks would be too large to send round


def html_of(result: CheckResult, *, interactive: bool = True) -> str:
    """The page; whatever comes from the application is escaped.

    Args:
        result: what it shows.
        interactive: whether it has the flame graph, which a script draws; otherwise the table of its stacks alone.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters |= {
        "number": number,
        "size": size,
        "percent": percent,
        "clean": clean,
        "holder_name": holder_name,
        "holder_index": holder_index,
        "guilty_index": guilty_index,
        "item_index": item_index,
        "end_of": end_of,
        "what_came": what_came,
        "by_process": lambda result: Markup(by_process.table_of(result)),  # noqa: S704 - the same
        "contents_table": lambda holder: Markup(table_of(holder)),  # noqa: S704 - made of escaped parts
        "held_in_words": held_in_words,
        "sentence": _sentence,
        "allocation": allocation_of,
        "untold_allocation": untold_allocation_of,
        "title_of": title_of,
    }
    sites = stacks_of(result)
    untraced = is_untraced(result)
    drawn = interactive and sites and not untraced
    scripts = [path.read_text(encoding="utf-8") for path in _SCRIPTS] if drawn else []
    return environment.get_template("page.html.j2").render(
        result=result,
        word=verdict_word(result),
        tone="accepted" if result.accepted else str(result.verdict),
        target_claim=_claim(result),
        lead=bound_units(
            " ".join(filter(None, [_sentence(how(result)), native_sentence(result), hourly_sentence(result)]))
        ),
        measured=bool(result.floors) or result.traffic is not None,
        pace=lambda holder: bound_units(pace_sentence(result, holder)),
        beside=[bound_units(sentence(note)) for note in result.noted if note.kind in _BESIDE_THE_VERDICT],
        notes=[bound_units(sentence(note)) for note in result.noted if note.kind not in _BESIDE_THE_VERDICT],
        figures=_figures(result),
        growth=bound_units(growth_sentence(result)),
        small=small_sentence(result),
        details=details_of(result.failure),
        meter=METERS.get(result.meter, result.meter),
        link_name=link_name,
        share=share,
        sites=sites,
        untraced=untraced,
        site_bytes=sum(site.bytes for site in sites),
        traced_jobs=traced_jobs(result),
        most_rows_with_stacks=_MOST_ROWS_WITH_STACKS,
        # These are made here, of escaped parts.
        script_sources=Markup(" ".join(map(script_source, scripts)) or "'none'"),  # noqa: S704 - see above
        css=Markup(style_sheet()),  # noqa: S704 - see above
        curves=[Markup(curve_of(result, place)) for place in (WIDE, NARROW)],  # noqa: S704 - see above
        fitted=is_fitted(result),
        icicles=[Markup(icicle_of(result, width)) for width in (WIDE_PX, NARROW_PX)],  # noqa: S704 - see above
        flame=Markup(flame_json(sites)),  # noqa: S704 - see above
        scripts=list(map(Markup, scripts)),
    )


def style_sheet() -> str:
    """The look of all pages."""
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")


def _claim(result: CheckResult) -> str:
    """The headline without its bounds: they stand in the figures below it."""
    if result.interval is None:
        return f"Nothing can be said of {result.target}"
    if result.verdict is Verdict.NO_LEAK:
        return f"{result.target} keeps less than {tolerance_of(result)} B {EVERY[result.unit]}"
    if result.verdict is Verdict.INCONCLUSIVE:
        low, high = number(result.interval.low), number(result.interval.high)
        return f"{result.target} grew by {low} to {high} B {EACH[result.unit]}: it is undecided whether it leaks"
    return f"{result.target} keeps {number(result.interval.estimate)} B {EVERY[result.unit]}"


def _figures(result: CheckResult) -> list[tuple[str, str, str]]:
    """The figures beside the headline: name, value, small print."""
    interval, growth = result.interval, result.growth
    if interval is None:
        return []
    undecided = result.verdict is Verdict.INCONCLUSIVE
    named = f"growth per {result.unit}" if undecided else f"kept {EVERY[result.unit]}"
    if result.traffic is None:
        jobs = ("measured jobs", number(result.jobs), f"{result.seconds:.1f} s in all, warm-up included")
    else:
        counted = "not counted" if result.traffic.jobs is None else number(result.traffic.jobs)
        jobs = ("jobs of its own traffic", counted, f"in {duration(result.traffic.seconds)}")
    figures = [
        (named, f"{number(interval.estimate)} B", span(interval)),
        ("tolerance", f"{tolerance_of(result)} B", f"per {result.unit}"),
        jobs,
    ]
    if growth is not None and growth.total > 0 and (result.holders or result.findings):
        figures.append(("explained", percent(min(1 - growth.unexplained_share, 1)), "of the growth has a name"))
    return figures


def script_source(script: str) -> str:
    """A script as the page's policy names it: no other one may run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
