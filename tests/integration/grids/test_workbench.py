"""Drafts on a real PostGIS: durable edits, undo, replay, two planners, publication, going back."""

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely
from sqlalchemy import text

from data.database import Database
from data.errors import NotFoundError, StaleError, StateError
from data.models import Generation
from data.scope import Scope
from data.settings import DEMO_COUNTY as COUNTY
from data.store import shapes_from_wkb
from gis.errors import GeometryError
from grids.directory import load_directory
from grids.drafting import Workbench
from grids.drafting.conflicts import conflicts_of
from grids.plan import check_draft, draw_draft
from grids.publishing import draft_of_former, publish
from grids.redraw import EditRefusedError, operation_to_json
from grids.redraw import operations as op
from tests.invariants import assert_plan_holds
from tests.redraw import assert_state_holds, random_operation, same

WHOLE = Scope.whole(COUNTY)
TOWNS = ("990100001001", "990100001002", "990100001200")


def begin(city: Database, bench: Workbench, scope: Scope = WHOLE, area: str | None = None) -> int:
    with city.session() as session:
        return bench.create(session, scope, author="ada", title="试", area=area).id


def edit(city: Database, bench: Workbench, draft: int, version: int, operation, scope=WHOLE):
    with city.session() as session:
        asked = operation_to_json(operation)
        return bench.edit(session, scope, draft, version, asked, author="ada")


def table_of(city: Database, draft: int) -> dict:
    """The draft's tables, as plain values."""
    with city.session() as session:
        key = {"d": draft}
        grids = session.execute(
            text(
                "SELECT key, community, code, name, kind, households, blocks, ST_AsBinary(geom) "
                "FROM draft_grid WHERE generation_id = :d ORDER BY key"
            ),
            key,
        )
        blocks = session.execute(
            text(
                "SELECT key, block_id, community, grid_key, households, ST_AsBinary(geom) "
                "FROM draft_block WHERE generation_id = :d ORDER BY key"
            ),
            key,
        )
        return {
            "grids": [tuple(row) for row in grids],
            "blocks": [tuple(row) for row in blocks],
        }


def assert_tables_follow(city: Database, bench: Workbench, draft: int) -> None:
    """What the tables hold is what the edits make, replayed by somebody else."""
    other = Workbench(COUNTY)
    with city.session() as session:
        state = other.state(session, session.get(Generation, draft))
        mine = bench.state(session, session.get(Generation, draft))
    assert set(state.plans) == set(mine.plans)
    for code, plan in state.plans.items():
        assert same(plan, mine.plans[code])
    assert state.posts == mine.posts
    table = table_of(city, draft)
    held = {row[0]: row[1:] for row in table["blocks"]}
    for plan in state.plans.values():
        for i, key in enumerate(plan.blocks.keys):
            block, community, grid, households, wkb = held.pop(key)
            assert (block, community) == (int(key.partition("/")[0]), plan.code)
            assert (grid, households) == (plan.keys[plan.grid_of[i]], plan.blocks.households[i])
            assert shapely.from_wkb(bytes(wkb)).equals_exact(plan.blocks.polygons[i], 0)
    assert held == {}
    keys = {key for plan in state.plans.values() for key in plan.keys}
    assert {row[0] for row in table["grids"]} == keys


@pytest.mark.parametrize("seed", [1, 2])
def test_a_random_draft_is_durable_undone_and_published(city: Database, seed: int) -> None:
    rng, bench = random.Random(seed), Workbench(COUNTY)  # noqa: S311 - a test's dice
    draft, version = begin(city, bench), 0
    towns = TOWNS[:2] if seed == 1 else TOWNS[1:]
    with city.session() as session:
        held = session.get(Generation, draft)
        households = sum(
            int(bench.base(session, held, code).blocks.households.sum()) for code in towns
        )
    tables = [table_of(city, draft)]
    done = 0
    while done < 25:
        with city.session() as session:
            held = session.get(Generation, draft)
            plans = {code: bench.community(session, held, code) for code in towns}
        try:
            said = edit(city, bench, draft, version, random_operation(rng, plans))
        except (EditRefusedError, GeometryError):
            continue
        version, done = said.version, done + 1
        everything = {**plans, **said.after.plans}
        assert_state_holds({code: everything[code] for code in towns}, households)
        tables.append(table_of(city, draft))
    assert_tables_follow(city, bench, draft)
    for back in range(1, 11):
        with city.session() as session:
            version = bench.undo(session, WHOLE, draft, version, author="ada").version
        now = table_of(city, draft)
        if towns_in(tables[-1 - back]) == towns_in(now):
            assert now == tables[-1 - back]
    for _ in range(10):
        with city.session() as session:
            version = bench.redo(session, WHOLE, draft, version, author="ada").version
    assert table_of(city, draft) == tables[-1]
    assert_tables_follow(city, Workbench(COUNTY), draft)
    with city.session() as session:
        assert check_draft(session, COUNTY, draft) == []
        publish(session, COUNTY, draft)
    with city.session() as session:
        assert_plan_holds(session, COUNTY)
        assert_every_generation_is_a_coverage(session)
        assert_staffed(session)


