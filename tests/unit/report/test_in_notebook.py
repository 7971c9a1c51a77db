import base64
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np

from labserver.diagnosis.fact import FoundKind, Note
from labserver.diagnosis.result import CheckResult, Finding, NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.heap.chain import Link
from labserver.heap.edge import VALUE, attribute
from labserver.heap.heap_growth import TypeChange
from labserver.report.curve import curve_of
from labserver.stats.interval import Interval


def result_of(*contents, jobs_left=1, **changed):
    """An answer with one holder."""
    links = (Link(None, "module", "shop"), Link(attribute("STORE"), "dict", "dict"), Link(VALUE, "bytes", "bytes"))
    holder = NamedHolder(
        path="module shop → STORE → ['…']",
        holder="module shop → STORE",
        holder_type="dict",
        buffer_type="bytes",
        buffers=240,
        growth_bytes=480_000,
        retained_bytes=480_000,
        share_of_growth=1.0,
        chain=links,
        allocated_at=(),
        fingerprint="0123",
        holder_at=1,
        contents=contents,
    )
    return CheckResult(
        target="shop:app",
        verdict=Verdict.LEAK,
        interval=Interval(2000.0, 1990.0, 2010.0, 0.99),
        tolerance=256,
        meter="traced",
        jobs=240,
        seconds=3.0,
        errors=0,
        floors=((0, 0), (120, 240_000), (240, 480_000 * jobs_left)),
        holders=(holder,),
        **changed,
    )


def shown(*contents):
    """What a notebook shows of it beside the whole page."""
    return result_of(*contents)._repr_html_().partition("The whole page")[0]


def test_an_answer_has_the_types_that_came_as_a_table():
    html = shown(TypeChange("<b>", 240, 0, 480_000))
    assert "What came to <code>shop.STORE</code>, by type" in html
    assert '<th scope="row">&lt;b&gt;</th><td>240</td>' in html


def test_without_types_there_is_no_empty_table():
    assert "by type" not in shown()


def text_of(shown):
    return shown._repr_mimebundle_(include=None, exclude=None)["text/plain"]


def test_an_answer_is_the_page_of_the_terminal_where_there_is_only_text():
    said = text_of(result_of())
    assert said.startswith("LEAK  shop:app keeps ")
    assert not said.endswith("\n")


def test_its_lines_fit_into_a_notebook_of_the_usual_width():
    said = text_of(replace(result_of(), target="shop.applications.of_a_name_that_makes_lines_longer:create_app"))
    assert 90 < max(map(len, said.splitlines())) <= 96


def test_a_holder_says_what_it_keeps_along_which_path():
    (holder,) = result_of(TypeChange("<b>", 240, 0, 480_000)).holders
    said = text_of(holder)
    assert said.startswith("shop.STORE keeps 100 % of the growth: ")
    assert "  held along module shop → STORE → ['…']" in said.splitlines()
    assert "<pre>shop.STORE keeps" in holder._repr_html_()
    assert "by type" in holder._repr_html_()


def test_a_finding_says_how_much_and_where():
    told = Note(FoundKind.AT, {"line": "notebook cell [4], line 2: a < b"})
    finding = Finding("native", 1234.5, ("notebook cell [4], line 2: a < b",), told)
    said = text_of(finding)
    assert "bytes a job)" in said.splitlines()[0]
    assert "  allocated at notebook cell [4], line 2: a < b" in said.splitlines()
    assert "a &lt; b" in finding._repr_html_()


def test_figures_are_numbers_whatever_type_they_were_computed_in():
    interval = Interval(np.float64(1.5), np.float32(1.0), np.int64(2), 0.99)
    assert repr(interval) == "Interval(estimate=1.5, low=1.0, high=2, confidence=0.99)"
    assert "np." not in repr(result_of(native=interval))


def test_the_curve_is_a_picture_of_its_own_with_the_tolerance_and_words():
    html = result_of()._repr_html_()
    alt, encoded = re.search(r'<img alt="([^"]+)" src="data:image/svg\+xml;base64,([^"]+)"/>', html).groups()
    assert alt.startswith("Growth of the memory at rest over 240 jobs: 480,000 bytes, fitted 2,000 per job")
    svg = ET.fromstring(base64.b64decode(encoded))
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    assert "tolerance" in [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    line = next(one for one in svg.iter("{http://www.w3.org/2000/svg}polyline") if one.get("class") == "tolerance")
    heights = [float(point.split(",")[1]) for point in line.get("points").split()]
    assert all(0 < height < float(svg.get("height")) for height in heights)


def test_of_few_floors_there_is_no_curve():
    assert "<img" not in replace(result_of(), floors=((0, 0), (9, 9)))._repr_html_()


def test_two_drawings_on_a_page_do_not_share_what_they_are_cut_by():
    ids = [re.search(r'clipPath id="([^"]+)"', curve_of(result_of(jobs_left=n))).group(1) for n in (1, 2)]
    assert ids[0] != ids[1]
