import shutil
import xml.etree.ElementTree as ET

import pytest

from labserver.heap.chain import Chain, Link
from labserver.heap.edge import VALUE, attribute
from labserver.incident.experiments.leak.graphviz import save_dot, to_dot

CHAIN = Chain((Link(None, "module", "shop"), Link(attribute("STORE"), "dict", "dict"), Link(VALUE, "bytes", 'by"tes')))


def test_every_object_and_edge_is_in_the_source():
    text = to_dot(CHAIN)
    assert 'n0 -> n1 [label="STORE"]' in text
    assert "n1 -> n2 [label=\"['…']\"]" in text
    assert 'n2 [label="by\\"tes"]' in text


def test_without_graphviz_the_source_is_still_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert save_dot(CHAIN, tmp_path, "chain") == ["figures/chain.dot"]


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz' dot is not installed")
def test_graphviz_draws_the_chain(tmp_path):
    assert save_dot(CHAIN, tmp_path, "chain") == ["figures/chain.dot", "figures/chain_dot.svg"]
    drawn = "".join(ET.parse(tmp_path / "figures" / "chain_dot.svg").getroot().itertext())
    assert "module shop" in drawn
    assert "STORE" in drawn
