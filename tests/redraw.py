"""Ground to redraw, operations made up at random, and what must hold after each of them."""

import random
from collections.abc import Iterable, Mapping
from typing import Any

import networkx as nx
import numpy as np
import shapely

from gis.coverage import polygonize_region
from gis.crs import LocalProjection
from grids.redraw import (
    CommunityBlocks,
    CommunityGround,
    CommunityPlan,
    Dwellings,
    GridHolder,
    PlannedGrid,
)
from grids.redraw import operations as op
from tests.invariants import random_streets

CODES = ("990100001001", "990100001002")


def community_plans(seed: int = 0) -> dict[str, CommunityPlan]:
    """Two communities side by side, each with some grids of a few blocks."""
    local = LocalProjection(120.6, 24.18)
    halves = [shapely.box(0, 0, 350, 300), shapely.box(350, 0, 700, 300)]
    pieces, community = polygonize_region(halves, random_streets(seed, 9))
    shapes = local.inverse(pieces)
    plans = {}
    for index, code in enumerate(CODES):
        own = np.flatnonzero(community == index)
        plans[code] = _plan_of(code, local, own, shapes[own], seed)
    return plans


def _plan_of(code: str, local: LocalProjection, own: Any, shapes: Any, seed: int) -> CommunityPlan:
    rng = np.random.default_rng(seed)
    count = len(own)
    middles = shapely.get_coordinates(shapely.point_on_surface(local.forward(shapes)))
    footprints = shapely.buffer(shapely.points(middles + np.array([0.5, 0])), 4.0)
    households = rng.integers(0, 60, count)
    ground = CommunityGround(
        code,
        f"社区{code[-1]}",
        urban=True,
        local=local,
        buildings=Dwellings(np.arange(count), footprints, households),
        holders={f"{code}001": GridHolder(1, "甲", 580)},
        codes=frozenset(f"{code}{i:03d}" for i in (*range(1, 9), 102)),
    )
    nowhere = np.full(count, -1, np.int64)
    keys = tuple(str(1000 * int(code[-1]) + i) for i in own.tolist())
    blocks = CommunityBlocks(ground, keys, shapes, households, nowhere, nowhere)
    label = _grown(blocks, parts=min(4, count))
    grids = [
        PlannedGrid(key, code=key) for key in (f"{code}{i:03d}" for i in range(1, label.max() + 2))
    ]
    return CommunityPlan.of(blocks, grids, label, checked=False)


def _grown(blocks: CommunityBlocks, parts: int) -> np.ndarray:
    """Contiguous parts, grown from the first blocks."""
    graph = graph_of(blocks)
    label = {}
    seeds = sorted(graph)[:parts]
    for node in graph:
        reach = {s: nx.shortest_path_length(graph, s, node) for s in seeds}
        label[node] = min(seeds, key=lambda s: (reach[s], s))
    found = np.array([seeds.index(label[i]) for i in range(len(blocks.keys))], np.int64)
    return np.unique(found, return_inverse=True)[1].reshape(-1)


def graph_of(blocks: CommunityBlocks) -> nx.Graph:
    """Which blocks share an edge, told by shapely alone."""
    shapes = blocks.polygons_m
    graph = nx.Graph()
    graph.add_nodes_from(range(len(shapes)))
    left, right = shapely.STRtree(shapes).query(shapes, "intersects")
    for i, j in zip(left.tolist(), right.tolist(), strict=True):
        if i < j and shapely.length(shapely.intersection(shapes[i], shapes[j])) > 1e-6:
            graph.add_edge(i, j)
    return graph


def assert_state_holds(
    plans: Mapping[str, CommunityPlan], households: int, ground: Any | None = None
) -> None:
    """Coverage, contiguity, no empty grid, households and ground kept; by oracles of their own."""
    total = 0
    for plan in plans.values():
        blocks = plan.blocks
        assert shapely.coverage_is_valid(blocks.polygons)
        assert len(plan.grid_of) == len(blocks.keys) == len(set(blocks.keys))
        assert len(set(plan.keys)) == len(plan.keys) == len(plan.figures)
        codes = [grid.code for grid in plan.grids if grid.code]
        assert len(set(codes)) == len(codes)
        new = {grid.code for grid in plan.grids if grid.is_new}
        assert new.isdisjoint(blocks.ground.codes), "a code is never given again"
        graph = graph_of(blocks)
        ferries = blocks.borders.length_m == 0
        for a, b in zip(blocks.borders.left[ferries], blocks.borders.right[ferries], strict=True):
            graph.add_edge(int(a), int(b))
        for position, figures in enumerate(plan.figures):
            members = np.flatnonzero(plan.grid_of == position)
            assert len(members) == figures.blocks > 0
            assert nx.is_connected(graph.subgraph(members.tolist()))
            assert figures.households == blocks.households[members].sum()
            apart = shapely.symmetric_difference(
                figures.polygon, shapely.union_all(blocks.polygons[members])
            )
            assert shapely.area(apart) < 1e-14
        assert shapely.coverage_is_valid(np.array([f.polygon for f in plan.figures], dtype=object))
        total += int(blocks.households.sum())
    assert total == households
    if ground is not None:
        now = shapely.union_all([p for plan in plans.values() for p in plan.blocks.polygons])
        assert shapely.area(shapely.symmetric_difference(now, ground)) < 1e-13


def same(one: CommunityPlan, two: CommunityPlan) -> bool:
    """Whether two plans are equal, block for block and coordinate for coordinate."""
    return (
        one.blocks.keys == two.blocks.keys
        and bool(shapely.equals_exact(one.blocks.polygons, two.blocks.polygons, 0.0).all())
        and (one.blocks.households == two.blocks.households).all()
        and one.grids == two.grids
        and (one.grid_of == two.grid_of).all()
        and [f.households for f in one.figures] == [f.households for f in two.figures]
    )


