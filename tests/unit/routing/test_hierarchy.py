import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from routing.assembly import assemble
from routing.conditions import Conditions
from routing.hierarchy import INFINITE, contract, customize, recustomize
from routing.ordering import dissection_rank, inertial_rank
from tests.roads import random_roads

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
def test_upper_neighbours_of_a_node_are_its_ancestors(seed: int) -> None:
    h = assemble(random_roads(seed)).hierarchy
    for v in range(len(h.parent)):
        ancestors, a = [], int(h.parent[v])
        while a >= 0:
            ancestors.append(a)
            a = int(h.parent[a])
        edges = slice(h.up_start[v], h.up_start[v + 1])
        assert set(h.up_head[edges].tolist()) <= set(ancestors)
        assert h.up_depth[edges].tolist() == h.depth[h.up_head[edges]].tolist()
        assert sorted(h.up_head[edges].tolist()) == h.up_head[edges].tolist()
        assert all(h.first[a] <= v <= a for a in ancestors)


@given(SEEDS)
def test_every_triangle_is_held_once(seed: int) -> None:
    h = assemble(random_roads(seed)).hierarchy
    of = {(int(a), int(b)): e for e, (a, b) in enumerate(zip(h.up_tail, h.up_head, strict=True))}
    expected = {
        (of[u, w], of[v, u], of[v, w])
        for v in range(len(h.parent))
        for u in h.up_head[h.up_start[v] : h.up_start[v + 1]].tolist()
        for w in h.up_head[h.up_start[v] : h.up_start[v + 1]].tolist()
        if u < w
    }
    edge = np.repeat(np.arange(len(h.up_head)), np.diff(h.triangle_start))
    held = list(zip(edge.tolist(), h.triangle_low.tolist(), h.triangle_high.tolist(), strict=True))
    assert len(held) == len(expected)
    assert set(held) == expected


@given(SEEDS, st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 200_000)), max_size=8))
def test_changing_a_few_links_is_as_making_all_anew(
    seed: int, changes: list[tuple[int, int]]
) -> None:
    network = assemble(random_roads(seed))
    links, h = network.links, network.hierarchy
    before = network.time_ms[0][links.arc].copy()
    edges = customize(h, before)
    after = before.copy()
    for which, ms in changes:
        after[which % len(after)] = INFINITE if ms > 150_000 else ms
    changed = np.flatnonzero(after != before)
    recustomize(h, after, changed, *edges)
    assert all(np.array_equal(a, b) for a, b in zip(edges[:2], customize(h, after), strict=False))
    for ms, by, rising in ((edges[0], edges[2], True), (edges[1], edges[3], False)):
        for e in np.flatnonzero(ms < INFINITE).tolist():
            low, high = h.triangle_low[by[e]], h.triangle_high[by[e]]
            over = edges[1][low] + edges[0][high] if rising else edges[1][high] + edges[0][low]
            assert ms[e] == (after[-1 - by[e]] if by[e] < 0 else over)


@given(SEEDS)
def test_a_contracted_order_stays_as_it_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tail, head = rng.integers(0, 30, (2, 60)).astype(np.int32)
    none = np.empty((0, 2), np.int32)
    first, position = contract(rng.permutation(30), tail, head, none)
    again, same = contract(position.astype(np.int64), tail, head, none)
    assert np.array_equal(same, position)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_the_order_without_inertial_flow_serves_too(monkeypatch) -> None:
    network = assemble(random_roads(3, side=12))
    lon, lat = network.node_lon[network.links.node], network.node_lat[network.links.node]
    tail, head = network.links.tail, network.links.head
    flow = inertial_rank(lon, lat, tail, head)
    monkeypatch.setitem(__import__("sys").modules, "routingkit_cch", None)
    halves = inertial_rank(lon, lat, tail, head)
    assert np.array_equal(halves, dissection_rank(lon, lat, tail, head))
    assert sorted(halves.tolist()) == sorted(flow.tolist()) == list(range(len(lon)))
    none = np.empty((0, 2), np.int32)
    sizes = [len(contract(rank, tail, head, none)[0].up_head) for rank in (flow, halves)]
    assert sizes[1] < 4 * sizes[0]


def test_conditions_say_which_modes_changed() -> None:
    network = assemble(random_roads(1))
    usual = Conditions.usual(network)
    arcs = np.array([0, 1])
    ms = network.time_ms[:, arcs].copy()
    ms[0] = INFINITE
    closed = usual.changed(network, arcs, ms, 2)
    assert closed.since == (2, 1, 1)
    assert closed.times[1] is usual.times[1]
    again = closed.changed(network, arcs, network.time_ms[:, arcs], 3)
    assert all(np.array_equal(a, b) for a, b in zip(again.times[0], usual.times[0], strict=True))
