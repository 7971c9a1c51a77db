"""A heap from a file as one page that fetches nothing: an icicle to click into, and the same as a tree to unfold."""

import json
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from labserver.amounts import number, percent, rough_size, size
from labserver.heap.file import HeapFile
from labserver.heap.file.dominator_groups import Group, groups_in
from labserver.report.heap.terminal import origin_sentence
from labserver.report.html import TEMPLATES, script_source, style_sheet
from labserver.text import clean, one_line

_LEAST_SHARE = 0.001  # of the heap, that a block must retain
_MOST_BELOW, _MOST_TOPS = 25, 150  # blocks below one, and below the whole
_MOST_ROWS = 40


def page_of(heap: HeapFile) -> str:
    """The page; whatever comes from the heap is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters |= {"number": number, "size": size, "percent": percent, "clean": clean}
    script = (TEMPLATES / "heap.js").read_text(encoding="utf-8")
    style = style_sheet() + (TEMPLATES / "heap.css").read_text(encoding="utf-8")
    whole = groups_in(heap, least_share=_LEAST_SHARE, most=_MOST_BELOW, most_tops=_MOST_TOPS)
    return environment.get_template("heap.html.j2").render(
        name=one_line(heap.path.name),
        origin=one_line(origin_sentence(heap)),
        notes=heap.about.notes,
        figures=_figures(heap),
        whole=whole,
        total=max(heap.bytes, 1),
        types=heap.types()[:_MOST_ROWS],
        modules=heap.modules()[:_MOST_ROWS],
        strings=heap.strings()[:_MOST_ROWS],
        threads=heap.threads(),
        # These are made here, of escaped parts.
        script_source=Markup(script_source(script)),  # noqa: S704 - see above
        css=Markup(style),  # noqa: S704 - see above
        data=Markup(_data_of(whole)),  # noqa: S704 - see above
        script=Markup(script),  # noqa: S704 - see above
    )


def _figures(heap: HeapFile) -> list[tuple[str, str, str]]:
    """The figures at the top: name, value, small print."""
    record = heap.record
    file_bytes = heap.path.stat().st_size
    return [
        ("bytes", rough_size(heap.bytes), f"{number(heap.bytes)} B"),
        ("objects", number(record.types.size), f"of {number(len(record.type_names))} types"),
        ("references", number(record.targets.size), "between them"),
        ("file", rough_size(file_bytes), f"{file_bytes / max(record.types.size, 1):.1f} B an object"),
    ]


def _data_of(whole: Group) -> str:
    """The tree for the script; nothing in it can end the element that it stands in."""
    return json.dumps(_block(whole), ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


def _block(group: Group) -> list[Any]:
    return [clean(group.name), group.retained, group.count, [_block(one) for one in group.groups]]
