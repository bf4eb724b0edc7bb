"""Each operation on one street of six blocks: 1 2 | 3 4 | 5 6."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from gis.crs import LocalProjection
from grids.redraw import (
    CommunityBlocks,
    CommunityGround,
    CommunityPlan,
    DraftState,
    Dwellings,
    EditRefusedError,
    GridHolder,
    Limits,
    PlannedGrid,
    apply,
    changes,
    moves,
    operation_from_json,
    resolve,
    warnings,
)
from grids.redraw import operations as op
from grids.rules import Rules, SizeRange

TOWN = "990100001001"
A, B, C = (f"{TOWN}00{i}" for i in (1, 2, 3))
LOCAL = LocalProjection(120.6, 24.18)


def lonlat(*points: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    line = LOCAL.inverse(np.array([shapely.LineString(points)], dtype=object))[0]
    return tuple(line.coords)


@pytest.fixture
def state() -> DraftState:
    boxes = np.array([shapely.box(100 * i, 0, 100 * i + 100, 100) for i in range(6)], dtype=object)
    houses = shapely.box(*np.array([[100 * i + 40, 40, 100 * i + 60, 60] for i in range(6)]).T)
    households = np.full(6, 50)
    size = SizeRange.around(100.0)
    ground = CommunityGround(
        TOWN,
        "东街社区",
        urban=True,
        local=LOCAL,
        rules=Rules(urban=size, rural=size),
        buildings=Dwellings(np.arange(6) + 70, houses, households),
        holders={A: GridHolder(1, "甲", 0), B: GridHolder(2, "乙", 480)},
        codes=frozenset({A, B, C, f"{TOWN}202"}),
    )
    nowhere = np.full(6, -1, np.int64)
    keys = tuple("123456")
    blocks = CommunityBlocks(ground, keys, LOCAL.inverse(boxes), households, nowhere, nowhere)
    grids = [PlannedGrid(key, code=key) for key in (A, B, C)]
    plan = CommunityPlan.of(blocks, grids, np.array([0, 0, 1, 1, 2, 2]))
    return DraftState({TOWN: plan})


def do(state: DraftState, operation, number: int = 1) -> CommunityPlan:
    return apply(state, resolve(state, operation), number).plans[TOWN]


def blocks_of(plan: CommunityPlan) -> dict[str, str]:
    return {key: "".join(sorted(blocks)) for key, blocks in plan.members_of().items()}


def test_repainting_moves_blocks(state: DraftState) -> None:
    plan = do(state, op.Repaint(TOWN, ("3",), A))
    assert blocks_of(plan) == {A: "123", B: "4", C: "56"}
    assert [figures.households for figures in plan.figures] == [150, 50, 100]
    assert plan.figures[2] is state.plans[TOWN].figures[2], "what did not change is not reckoned"


def test_a_grid_that_falls_apart_is_refused_with_the_place(state: DraftState) -> None:
    with pytest.raises(EditRefusedError, match="2 parts") as refused:
        do(state, op.Repaint(TOWN, ("4",), A))
    assert refused.value.rule == "contiguous"
    assert refused.value.place.equals(state.plans[TOWN].blocks.polygons[3])


@pytest.mark.parametrize(
    ("operation", "rule"),
    [
        (op.Repaint(TOWN, ("3", "4"), A), "empty"),
        (op.Repaint(TOWN, ("1",), A), "nothing"),
        (op.Repaint(TOWN, ("9",), A), "unknown"),
        (op.Repaint(TOWN, ("1",), "9"), "unknown"),
        (op.NewGrid(TOWN, ("1", "2")), "empty"),
        (op.NewGrid(TOWN, ("1", "6")), "contiguous"),
        (op.Merge(TOWN, (A, C)), "contiguous"),
        (op.Merge(TOWN, (A, A)), "nothing"),
        (op.SplitInto(TOWN, A, 3), "nothing"),
        (op.SplitInto(TOWN, A, 2, parts=(("1",), ("3",))), "unknown"),
        (op.Cut(TOWN, lonlat((-50, 50), (-50, 90))), "nothing"),
        (op.SplitByLine(TOWN, A, lonlat((50, -10), (50, 50))), "nothing"),
        (op.Dedicate(TOWN, A, zone_kind="moon"), "unknown"),
        (op.Rename(TOWN, A, " "), "nothing"),
        (op.SwapCodes(TOWN, A, A), "nothing"),
        (op.NumberFrom(TOWN, 5), "nothing"),
        (op.AdjustBoundary(TOWN, ("1",), TOWN, A), "nothing"),
        (op.AdjustBoundary(TOWN, ("1",), "990100001002", A), "unknown"),
        (op.AssignPost(TOWN, "9", "gridworker", 1), "unknown"),
        (op.Repartition(TOWN, target=100, least=200), "unknown"),
    ],
)
def test_what_cannot_be_is_refused(state: DraftState, operation, rule: str) -> None:
    with pytest.raises(EditRefusedError) as refused:
        do(state, operation)
    assert refused.value.rule == rule
    assert len(str(refused.value)) > 10


@pytest.mark.parametrize(
    "value",
    [
        {"operation": "explode"},
        {},
        {"operation": "rename", "community": "1", "grid": A, "name": "x"},
        {"operation": "cut", "community": TOWN, "line": [[0, float("nan")], [1, 1]]},
        {"operation": "cut", "community": TOWN, "line": [[0, 0]]},
        {"operation": "split_into", "community": TOWN, "grid": A, "count": 1000},
        {"operation": "merge", "community": TOWN, "grids": [A]},
    ],
)
def test_unfit_arguments_are_named(value: dict) -> None:
    with pytest.raises(EditRefusedError):
        operation_from_json(value)


def test_a_new_grid_takes_the_staff_of_where_it_comes_from(state: DraftState) -> None:
    plan = do(state, op.NewGrid(TOWN, ("4", "5")), 7)
    made = plan.grids[-1]
    assert (made.key, made.code, made.kind, made.heir_of) == (f"{TOWN}+7.1", "", "urban", B)
    assert blocks_of(plan)[made.key] == "45"


def test_a_split_by_a_line_slices_the_blocks_it_meets(state: DraftState) -> None:
    plan = do(state, op.SplitByLine(TOWN, A, lonlat((130, -10), (130, 110))))
    new = f"{TOWN}+1.1"
    assert plan.members_of()[A] | plan.members_of()[new] == {"1", "2/1", "2/2"}
    assert {"2/2"} in (plan.members_of()[A], plan.members_of()[new])
    assert sum(figures.households for figures in plan.figures) == 300


def test_a_line_along_an_edge_divides_without_slicing(state: DraftState) -> None:
    plan = do(state, op.SplitByLine(TOWN, A, lonlat((100, -10), (100, 110))))
    assert plan.blocks is state.plans[TOWN].blocks
    assert sorted(blocks_of(plan).values()) == ["1", "2", "34", "56"]


def test_an_even_split_and_a_new_partition(state: DraftState) -> None:
    merged = DraftState({TOWN: do(state, op.Merge(TOWN, (A, B, C)))})
    thirds = do(merged, op.SplitInto(TOWN, A, 3))
    assert sorted(blocks_of(thirds).values()) == ["12", "34", "56"]
    drawn = do(merged, op.Repartition(TOWN, target=150, stability=0))
    assert sorted(blocks_of(drawn).values()) == ["123", "456"]


def test_a_zone_is_set_up_and_dissolved(state: DraftState) -> None:
    plan = do(state, op.Dedicate(TOWN, B, zone_kind="school", zone_name="东街小学"))
    assert (plan.grids[1].kind, plan.grids[1].zone_name) == ("dedicated", "东街小学")
    back = do(DraftState({TOWN: plan}), op.Dedicate(TOWN, B))
    assert back.grids == state.plans[TOWN].grids


def test_codes_are_swapped_and_new_ones_numbered(state: DraftState) -> None:
    swapped = do(state, op.SwapCodes(TOWN, A, C))
    assert [grid.code for grid in swapped.grids] == [C, B, A]
    two = DraftState({TOWN: do(state, op.NewGrid(TOWN, ("2",)))})
    assert do(two, op.NumberFrom(TOWN, 101)).grids[-1].code == f"{TOWN}101"
    with pytest.raises(EditRefusedError, match="taken"):
        do(two, op.NumberFrom(TOWN, 2))
    with pytest.raises(EditRefusedError, match="is new"):
        do(two, op.SwapCodes(TOWN, A, f"{TOWN}+1.1"))


def test_a_code_that_an_ended_grid_had_is_not_given_again(state: DraftState) -> None:
    two = DraftState({TOWN: do(state, op.NewGrid(TOWN, ("2",)))})
    three = DraftState({TOWN: do(two, op.NewGrid(TOWN, ("4",)), 2)})
    with pytest.raises(EditRefusedError, match=f"{TOWN}202 is taken, or was"):
        do(three, op.NumberFrom(TOWN, 201))
    assert do(three, op.NumberFrom(TOWN, 203)).grids[-1].code == f"{TOWN}204"


def test_no_more_new_grids_than_codes_left(state: DraftState) -> None:
    plan = state.plans[TOWN]
    used = frozenset(f"{TOWN}{i:03d}" for i in range(1, 999))
    ground = replace(plan.blocks.ground, codes=used)
    full = DraftState({TOWN: replace(plan, blocks=replace(plan.blocks, ground=ground))})
    one = DraftState({TOWN: do(full, op.NewGrid(TOWN, ("2",)))})
    with pytest.raises(EditRefusedError, match="1 codes left for 2 new grids"):
        do(one, op.NewGrid(TOWN, ("4",)), 2)


def test_a_boundary_moves_even_where_one_side_was_cut(state: DraftState) -> None:
    other = "990100001002"
    plan = state.plans[TOWN]
    ground = replace(plan.blocks.ground, code=other)
    boxes = np.array([shapely.box(0, 100, 600, 200)], dtype=object)
    alone = np.array([-1])
    blocks = CommunityBlocks(ground, ("9",), LOCAL.inverse(boxes), np.array([10]), alone, alone)
    wide = shapely.LineString([(x, 100) for x in range(0, 601, 100)])
    noded = shapely.Polygon([*wide.coords, (600, 200), (0, 200)])
    blocks = replace(blocks, polygons=LOCAL.inverse(np.array([noded], dtype=object)))
    north = CommunityPlan.of(blocks, [PlannedGrid("N", code="N")], np.array([0]))
    both = state.with_plan(north)
    cut = apply(both, op.Cut(TOWN, lonlat((30, -10), (30, 110)), ("1",)), 1)
    moved = apply(cut, op.AdjustBoundary(TOWN, ("1/1",), other, "N"), 2)
    assert moved.plans[other].figures[0].households == 10
    assert shapely.coverage_is_valid(moved.plans[other].blocks.polygons)
    assert "1/1" not in moved.plans[TOWN].blocks.keys
    gone = [
        one for one in moves(cut.plans.values(), moved.plans.values()) if one.source != one.target
    ]
    assert [(one.source, one.target) for one in gone] == [(A, "N")]


def test_consequences_are_told(state: DraftState) -> None:
    before = state.plans[TOWN]
    after = do(state, op.Repaint(TOWN, ("3",), A))
    found = changes(before, after)
    told = [(one.key, one.before.households, one.after.households) for one in found]
    assert told == [(A, 100, 150), (B, 100, 50)]
    gone = [one for one in moves([before], [after]) if one.source != one.target]
    assert [(one.source, one.target, one.households) for one in gone] == [(B, A, 50)]
    assert gone[0].ground[0].equals_exact(before.blocks.polygons[2], 0)


def test_warnings_lead_to_their_place(state: DraftState) -> None:
    assert warnings(state.plans[TOWN]) == []
    plan = do(state, op.SplitByLine(TOWN, B, lonlat((250, -10), (250, 110))))
    found = warnings(plan, (), Limits(households=570))
    kinds = {one.kind for one in found}
    assert kinds == {"out_of_range", "building_split", "overload"}
    split = next(one for one in found if one.kind == "building_split")
    assert split.figure == 72
    assert shapely.distance(split.place, plan.blocks.polygons[2]) < 1e-3
    over = next(one for one in found if one.kind == "overload")
    assert (over.name, over.figure) == ("乙", 580)
