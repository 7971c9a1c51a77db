import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from labserver.diagnosis.fact import Fact, Note, NoteKind, PartKind, Reason, ReasonKind, said
from labserver.diagnosis.verdict import Verdict
from labserver.heap.chain import Link
from labserver.heap.edge import attribute
from labserver.heap.frame import Frame
from labserver.heap.heap_growth import Site
from labserver.heap.origin import Origin
from labserver.report import html
from labserver.report.curve import curve_of
from labserver.report.html import html_of
from labserver.report.icicle import NARROW_PX, WIDE_PX, icicle_of
from labserver.stats.interval import Interval

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Outline(HTMLParser):
    """Tags must nest; the words of a page and its headings are kept."""

    def __init__(self, page):
        super().__init__()
        self.open, self.headings, self.words, self.attributes = [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "script"}:
            self.words += data.split()


@pytest.mark.parametrize("name", ["leak", "clean", "nothing"])
def test_the_page_is_whole_and_fetches_nothing(name, request):
    page = html_of(request.getfixturevalue(name))
    outline = Outline(page)
    assert outline.headings[0] == "h1"
    assert outline.headings.count("h1") == 1
    assert not re.search(r"https?://|<script|@import|url\((?!#)", page)
    assert "script-src 'none'" in page
    assert not [one for one in outline.attributes if one[1] in {"src", "srcset"} or one[1].startswith("on")]
    assert [one for one in outline.attributes if one[1] == "role"] == [
        ("svg", "role", "img") for _ in re.findall("<svg", page)
    ]
    assert len(re.findall("aria-label=", page)) >= page.count("<svg")


def test_a_leak_shows_who_where_and_what_to_do(leak):
    words = " ".join(Outline(html_of(leak)).words)
    for part in (
        "shop:app keeps 200,123 B of every job",
        "199,900 to 200,340, 99 %",
        "shop.STORE._jobs",
        "Allocated at shop.py:41 in render , called from shop.py:20 in work .",
        "The whole stack, 3 lines shop.py:41 in render shop.py:20 in work flask/app.py:902",
        "module shop STORE Store _jobs dict holder",
        "Entries are added per job and never removed",
        "unexplained (26,736 B, 111 B/job)",
        "fingerprint 0123",
        "labserver check shop:app --request 'GET /<b>'",
        "3 of 240 jobs failed",
    ):
        assert part in words, part


def test_a_known_leak_of_a_library_is_called_so_and_where_more_is_told_is_named(known_leak, leak):
    words = " ".join(Outline(html_of(known_leak)).words)
    assert "Known leak of CPython. See: python/cpython#97557: Memory leak: warnings module" in words
    plain = " ".join(Outline(html_of(leak)).words)
    assert "nown leak" not in plain
    assert "See:" not in plain


def test_what_could_not_start_says_why_and_no_figures(nothing):
    page = html_of(nothing)
    assert "Nothing can be said of shop:app" in page
    assert page.count("shop is not there.") == 1
    assert "<svg" not in page


def test_the_application_cannot_write_into_the_page(leak):
    evil = "<script>alert(1)</script>"
    (holder,) = leak.holders
    link = Link(attribute(evil), evil, evil)
    frames = (Frame(evil, 1, evil), Frame(evil, 2, evil, Origin.APPLICATION))
    chained = replace(holder, chain=(*holder.chain, link), stack=frames, also_held_by=(evil,), bound_from=evil)
    chained = replace(chained, allocated_at=(evil,), bound=1)
    page = html_of(replace(leak, target=evil, noted=said(evil), holders=(chained,)))
    assert "<script" not in page
    Outline(page)
    site = Site(5, 1, (evil,), frames)
    assert len(re.findall("<script", html_of(replace(leak, target=evil, sites=(site,))))) == 3  # the page's own


def scripts(page):
    return re.findall(r"<script(?: [^>]+)?>(.*?)</script>", page, re.DOTALL)


