import json

import pytest

from labserver.heap.chain import Link
from labserver.heap.edge import ITEM, UNKNOWN, VALUE, Edge, EdgeKind, attribute

WORDS = {
    attribute("_jobs"): "_jobs",
    VALUE: "['…']",
    Edge(EdgeKind.KEY): "{key}",
    ITEM: "[…]",
    Edge(EdgeKind.MEMBER): "{…}",
    Edge(EdgeKind.LOCAL, "image", "render", 41): "local image (render:41)",
    Edge(EdgeKind.EVALUATED, "", "render", 41): "being evaluated (render:41)",
    Edge(EdgeKind.CLOSURE, "kept"): "closure kept",
    Edge(EdgeKind.DEFAULT, "cache"): "default cache",
    Edge(EdgeKind.KEYWORD_DEFAULT, "cache"): "keyword default cache",
    Edge(EdgeKind.GLOBAL, "STORE"): "global STORE",
    Edge(EdgeKind.CODE_CONSTANT): "code constant",
    Edge(EdgeKind.PARTIAL_ARGUMENT): "partial argument",
    Edge(EdgeKind.PARTIAL_KEYWORD, "job"): "partial keyword job",
    Edge(EdgeKind.CONTEXT_VARIABLE, "images"): "contextvar images",
    Edge(EdgeKind.CACHE_KEY): "cache key",
    Edge(EdgeKind.CACHE_VALUE): "cache value",
    Edge(EdgeKind.WEAKREF_CALLBACK): "weakref callback",
    Edge(EdgeKind.CALLBACK): "registered callback",
    Edge(EdgeKind.ITERATED): "iterated items",
    Edge(EdgeKind.BUFFERED): "buffered items",
    Edge(EdgeKind.REPEATED, "Node.next", number=998): "(Node.next)×998",
    Edge(EdgeKind.C_FIELD): "C field",
    UNKNOWN: "?",
    Edge(EdgeKind.OTHER, "of a later version"): "of a later version",
}


@pytest.mark.parametrize("edge", WORDS, ids=lambda edge: edge.kind)
def test_each_edge_has_its_words_and_reaches_the_other_side_as_it_is(edge):
    link = Link(edge, "list", "list")
    sent = json.loads(json.dumps(link.to_json()))
    assert sent["edge"] == edge.words == WORDS[edge]
    assert Link.from_json(sent) == link


def test_every_kind_is_pinned():
    assert {edge.kind for edge in WORDS} == set(EdgeKind)


@pytest.mark.parametrize("edge", WORDS, ids=lambda edge: edge.kind)
def test_an_older_version_tells_the_words_alone(edge):
    link = Link.from_json({"edge": edge.words, "type": "list", "name": "list"})
    assert link.words == edge.words
    assert link.edge.is_one_of_many == edge.is_one_of_many
    assert link.edge.attribute == edge.attribute


def test_of_a_kind_that_a_newer_version_knows_the_words_are_kept():
    link = Link.from_json({"edge": "lane 5", "type": "list", "name": "list", "how": {"kind": "lane", "name": "5"}})
    assert link.edge == Edge(EdgeKind.OTHER, "lane 5")


@pytest.mark.parametrize(
    ("edge", "code"),
    [
        (attribute("_jobs"), "._jobs"),
        (VALUE, "['…']"),
        (Edge(EdgeKind.LOCAL, "image", "render", 41), ".image (render:41)"),
        (Edge(EdgeKind.CLOSURE, "kept"), ".closure kept"),
        (UNKNOWN, ".?"),
    ],
)
def test_behind_its_owner_it_reads_as_code(edge, code):
    assert edge.in_code == code


def test_what_differs_from_run_to_run_is_not_in_the_general_words():
    assert Edge(EdgeKind.LOCAL, "image", "render", 41).general_words == "local image (render)"
    assert Edge(EdgeKind.REPEATED, "Node.next", number=998).general_words == "(Node.next)×N"


@pytest.mark.parametrize(("name", "alone"), [("_jobs", False), ("first name", True), ("[0]", True), ("a-b", False)])
def test_an_attribute_stands_with_its_owner_unless_no_code_can_spell_it_there(name, alone):
    assert attribute(name).stands_alone == alone
