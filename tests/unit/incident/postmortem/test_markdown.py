"""Where words may wrap, and how tables and listings scroll."""

import pytest

from labserver.incident.postmortem.markdown import html_of, wrappable


def html(text):
    return html_of(text, label="any").strip()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("07.told_apart_at_original_s", ["07.told_", "apart_", "at_", "original_", "s"]),
        ("labserver/service/face.py:82 in compose", ["labserver/", "service/", "face.", "py:82 in compose"]),
        ("JobQueue._store", ["JobQueue.", "_store"]),
        ("method.__self__", ["method.", "__self__"]),
        ("urllib3.connectionpool", ["urllib3.", "connectionpool"]),
        ("1.5", ["1.5"]),
        ("a<b", ["a&lt;b"]),
    ],
)
def test_an_identifier_wraps_at_its_seams_alone(text, pieces):
    assert wrappable(text).split("<wbr>") == pieces


def test_code_and_identifiers_in_a_text_wrap_and_other_words_do_not():
    page = html("`a_b` is http_req_duration, e.g. 1.48/s and/or p(95)")
    assert page == "<p><code>a_<wbr>b</code> is http_<wbr>req_<wbr>duration, e.g. 1.48/s and/or p(95)</p>"


def test_raw_html_is_escaped_wherever_it_stands():
    page = html("<b>x_y</b> `<i>`\n\n```\n<u>\n```\n\n| <s> |\n|---|\n| `<q>` |\n")
    assert not [tag for tag in ("<b>", "<i>", "<u>", "<s>", "<q>") if tag in page]


@pytest.mark.parametrize("columns", [2, 3, 5])
def test_a_table_says_its_number_of_columns_and_scrolls_under_its_heading(columns):
    lines = ["|" + "|".join(cells * columns) + "|" for cells in (["a"], ["---"], ["b"], ["c"])]
    page = html("\n".join(lines))
    region = '<div class="table" role="region" tabindex="0" aria-labelledby="any">'
    assert page.startswith(f'{region}<table class="columns-{columns}">')
    assert page.count('<th scope="col">') == columns
    assert page.endswith("</table>\n</div>")


def test_a_listing_scrolls_by_key():
    assert html("```\na_b  c\n```") == '<pre tabindex="0"><code>a_b  c\n</code></pre>'
