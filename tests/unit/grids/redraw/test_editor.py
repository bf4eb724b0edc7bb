"""A random editor on made-up communities: whatever it does, the plan holds."""

import json
import random

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import GeometryError
from grids.redraw import (
    DraftState,
    EditRefusedError,
    apply,
    communities_of,
    moves,
    operation_from_json,
    operation_to_json,
    resolve,
)
from tests.redraw import assert_state_holds, community_plans, random_operation, same


@settings(max_examples=25)
@given(st.integers(0, 40), st.randoms(use_true_random=False))
def test_a_random_editor_never_breaks_a_plan(seed: int, rng: random.Random) -> None:
    base = community_plans(seed)
    households = sum(int(plan.blocks.households.sum()) for plan in base.values())
    ground = shapely.union_all([p for plan in base.values() for p in plan.blocks.polygons])
    states, written = [DraftState(base)], []
    for _ in range(12):
        state = states[-1]
        asked = random_operation(rng, state.plans)
        try:
            done = resolve(state, asked)
            made = apply(state, done, len(written) + 1)
        except (EditRefusedError, GeometryError):
            continue
        touched = set(communities_of(done))
        for code, plan in made.plans.items():
            assert code in touched or plan is state.plans[code]
        assert_state_holds(made.plans, households, ground)
        written.append(json.loads(json.dumps(operation_to_json(done))))
        states.append(made)
    again = DraftState(community_plans(seed))
    for number, value in enumerate(written, 1):
        again = apply(again, operation_from_json(value), number)
        for code, plan in states[number].plans.items():
            assert same(again.plans[code], plan)
    assert again.posts == states[-1].posts


@given(st.integers(0, 20), st.randoms(use_true_random=False))
@settings(max_examples=15)
def test_moves_tell_where_every_household_went(seed: int, rng: random.Random) -> None:
    base = community_plans(seed)
    state = DraftState(base)
    for number in range(1, 8):
        asked = random_operation(rng, state.plans)
        if asked.operation == "adjust_boundary":
            continue
        try:
            state = apply(state, resolve(state, asked), number)
        except (EditRefusedError, GeometryError):
            continue
    for code, plan in base.items():
        found = moves([plan], [state.plans[code]])
        assert sum(one.households for one in found) == plan.blocks.households.sum()
        for key, figures in zip(plan.keys, plan.figures, strict=True):
            mine = [one for one in found if one.source == key]
            assert sum(one.households for one in mine) == figures.households
            area = sum(shapely.area(one.ground).sum() for one in mine)
            assert area == pytest.approx(shapely.area(figures.polygon), rel=1e-6)
