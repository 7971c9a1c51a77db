"""A check's result and its parts as a notebook displays them: the drawing, the terminal's text, and what to unfold."""

import base64
from collections.abc import Iterator
from html import escape

from labserver.amounts import number, percent, size
from labserver.diagnosis.result import CheckResult, Finding, NamedHolder
from labserver.report import html
from labserver.report.allocation import allocation_sentence
from labserver.report.contents import table_of, what_came
from labserver.report.curve import curve_in_words, curve_of
from labserver.report.holder_chain import holder_name
from labserver.report.terminal import render

Part = CheckResult | NamedHolder | Finding

# An image knows nothing of the notebook's colours and letters: a grey that is read on white and on black.
_OF_ITS_OWN = 'xmlns="http://www.w3.org/2000/svg" color="#767676" font-family="sans-serif"'
_WIDTH = 96
"""Letters in a line: JupyterLab breaks a longer one in the midst of a word, in a window of 1280 pixels."""
_FRAME_STYLE = "width: 100%; height: 40em; border: 0"


def text_of(shown: Part) -> str:
    """What is shown where there is only text."""
    if isinstance(shown, CheckResult):
        return render(shown, _WIDTH).rstrip("\n")
    return "\n".join(_holder(shown) if isinstance(shown, NamedHolder) else _finding(shown))


def html_of(shown: Part) -> str:
    """The same for people with a screen; where a notebook is not trusted, its text is left of it."""
    text = f"<pre>{escape(text_of(shown))}</pre>"
    if isinstance(shown, CheckResult):
        by_type = "".join(map(_by_type, shown.holders))
        return f'<div class="labserver-check">{_drawing(shown)}{text}{by_type}{_whole_page(shown)}</div>'
    return f'<div class="labserver-check">{text}{_by_type(shown) if isinstance(shown, NamedHolder) else ""}</div>'


def _drawing(result: CheckResult) -> str:
    svg = curve_of(result)
    if not svg:
        return ""
    # As an image: JupyterLab shows no SVG of a notebook that it does not trust.
    encoded = base64.b64encode(svg.replace("<svg ", f"<svg {_OF_ITS_OWN} ", 1).encode()).decode()
    return f'<img alt="{escape(curve_in_words(result))}" src="data:image/svg+xml;base64,{encoded}"/>'


def _holder(holder: NamedHolder) -> Iterator[str]:
    kept = f"{what_came(holder)}, {size(holder.retained_bytes)} retained"
    yield f"{holder_name(holder)} keeps {percent(holder.share_of_growth)} of the growth: {kept}"
    yield f"  held along {holder.path}"
    yield from _about(holder)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{finding.text} ({number(finding.bytes_per_job)} bytes a job)"
    yield from _about(finding)


def _about(one: NamedHolder | Finding) -> Iterator[str]:
    for line in (allocation_sentence(one), one.hint):
        if line:
            yield f"  {line}"


def _whole_page(result: CheckResult) -> str:
    # In a frame of its own, the page's style sheet and the notebook's leave each other alone.
    page = escape(html.html_of(result, interactive=False))  # no script runs there
    frame = f'<iframe title="The whole page" srcdoc="{page}" sandbox="" style="{_FRAME_STYLE}"></iframe>'
    return f"<details><summary>The whole page</summary>{frame}</details>"


def _by_type(holder: NamedHolder) -> str:
    table = table_of(holder)
    title = f"What came to <code>{escape(holder_name(holder))}</code>, by type"
    return f"<details><summary>{title}</summary>{table}</details>" if table else ""
