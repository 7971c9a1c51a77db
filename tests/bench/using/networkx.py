"""Graphs."""

# /// script
# dependencies = ["networkx"]
# [tool.libraries]
# kind = "dispatched functions"
# ///

import networkx as nx
from using.pair import pair


def work(_):
    graph = nx.cycle_graph(20)
    nx.shortest_path(graph, 0, 10)
    return graph


leak, clean = pair(work)
