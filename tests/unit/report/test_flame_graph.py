import json
from dataclasses import replace

from labserver.heap.frame import Frame
from labserver.heap.heap_growth import Site
from labserver.heap.origin import Origin
from labserver.report.flame_graph import flame_json, is_untraced, stacks_of, traced_jobs
from labserver.report.html import html_of

WORK, RENDER = (Frame("shop.py", line, name, Origin.APPLICATION) for line, name in ((20, "work"), (41, "render")))
PARSER, WSGI = Frame("json/decoder.py", 353, "", Origin.STANDARD), Frame("flask/app.py", 902, "dispatch")


def site(size, *stack):
    return Site(size, 1, (), stack)


def drawn(sites):
    """The tree with names in place of numbers."""
    data = json.loads(flame_json(sites))

    def named(node):
        at, size, callees = node
        return ("everything" if at < 0 else data["frames"][at][1], size, [named(one) for one in callees])

    return named(data["tree"])


def test_callers_stand_above_what_they_called_and_have_its_bytes():
    assert drawn([site(30, PARSER, WORK, WSGI), site(100, RENDER, WORK, WSGI), site(7, WORK, WSGI)]) == (
        "everything",
        137,
        [
            (
                "flask/app.py:902",
                137,
                [("shop.py:20", 137, [("shop.py:41", 100, []), ("json/decoder.py:353", 30, [])])],
            )
        ],
    )


def test_stacks_of_several_threads_begin_with_different_callers():
    whole = drawn([site(30, PARSER, WORK), site(100, PARSER, WSGI)])
    assert [(name, size) for name, size, _ in whole[2]] == [("flask/app.py:902", 100), ("shop.py:20", 30)]
    assert [callees for _, _, callees in whole[2]] == [
        [("json/decoder.py:353", 100, [])],
        [("json/decoder.py:353", 30, [])],
    ]


def test_a_frame_is_told_once_with_what_it_is():
    data = json.loads(flame_json([site(30, PARSER, WORK, WSGI), site(100, PARSER, RENDER, WSGI)]))
    assert sorted(data["frames"]) == [
        ["", "json/decoder.py:353", "standard-library"],
        ["dispatch", "flask/app.py:902", "library"],
        ["render", "shop.py:41", "application"],
        ["work", "shop.py:20", "application"],
    ]


def test_the_data_cannot_end_the_element_that_it_stands_in():
    text = flame_json([site(30, Frame("</script><b>.py", 1, "<lambda>"))])
    assert "<" not in text
    assert json.loads(text)["frames"] == [["<lambda>", "</script><b>.py:1", "library"]]


def test_stacks_are_those_that_are_known_and_hold_something(traced, clean):
    assert [one.bytes for one in stacks_of(traced)] == [10_000_000, 30_000]
    assert stacks_of(replace(traced, sites=(site(0, WORK), site(-5, WORK)))) == ()
    assert (traced_jobs(traced), traced_jobs(clean)) == (50, None)
    assert drawn([]) == ("everything", 0, [])


def test_what_has_nothing_to_do_with_the_growth_is_drawn_by_no_graph(traced):
    assert not is_untraced(traced)
    page = html_of(traced)
    assert 'class="flame-graph"' in page
    little = replace(traced, sites=tuple(replace(one, bytes=one.bytes // 1000) for one in traced.sites))
    assert is_untraced(little)
    page = html_of(little)
    assert 'class="flame-graph"' not in page
    assert "<script" not in page
    assert "next to nothing of what is kept" in page
    assert page.count("shop.py:41 in render") > 1  # its table is still there


def test_without_an_answer_or_a_count_nothing_is_held_against_the_graph(traced, clean):
    assert not is_untraced(replace(traced, interval=None))
    assert not is_untraced(replace(traced, noted=()))
    assert not is_untraced(clean)
