from dataclasses import replace

import pytest

from labserver.diagnosis.fact import Note, NoteKind, said
from labserver.diagnosis.result import CheckResult, Finding, NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.heap.chain import Link
from labserver.heap.edge import KEY, VALUE, attribute
from labserver.heap.frame import Frame
from labserver.heap.heap_growth import Site
from labserver.heap.origin import Origin
from labserver.stats.interval import Interval

STACK = (
    Frame("shop.py", 41, "render", Origin.APPLICATION),
    Frame("shop.py", 20, "work", Origin.APPLICATION),
    Frame("flask/app.py", 902, "Flask.dispatch_request"),
)
HOLDER = NamedHolder(
    path="module shop → STORE → Store._jobs → ['…']",
    holder="module shop → STORE → Store._jobs",
    holder_type="dict",
    buffer_type="bytes",
    buffers=240,
    growth_bytes=48_000_000,
    retained_bytes=48_029_520,
    share_of_growth=0.9994,
    chain=(
        Link(None, "module", "shop"),
        Link(attribute("STORE"), "Store", "Store"),
        Link(attribute("_jobs"), "dict", "dict"),
        Link(VALUE, "bytes", "bytes"),
    ),
    allocated_at=("shop.py:41 in render", "shop.py:20 in work"),
    stack=STACK,
    fingerprint="0123",
    holder_retained_bytes=50_000_000,
    holder_at=2,
)


@pytest.fixture
def leak():
    """A leak of 200,123 B/job over 240 jobs, with one holder and a finding of native growth."""
    return CheckResult(
        target="shop:app",
        verdict=Verdict.LEAK,
        interval=Interval(200_123.4, 199_900.0, 200_340.0, 0.99),
        tolerance=256,
        meter="both",
        jobs=240,
        seconds=12.34,
        errors=3,
        floors=tuple((30 * at, 20_000_000 + 6_003_702 * at) for at in range(9)),
        holders=(HOLDER,),
        findings=(Finding("native", 12.0, (), *said("12 B/job are native.")),),
        noted=(
            Note(
                NoteKind.JOBS_FAILED,
                {"failed": 3, "jobs": 240, "share": 3 / 240, "why": "\x1b[31mGET /work answered 500"},
            ),
        ),
        native=Interval(12.0, -300.0, 320.0, 0.99),
        provenance={"labserver": "0.2.0", "command": "labserver check shop:app --request 'GET /<b>'"},
    )


@pytest.fixture
def traced(leak):
    """The same leak, with the stacks of its traced jobs."""
    parser = Frame("json/decoder.py", 353, "JSONDecoder.raw_decode", Origin.STANDARD)
    sites = (
        Site(10_000_000, 50, ("shop.py:41 in render", "shop.py:20 in work"), STACK),
        Site(30_000, 100, ("shop.py:20 in work",), (parser, *STACK[1:])),
        Site(500, 3, ("waitress/task.py:435 in execute",), ()),  # as an older version tells it
    )
    note = Note(NoteKind.LINES_TRACED, {"jobs": 50, "frames": 25})
    return replace(leak, sites=sites, noted=(*leak.noted, note))


@pytest.fixture
def known_leak(leak):
    """The same, but that its holder is one of those of which the catalogue knows a library's own fault."""
    chain = (
        Link(None, "module", "shop"),
        Link(attribute("__warningregistry__"), "dict", "dict"),
        Link(KEY, "tuple", "tuple"),
    )
    return replace(leak, holders=(replace(HOLDER, chain=chain, holder_at=1),))


@pytest.fixture
def clean():
    return CheckResult(
        target="shop:app",
        verdict=Verdict.NO_LEAK,
        interval=Interval(-3.2, -40.0, 35.0, 0.99),
        tolerance=256,
        meter="both",
        jobs=400,
        seconds=9.0,
        errors=0,
        floors=tuple((50 * at, 20_000_000 + (-1) ** at * 2000) for at in range(9)),
    )


@pytest.fixture
def nothing():
    """The answer of a check that could not start the application."""
    return CheckResult("shop:app", Verdict.INCONCLUSIVE, None, 256, "both", 0, 1.0, 0, noted=said("shop is not there."))