def test_a_page_with_stacks_has_all_that_it_runs_and_fetches_nothing(traced):
    page = html_of(traced)
    outline = Outline(page)
    assert {url for url in re.findall(r"https?://[\w./]*", page) if not url.startswith("http://www.w3.org/")} == set()
    assert not re.search(r"@import|url\((?!#)", page)
    assert not [one for one in outline.attributes if one[1] in {"src", "srcset"} or one[1].startswith("on")]
    _, library, drawing = scripts(page)
    assert "d3FlameGraph" in library
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    for script in (library, drawing):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert len(page.encode()) - len(html_of(replace(traced, sites=())).encode()) < 400_000


def test_the_stacks_are_there_as_a_table_and_as_the_graphs_data(traced):
    page = html_of(traced)
    words = " ".join(Outline(page).words)
    assert "50 traced jobs left 10,030,000 B (9.6 MiB) that Python's allocators know of, from 2 stacks" in words
    assert "30,000 0.3 % 100 json/decoder.py:353 in JSONDecoder.raw_decode called from shop.py:20 in work" in words
    data = json.loads(scripts(page)[0])
    assert data["tree"][:2] == [-1, 10_030_000]


def test_where_no_script_runs_the_table_stands_open(traced):
    page = html_of(traced, interactive=False)
    assert scripts(page) == []
    assert "flame" not in re.sub("<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "<details open>" in page
    assert "The 2 stacks as a table" in page


def test_a_page_of_many_deep_stacks_can_still_be_sent_round(traced):
    def stack(at):
        """Of 25 lines, as many as 12 of which no other stack has."""
        own = (Frame(f"shop/module_{at % 7}/part_{depth}.py", at, f"Handler.work_{depth}") for depth in range(12))
        return (*own, *(Frame(f"flask/app_{depth}.py", depth, "Flask.dispatch_request") for depth in range(13)))

    sites = tuple(Site(1000 + at, 1, ("shop.py:1",), stack(at)) for at in range(200))
    grown = len(html_of(replace(traced, sites=sites)).encode()) - len(html_of(replace(traced, sites=())).encode())
    assert grown < 400_000


def test_the_script_of_others_is_as_it_was_made():
    folder = Path(html.__file__).parent / "vendor"
    (digest,) = re.findall(r"SHA-256: `(\w+)`", (folder / "README.md").read_text(encoding="utf-8"))
    script = (folder / "d3-flame-graph.js").read_bytes()
    assert hashlib.sha256(script).hexdigest() == digest
    assert b"</script" not in script.lower()
    licences = (folder / "LICENSES.txt").read_text(encoding="utf-8")
    assert all(name in licences for name in ("Apache License", "Mike Bostock", "Robert Penner"))


def points(svg, kind):
    root = ET.fromstring(svg)
    return [(float(one.get("cx")), float(one.get("cy"))) for one in root.iter("circle") if one.get("class") == kind]


def line(svg, kind):
    (found,) = (one for one in ET.fromstring(svg).iter() if one.get("class") == kind)
    return [tuple(map(float, pair.split(","))) for pair in found.get("points").split()]


def test_the_curve_lays_the_slope_through_its_floors(leak):
    svg = curve_of(leak)
    floors, fit = points(svg, "floor"), line(svg, "fit")
    assert len(floors) == len(leak.floors)
    assert fit[0] == pytest.approx(floors[0], abs=1)
    assert fit[1] == pytest.approx(floors[-1], abs=1)
    assert len(line(svg, "band")) == 4


def test_the_slope_is_drawn_over_the_last_floors_where_the_first_were_left_out(clean):
    floors = ((0, 0), (50, 900_000), *((50 * at, 900_000 + at) for at in range(2, 12)))
    svg = curve_of(replace(clean, floors=floors, interval=Interval(0.0, -5.0, 5.0, 0.99)))
    assert line(svg, "fit")[0][0] == pytest.approx(points(svg, "floor")[1][0], abs=1)


def test_floors_that_never_move_can_be_drawn(clean):
    still = replace(clean, floors=((0, 7), (0, 7), (0, 7)), tolerance=0.0, interval=None)
    assert "nan" not in curve_of(still)
    assert curve_of(replace(clean, floors=clean.floors[:2])) == ""


def test_the_icicle_is_as_wide_as_the_bytes(leak):
    (holder,) = leak.holders
    other = replace(
        holder,
        holder_type="list",
        holder_at=1,
        growth_bytes=holder.growth_bytes // 2,
        chain=(holder.chain[0], Link(attribute("LOG"), "list", "list"), holder.chain[-1]),
    )
    svg = icicle_of(replace(leak, holders=(holder, other)))
    blocks = {one.find("title").text.split("\n")[0]: one.find("rect") for one in ET.fromstring(svg).iter("g")}
    width = {path: float(rect.get("width")) for path, rect in blocks.items()}
    one, two = width["module shop → STORE: Store → _jobs: dict"], width["module shop → LOG: list"]
    assert one == pytest.approx(2 * two, rel=0.02)
    assert width["module shop"] == pytest.approx(one + two, rel=0.02)
    kinds = {one.find("title").text.split("\n")[0]: one.get("class").split()[0] for one in ET.fromstring(svg).iter("g")}
    assert kinds["module shop → STORE: Store → _jobs: dict"] == kinds["module shop → LOG: list"] == "holder"


def test_the_narrow_icicle_has_the_same_blocks(leak):
    wide, narrow = (icicle_of(leak, width) for width in (WIDE_PX, NARROW_PX))
    assert narrow.count("<rect") == wide.count("<rect")
    widths = [float(width) for width in re.findall(r'<rect[^>]* width="([\d.]+)"', narrow)]
    assert max(widths) <= NARROW_PX
    assert f'viewBox="0 0 {NARROW_PX} ' in narrow


def within_one_line(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("verdict", "noted", "said"),
    [
        (
            Verdict.NO_LEAK,
            (Note(NoteKind.RISES, {"per_job": 136.0, "tolerance": 256.0, "by": Fact(PartKind.NOBODY)}),),
            "Memory grows by 136 B a job, within the tolerance of 256 B.",
        ),
        (
            Verdict.INCONCLUSIVE,
            (
                Note(NoteKind.UNDECIDED, {"jobs": 540, "reason": Reason(ReasonKind.SPANS_TOLERANCE)}),
                Note(NoteKind.NEXT, {"option": "--tolerance", "value": 70}),
            ),
            "Undecided after 540 jobs: the interval still spans the tolerance. Next: the same with --tolerance 70.",
        ),
    ],
)
def test_what_a_reader_must_know_or_do_stands_beside_the_verdict(clean, verdict, noted, said):
    page = within_one_line(html_of(replace(clean, verdict=verdict, noted=noted)))
    assert page.index("<h1>") < page.index(f'<p class="beside">{said}</p>') < page.index("</header>")
    assert page.count(said) == 1
    assert 'id="notes"' not in page


def test_without_holders_there_is_no_icicle(leak, clean):
    assert icicle_of(clean) == icicle_of(replace(leak, holders=(replace(leak.holders[0], growth_bytes=0),))) == ""


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("which", [0, 1, 2], ids=["light", "dark", "print"])
def test_every_text_stands_out_from_its_ground(clean, which):
    """WCAG's contrast for text is 4.5 to 1."""
    blocks = re.findall(r":root \{(.+?)\}", html_of(clean), re.DOTALL)
    roots = [dict(re.findall(r"--([\w-]+): (#\w+);", block)) for block in blocks]
    long = {
        name: "#" + "".join(2 * digit for digit in value[1:]) if len(value) == 4 else value
        for name, value in (roots[0] | roots[which]).items()
    }
    texts = {"paper": "ink soft link", "card": "ink soft leak ok warn link", "code": "ink soft link leak"}
    texts |= {f"s{shade}": "ink" for shade in range(5)} | {"left": "ink", "held": "held-ink", "leak": "card"}
    texts |= {f"flame-{kind}": "ink" for kind in ("all", "found", *Origin)}
    for ground, names in texts.items():
        for name in names.split():
            light, dark = sorted((luminance(long[name]), luminance(long[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)