def random_operation(rng: random.Random, plans: Mapping[str, CommunityPlan]) -> Any:
    """An operation that often makes sense, and now and then does not."""
    code = rng.choice(sorted(plans))
    plan = plans[code]
    kind = rng.choice(sorted(_MAKERS))
    if rng.random() < 0.05:
        return op.Repaint(code, ("0",), "nowhere")
    return _MAKERS[kind](rng, plans, plan)


def _some_blocks(rng: random.Random, plan: CommunityPlan) -> tuple[str, ...]:
    """Blocks that touch each other, mostly."""
    start = rng.randrange(len(plan.blocks.keys))
    borders = plan.blocks.borders
    chosen = {start}
    for _ in range(rng.randrange(4)):
        near = set()
        for one in chosen:
            near |= set(borders.right[borders.left == one].tolist())
            near |= set(borders.left[borders.right == one].tolist())
        chosen |= {rng.choice(sorted(near))} if near else set()
    return tuple(plan.blocks.keys[i] for i in sorted(chosen))


def _beside(rng: random.Random, plan: CommunityPlan, blocks: Iterable[str]) -> str:
    """A grid, mostly one that touches the blocks."""
    borders = plan.blocks.borders
    mine = {plan.blocks.position[key] for key in blocks}
    near = {
        plan.keys[plan.grid_of[b]]
        for a, b in zip(
            np.concatenate([borders.left, borders.right]).tolist(),
            np.concatenate([borders.right, borders.left]).tolist(),
            strict=True,
        )
        if a in mine
    }
    return rng.choice(sorted(near) if near and rng.random() < 0.9 else list(plan.keys))


def _line(rng: random.Random, shape: Any) -> tuple[tuple[float, float], ...]:
    """A line across a shape, now and then one that ends inside or bends."""
    west, south, east, north = shape.bounds
    wide, high = east - west, north - south
    points = [
        (round(west + rng.uniform(-0.2, 1.2) * wide, 7), south - 0.1 * high),
        (round(west + rng.uniform(-0.2, 1.2) * wide, 7), north + 0.1 * high),
    ]
    if rng.random() < 0.5:
        points = [(west - 0.1 * wide, round(south + rng.random() * high, 7)), points[1]]
    if rng.random() < 0.3:
        inner = (round(west + rng.random() * wide, 7), round(south + rng.random() * high, 7))
        points.insert(1, inner)
    if rng.random() < 0.1:
        points = [*points[:-1], shape.centroid.coords[0]]
    return tuple(points)


def _repaint(rng: random.Random, _plans: Any, plan: CommunityPlan) -> Any:
    blocks = _some_blocks(rng, plan)
    return op.Repaint(plan.code, blocks, _beside(rng, plan, blocks))


def _new_grid(rng: random.Random, _plans: Any, plan: CommunityPlan) -> Any:
    return op.NewGrid(plan.code, _some_blocks(rng, plan))


def _split_by_line(rng: random.Random, _plans: Any, plan: CommunityPlan) -> Any:
    at = rng.randrange(len(plan.keys))
    return op.SplitByLine(plan.code, plan.keys[at], _line(rng, plan.figures[at].polygon))


def _split_into(rng: random.Random, _plans: Any, plan: CommunityPlan) -> Any:
    return op.SplitInto(plan.code, rng.choice(plan.keys), rng.randint(2, 4), rng.randrange(99))


def _merge(rng: random.Random, _plans: Any, plan: CommunityPlan) -> Any:
    key = rng.choice(plan.keys)
    blocks = [plan.blocks.keys[i] for i in plan.members(key).tolist()]
    return op.Merge(plan.code, (key, _beside(rng, plan, blocks)))


def _cut(rng: random.Random, _plans: Any, plan: CommunityPlan) -> Any:
    at = rng.randrange(len(plan.blocks.keys))
    return op.Cut(
        plan.code,
        _line(rng, plan.blocks.polygons[at]),
        (plan.blocks.keys[at],)[: rng.randint(0, 1)],
    )


def _facts(rng: random.Random, _plans: Any, plan: CommunityPlan) -> Any:
    one, two = rng.choice(plan.keys), rng.choice(plan.keys)
    return rng.choice(
        [
            op.Rename(plan.code, one, rng.choice(["", "东苑", "西苑"])),
            op.SwapCodes(plan.code, one, two),
            op.NumberFrom(plan.code, rng.choice([1, 101, 998])),
            op.Dedicate(plan.code, one, zone_kind=rng.choice(["", "school", "moon"])),
            op.AssignPost(plan.code, one, "gridworker", rng.randint(1, 3)),
        ]
    )


def _repartition(rng: random.Random, _plans: Any, plan: CommunityPlan) -> Any:
    return op.Repartition(
        plan.code, target=float(rng.choice([60, 120, 300])), seed=rng.randrange(9)
    )


def _adjust(rng: random.Random, plans: Mapping[str, CommunityPlan], plan: CommunityPlan) -> Any:
    to = plans[rng.choice(sorted(plans))]
    return op.AdjustBoundary(plan.code, _some_blocks(rng, plan), to.code, rng.choice(to.keys))


_MAKERS = {
    "repaint": _repaint,
    "new_grid": _new_grid,
    "split_by_line": _split_by_line,
    "split_into": _split_into,
    "merge": _merge,
    "cut": _cut,
    "facts": _facts,
    "repartition": _repartition,
    "adjust": _adjust,
}