def towns_in(table: dict) -> set[str]:
    """Communities that are written: one that was only looked at may stay written after undo."""
    return {row[2] for row in table["blocks"]}


def assert_every_generation_is_a_coverage(session) -> None:
    moments = session.scalars(text("SELECT lower(valid) FROM generation WHERE valid IS NOT NULL"))
    for moment in moments.all():
        rows = session.scalars(
            text("SELECT ST_AsBinary(geom) FROM grid WHERE valid @> CAST(:at AS timestamptz)"),
            {"at": moment},
        )
        assert shapely.coverage_is_valid(shapes_from_wkb(list(rows)))


def assert_staffed(session) -> None:
    bare = session.scalars(
        text(
            "SELECT code FROM grid WHERE upper_inf(valid) AND kind <> 'dedicated' AND NOT EXISTS "
            "(SELECT 1 FROM responsibility AS r WHERE r.grid_id = grid.id AND upper_inf(r.valid))"
        )
    ).all()
    assert bare == []


def first_town(city: Database, bench: Workbench, draft: int):
    with city.session() as session:
        return bench.community(session, session.get(Generation, draft), TOWNS[0])


def an_edit(city: Database, bench: Workbench, draft: int):
    """A merge of two grids that touch."""
    plan = first_town(city, bench, draft)
    borders = plan.blocks.borders
    apart = plan.grid_of[borders.left] != plan.grid_of[borders.right]
    i = np.flatnonzero(apart)[0]
    two = (plan.keys[plan.grid_of[borders.left[i]]], plan.keys[plan.grid_of[borders.right[i]]])
    return op.Merge(TOWNS[0], two)


def test_a_stale_edit_is_told_and_nothing_is_lost(city: Database) -> None:
    one, two = Workbench(COUNTY), Workbench(COUNTY)
    draft = begin(city, one)
    asked = an_edit(city, one, draft)
    assert edit(city, one, draft, 0, asked).version == 1
    with pytest.raises(StaleError, match="version 1, not 0"):
        edit(city, two, draft, 0, op.Rename(TOWNS[0], asked.grids[0], "东苑"))
    said = edit(city, two, draft, 1, op.Rename(TOWNS[0], asked.grids[0], "东苑"))
    assert (said.version, said.head) == (2, 2)
    assert_tables_follow(city, one, draft)


def test_a_rolled_back_edit_is_forgotten(city: Database) -> None:
    bench = Workbench(COUNTY)
    draft = begin(city, bench)
    asked = an_edit(city, bench, draft)
    with pytest.raises(ZeroDivisionError), city.session() as session:
        bench.edit(session, WHOLE, draft, 0, operation_to_json(asked), author="ada")
        raise ZeroDivisionError
    assert edit(city, bench, draft, 0, op.Rename(TOWNS[0], asked.grids[0], "东苑")).head == 1
    assert_tables_follow(city, bench, draft)


def test_an_area_is_kept(city: Database) -> None:
    bench = Workbench(COUNTY)
    one = Scope.of(COUNTY, [TOWNS[0]])
    draft = begin(city, bench, one)
    asked = an_edit(city, bench, draft)
    with pytest.raises(NotFoundError):
        edit(city, bench, draft, 0, asked, Scope.of(COUNTY, [TOWNS[1]]))
    with pytest.raises(EditRefusedError, match="area"):
        edit(city, bench, draft, 0, op.Rename(TOWNS[1], "x", "y"))
    with city.session() as session, pytest.raises(StateError, match="area"):
        bench.create(session, one, author="ada", title="", area=TOWNS[1])
    other = op.AdjustBoundary(TOWNS[0], ("1",), TOWNS[1], "x")
    wide = begin(city, bench, Scope.of(COUNTY, ["990100001000"]))
    with pytest.raises(EditRefusedError, match="county only"):
        edit(city, bench, wide, 0, other, Scope.of(COUNTY, ["990100001000"]))
    assert edit(city, bench, draft, 0, asked, one).version == 1


