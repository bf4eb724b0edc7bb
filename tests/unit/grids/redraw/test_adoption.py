"""Plans drawn elsewhere, whole and broken: snapped to blocks, and nothing passes silently."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from grids.redraw import DraftState, adopt, apply, check_drawn
from grids.redraw.operations import Adopt
from tests.redraw import CODES, assert_state_holds, community_plans

PLAN = community_plans(3)[CODES[0]]
WEST, SOUTH, EAST, NORTH = shapely.total_bounds(PLAN.blocks.polygons)
MIDDLE = (WEST + EAST) / 2
LEFT = shapely.box(WEST, SOUTH, MIDDLE, NORTH)
RIGHT = shapely.box(MIDDLE, SOUTH, EAST, NORTH)


def kinds(issues) -> set[str]:
    return {one.kind for one in issues}


def adopted(names, shapes, gaps="nearest"):
    drawn, issues = check_drawn(names, shapes)
    found = adopt(PLAN.blocks, drawn, gaps)
    if found is None:
        return None, issues
    state = DraftState({PLAN.code: PLAN})
    made = apply(state, Adopt(PLAN.code, found.parts, found.names), 1).plans[PLAN.code]
    assert_state_holds({PLAN.code: made}, int(PLAN.blocks.households.sum()))
    return made, [*issues, *found.issues]


def test_two_halves_become_two_grids_along_the_blocks() -> None:
    made, issues = adopted(["西", "东"], [LEFT, RIGHT])
    assert {"西", "东"} <= {grid.name for grid in made.grids}
    assert kinds(issues) <= {"moved", "apart"}
    assert all(one.area_m2 > 0 and one.place is not None for one in issues)


def test_a_gap_is_told_and_joined_or_left() -> None:
    made, issues = adopted(["西"], [LEFT])
    assert "gap" in kinds(issues)
    assert {grid.name for grid in made.grids if not grid.name.startswith("西")} == set()
    own, issues = adopted(["西"], [LEFT], "own")
    assert next(one.done for one in issues if one.kind == "gap") == "a grid of its own"
    assert "" in {grid.name for grid in own.grids}


def test_an_overlap_has_its_place_and_area() -> None:
    wide = shapely.box(WEST, SOUTH, MIDDLE + (EAST - MIDDLE) / 2, NORTH)
    _, issues = adopted(["西", "东"], [wide, RIGHT])
    found = next(one for one in issues if one.kind == "overlap")
    assert found.drawn == ("西", "东")
    assert shapely.covers(shapely.intersection(wide, RIGHT), found.place)
    assert found.area_m2 > 1000


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (shapely.Polygon([(WEST, SOUTH), (EAST, NORTH), (EAST, SOUTH), (WEST, NORTH)]), "broken"),
        (None, "empty"),
        (shapely.Polygon(), "empty"),
        (shapely.LineString([(WEST, SOUTH), (EAST, NORTH)]), "no area"),
        (shapely.Point(WEST, SOUTH), "no area"),
        (shapely.Polygon([(WEST, SOUTH), (EAST, NORTH), (WEST, SOUTH)]), "no area"),
        (LEFT, "duplicate"),
        (shapely.reverse(LEFT), "duplicate"),
    ],
)
def test_a_row_that_cannot_be_taken_as_it_is_has_a_reason(shape, kind: str) -> None:
    _, issues = adopted(["西", "东", "坏"], [LEFT, RIGHT, shape])
    assert kind in kinds(issues)
    assert "坏" in next(one for one in issues if one.kind == kind).drawn


def test_heights_and_collections_are_taken_as_ground() -> None:
    tall = shapely.force_3d(LEFT, 12.0)
    mixed = shapely.GeometryCollection([RIGHT, shapely.Point(EAST, NORTH)])
    made, _ = adopted(["西", "东"], [tall, mixed])
    assert {"西", "东"} <= {grid.name for grid in made.grids}


def test_a_polygon_in_two_places_becomes_two_grids() -> None:
    ends = shapely.MultiPolygon(
        [
            shapely.box(WEST, SOUTH, WEST + (EAST - WEST) / 4, NORTH),
            shapely.box(EAST - (EAST - WEST) / 4, SOUTH, EAST, NORTH),
        ]
    )
    middle = shapely.box(WEST + (EAST - WEST) / 4, SOUTH, EAST - (EAST - WEST) / 4, NORTH)
    made, issues = adopted(["两端", "中"], [ends, middle])
    if "apart" in kinds(issues):
        assert {"两端", "两端 2"} <= {grid.name for grid in made.grids}


def test_what_lies_elsewhere_makes_nothing() -> None:
    assert adopted(["远"], [shapely.box(0, 0, 1, 1)]) == (None, [])


coordinate = st.floats(-0.002, 0.009)
ring = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8)


@settings(max_examples=60)
@given(st.lists(ring, min_size=1, max_size=6), st.sampled_from(["nearest", "own"]))
def test_whatever_is_drawn_never_breaks_a_plan(rings: list, gaps: str) -> None:
    corner = np.array([WEST, SOUTH])
    shapes = [shapely.Polygon(np.array(one) + corner) for one in rings]
    adopted([f"#{n}" for n in range(len(shapes))], shapes, gaps)
