from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.heap.chain import Link
from labserver.heap.edge import VALUE, attribute
from labserver.heap.wire import TypeChange
from labserver.plugins.notebook_view import Diagnosis
from labserver.stats.interval import Interval


def shown(*contents):
    """What a notebook shows beside the whole page, of an answer with one holder."""
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
    result = CheckResult(
        target="shop:app",
        verdict=Verdict.LEAK,
        interval=Interval(2000.0, 1990.0, 2010.0, 0.99),
        tolerance=256,
        meter="traced",
        jobs=240,
        seconds=3.0,
        errors=0,
        floors=((0, 0), (120, 240_000), (240, 480_000)),
        holders=(holder,),
    )
    return Diagnosis(result)._repr_html_().partition("The whole page")[0]


def test_an_answer_has_the_types_that_came_as_a_table():
    html = shown(TypeChange("<b>", 240, 0, 480_000))
    assert "What came to <code>shop.STORE</code>, by type" in html
    assert '<th scope="row">&lt;b&gt;</th><td>240</td>' in html


def test_without_types_there_is_no_empty_table():
    assert "by type" not in shown()