def test_a_draft_on_a_moved_base_is_replayed(city: Database) -> None:
    bench = Workbench(COUNTY)
    first, second = begin(city, bench), begin(city, bench)
    asked = an_edit(city, bench, first)
    edit(city, bench, first, 0, asked)
    edit(city, bench, second, 0, op.Rename(TOWNS[0], asked.grids[1], "西苑"))
    edit(city, bench, second, 1, op.Rename(TOWNS[0], asked.grids[0], "东苑"))
    with city.session() as session:
        publish(session, COUNTY, first)
    with pytest.raises(StateError, match="replay it"):
        edit(city, bench, second, 2, op.Rename(TOWNS[0], asked.grids[0], "南苑"))
    with city.session() as session:
        said = bench.rebase(session, WHOLE, second, 2, author="ada")
        assert [one.position for one in said.conflicts] == [1]
        assert asked.grids[1] in said.conflicts[0].conflict
        (told,) = conflicts_of(session, session.get(Generation, second), said.conflicts)
        assert [one.name for one in told.former if one.key == asked.grids[1]] == ["西苑"]
        assert [(edit.position, edit.conflict_rule) for edit in told.edits] == [(1, "unknown")]
    assert_tables_follow(city, bench, second)
    assert edit(city, bench, second, said.version, op.Rename(TOWNS[0], asked.grids[0], "南苑"))
    with city.session() as session:
        publish(session, COUNTY, second)
        assert_plan_holds(session, COUNTY)
        names = session.scalars(text("SELECT name FROM grid WHERE upper_inf(valid)")).all()
    assert "南苑" in names


def test_a_plan_of_a_later_day_changes_no_answer_until_then(city: Database) -> None:
    bench = Workbench(COUNTY)
    draft = begin(city, bench)
    asked = an_edit(city, bench, draft)
    edit(city, bench, draft, 0, asked)
    day = datetime.now(UTC) + timedelta(days=3)
    with city.session() as session:
        now = {g.code for g in load_directory(session, COUNTY).places.facts.values()}
        publish(session, COUNTY, draft, at=day)
    with city.session() as session:
        same_day = load_directory(session, COUNTY)
        assert {g.code for g in same_day.places.facts.values()} == now
        assert not same_day.holds(day)
        later = load_directory(session, COUNTY, day)
        assert now - {g.code for g in later.places.facts.values()} == {asked.grids[1]}
        with pytest.raises(StateError, match="another plan"):
            publish(session, COUNTY, draft_of(session))
    with city.session() as session:
        other = bench.create(session, WHOLE, author="ada", title="")
        with pytest.raises(StateError, match="holds from"):
            publish(session, COUNTY, other.id)


def draft_of(session) -> int:
    """A draft over the plan that holds now, though a later one is published."""
    base = session.scalar(text("SELECT id FROM generation WHERE valid @> now()"))
    made = Generation(county=COUNTY, author="ada", area=COUNTY, base_id=base)
    session.add(made)
    session.flush()
    return made.id


def test_an_earlier_plan_comes_back_with_its_codes(city: Database) -> None:
    bench = Workbench(COUNTY)
    draft = begin(city, bench)
    plan = first_town(city, bench, draft)
    key = plan.keys[int(np.argmax([f.blocks for f in plan.figures]))]
    west, south, east, north = plan.figures[plan.find(key)].polygon.bounds
    middle = (west + east) / 2
    edit(
        city,
        bench,
        draft,
        0,
        op.SplitByLine(TOWNS[0], key, ((middle, south - 1e-4), (middle, north + 1e-4))),
    )
    with city.session() as session:
        former = session.scalar(text("SELECT id FROM generation WHERE valid @> now()"))
        before = set(session.scalars(text("SELECT code FROM grid WHERE upper_inf(valid)")))
        publish(session, COUNTY, draft)
    with city.session() as session:
        back, stay = draft_of_former(session, bench, COUNTY, former, author="ada")
        assert stay == ()
        number = back.id
    assert_tables_follow(city, bench, number)
    with city.session() as session:
        publish(session, COUNTY, number)
    with city.session() as session:
        assert_plan_holds(session, COUNTY)
        assert_every_generation_is_a_coverage(session)
        assert_staffed(session)
        assert set(session.scalars(text("SELECT code FROM grid WHERE upper_inf(valid)"))) == before
        with pytest.raises(NotFoundError):
            draft_of_former(session, bench, COUNTY, 10**9, author="ada")


