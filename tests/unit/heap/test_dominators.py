import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labserver.heap import dominators
from labserver.heap.dominators import dominator_tree


def csr(n, edges):
    edges = sorted(edges)
    sources = np.array([a for a, _ in edges], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=n))])
    return starts, np.array([b for _, b in edges], dtype=np.int32)


def reached(n, edges, roots, without=None):
    following = [[] for _ in range(n)]
    for a, b in edges:
        following[a].append(b)
    seen, stack = set(), [root for root in roots if root != without]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack += [other for other in following[node] if other != without]
    return seen


def by_removal(n, edges, roots):
    """For each node, the set of nodes that nothing reaches once it is taken away, itself included."""
    everything = reached(n, edges, roots)
    return [everything - reached(n, edges, roots, without=node) for node in range(n)]


def check(n, edges, roots):
    """Compare with the definition: take a node away and see what nothing reaches any more."""
    tree = dominator_tree(*csr(n, edges), np.array(roots))
    oracle = by_removal(n, edges, roots)
    for node in range(n):
        assert set(np.flatnonzero(tree.below(node)).tolist()) == oracle[node]
        strict = [other for other in range(n) if other != node and node in oracle[other]]
        nearest = min(strict, key=lambda other: len(oracle[other]), default=-1)
        assert tree.idom[node] == nearest
    sizes = np.arange(1, n + 1) ** 2
    assert tree.sums(sizes).tolist() == [sum((v + 1) ** 2 for v in below) for below in oracle]


def random_graph(rng, n, degree, leaves):
    """A graph whose nodes are all reached; some have no references, some nodes refer to themselves or twice."""
    inner = max(1, int(n * (1 - leaves)))
    edges = [(int(a), int(b)) for a, b in zip(rng.integers(0, inner, degree * n), rng.integers(0, n, degree * n))]  # noqa: B905
    roots = sorted(set(rng.integers(0, n, rng.integers(1, 4)).tolist()))
    seen = sorted(reached(n, edges, roots))
    number = {node: place for place, node in enumerate(seen)}
    kept = [(number[a], number[b]) for a, b in edges if a in number]
    return len(seen), kept, [number[root] for root in roots]


@pytest.fixture(autouse=True, params=[2_000, 0], ids=["plain", "squeezed"])
def few(request, monkeypatch):
    """Small graphs would all be solved by the plain code; with 0 they are squeezed first."""
    monkeypatch.setattr(dominators, "_FEW", request.param)


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_agree_with_the_definition(seed):
    rng = np.random.default_rng(seed)
    for degree in (1, 2, 3):
        check(*random_graph(rng, int(rng.integers(2, 40)), degree, rng.choice([0.0, 0.5])))


@pytest.mark.parametrize("seed", range(40))
def test_trees_with_a_few_extra_references_agree_with_the_definition(seed):
    rng = np.random.default_rng(seed)
    n = 60
    edges = [(int(rng.integers(max(0, node - 6), node)), node) for node in range(1, n)]
    edges += [(int(a), int(b)) for a, b in rng.integers(0, n, (int(rng.integers(1, 30)), 2))]
    check(n, edges, [0])


@settings(max_examples=150, deadline=None, database=None)
@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_any_small_graph_agrees_with_the_definition(graph):
    n, edges = graph
    roots = [0, *sorted(set(range(n)) - reached(n, edges, [0]))]
    check(n, edges, roots)


def test_what_two_roots_hold_goes_with_neither():
    tree = dominator_tree(*csr(4, {(0, 2), (1, 2), (2, 3)}), np.array([0, 1]))
    assert tree.idom.tolist() == [-1, -1, -1, 2]
    assert tree.sums(np.array([1, 10, 100, 1000])).tolist() == [1, 10, 1100, 1000]


def test_a_root_stays_one_when_others_hold_it_too():
    tree = dominator_tree(*csr(2, {(0, 1), (1, 0)}), np.array([0, 1]))
    assert tree.idom.tolist() == [-1, -1]


@pytest.mark.parametrize("back", [False, True], ids=["single", "doubly linked"])
def test_a_linked_list_of_any_length_is_solved(back):
    n = 20_000
    edges = [(i, i + 1) for i in range(n - 1)] + [(i + 1, i) for i in range(n - 1) if back]
    tree = dominator_tree(*csr(n, edges), np.array([0]))
    assert tree.idom.tolist() == list(range(-1, n - 1))
    assert tree.sums(np.ones(n, dtype=np.int64)).tolist() == list(range(n, 0, -1))


def test_far_cousins_in_deep_branches_meet_where_the_branches_part():
    # Two long branches under node 1; their ends share a leaf, a container, and a container that refers back.
    deep = 500
    left, right = [1, *range(2, deep)], [1, *range(deep, 2 * deep)]
    chains = [pair for way in (left, right) for pair in itertools.pairwise(way)]
    leaf, box, loop = 2 * deep, 2 * deep + 1, 2 * deep + 2
    edges = [(0, 1), *chains, *[(end, shared) for end in (left[-1], right[-1]) for shared in (leaf, box, loop)]]
    edges += [(box, box), (loop, left[9]), (loop, right[9])]
    check_nodes = dominator_tree(*csr(2 * deep + 3, edges), np.array([0])).idom
    assert [int(check_nodes[node]) for node in (leaf, box, loop, left[9], right[9])] == [1, 1, 1, 1, 1]