def test_a_drawn_draft_is_edited_and_undone(city: Database) -> None:
    bench = Workbench(COUNTY)
    with city.session() as session:
        draft = draw_draft(session, COUNTY, seed=8)
    drawn = table_of(city, draft)
    plan = first_town(city, bench, draft)
    keys = {row[0] for row in drawn["grids"] if row[1] == TOWNS[0]}
    assert set(plan.keys) == keys, "replaying gives the keys that were written"
    said = edit(city, bench, draft, 0, an_edit(city, bench, draft))
    with city.session() as session:
        said = bench.undo(session, WHOLE, draft, said.version, author="ada")
    assert table_of(city, draft) == drawn
    with city.session() as session, pytest.raises(StateError, match="drawing"):
        bench.undo(session, WHOLE, draft, said.version, author="ada")
    edit(city, bench, draft, said.version, an_edit(city, bench, draft))
    with city.session() as session:
        publish(session, COUNTY, draft)
        assert_plan_holds(session, COUNTY)


def test_numbering_keeps_off_the_codes_of_ended_grids(city: Database) -> None:
    bench = Workbench(COUNTY)

    def divided(first: int) -> list[str]:
        """The codes of the new grids, once a draft that divides one and numbers it is published."""
        draft = begin(city, bench)
        plan = first_town(city, bench, draft)
        largest = plan.keys[int(np.argmax([f.blocks for f in plan.figures]))]
        said = edit(city, bench, draft, 0, op.SplitInto(TOWNS[0], largest, 2))
        try:
            edit(city, bench, draft, said.version, op.NumberFrom(TOWNS[0], first))
        finally:
            made = first_town(city, bench, draft).grids
        with city.session() as session:
            publish(session, COUNTY, draft)
        return [grid.code for grid in made if grid.is_new]

    (given,) = divided(101)
    assert given == f"{TOWNS[0]}101"
    draft = begin(city, bench)
    plan = first_town(city, bench, draft)
    near = int(plan.grid_of[neighbours_of(plan, plan.members(given))[0]])
    edit(city, bench, draft, 0, op.Merge(TOWNS[0], (plan.keys[near], given)))
    with city.session() as session:
        publish(session, COUNTY, draft)
    with pytest.raises(EditRefusedError, match=f"{given} is taken, or was"):
        divided(101)
    assert divided(102) == [f"{TOWNS[0]}102"]


def neighbours_of(plan, members) -> list[int]:
    """Blocks of other grids that share a border with some blocks."""
    borders = plan.blocks.borders
    inside = np.isin(np.arange(len(plan.blocks.keys)), members)
    over = inside[borders.left] != inside[borders.right]
    ends = np.where(inside[borders.left[over]], borders.right[over], borders.left[over])
    return ends.tolist()


def test_a_post_that_a_draft_assigns_is_held_from_then_on(city: Database) -> None:
    bench = Workbench(COUNTY)
    draft = begin(city, bench)
    plan = first_town(city, bench, draft)
    with city.session() as session:
        person = session.scalar(text("SELECT max(id) FROM person WHERE role = 'gridworker'"))
    edit(city, bench, draft, 0, op.AssignPost(TOWNS[0], plan.keys[0], "gridworker", person))
    with city.session() as session:
        publish(session, COUNTY, draft)
        held = session.execute(
            text(
                "SELECT person_id, holder FROM responsibility AS r JOIN grid ON grid.id = grid_id "
                "WHERE grid.code = :code AND r.role = 'gridworker' AND upper_inf(r.valid)"
            ),
            {"code": plan.keys[0]},
        ).all()
    assert [tuple(row) for row in held] == [(person, "A")]
