from datetime import UTC, datetime

import numpy as np
import pytest
import shapely
from sqlalchemy import select, text

from data.database import Database
from data.errors import NotFoundError, StateError
from data.importing import import_addresses, import_osm
from data.models import Generation, Grid
from data.scope import Scope
from data.settings import DEMO_COUNTY as COUNTY
from data.store import upsert
from grids.assign import assign_incidents
from grids.directory import load_directory
from grids.figures import community_figures, drafts, grid_figures
from grids.generations import current_generation
from grids.ground import Ground, load_blocks, load_lines
from grids.partition import Rules
from grids.plan import check_draft, draw_draft
from grids.publishing import publish
from grids.staffing import join_staff
from tests.invariants import assert_incidents_placed, assert_plan_holds


def codes(session) -> dict[tuple[int, ...], str]:
    rows = session.execute(
        text(
            "SELECT code, array_agg(block_id ORDER BY block_id) FROM grid "
            "JOIN grid_block ON grid_id = grid.id WHERE upper_inf(valid) GROUP BY grid.id, code"
        )
    )
    return {tuple(blocks): code for code, blocks in rows}


def test_the_published_city_holds_every_rule(city: Database) -> None:
    with city.session() as session:
        assert_plan_holds(session, COUNTY)
        assert_incidents_placed(session, COUNTY)
        assert (
            sum(row.households for row in community_figures(session, Scope.whole(COUNTY))) == 12_000
        )


def test_codes_are_fifteen_digits_under_their_community(city: Database) -> None:
    with city.session() as session:
        for grid in session.scalars(select(Grid)):
            assert len(grid.code) == 15
            assert grid.code.startswith(grid.community)


def test_dedicated_zones_have_their_own_grids(city: Database) -> None:
    with city.session() as session:
        named = {grid.name for grid in session.scalars(select(Grid).filter_by(kind="dedicated"))}
    assert named == {
        f"{zone}专属网格" for zone in ("春晖公园", "锦绣商务区", "春水第一小学", "春水人民医院")
    }


def test_republishing_ends_begins_and_remembers(city: Database) -> None:
    with city.session() as session:
        before = codes(session)
        base = current_generation(session, COUNTY)
        draft = draw_draft(session, COUNTY, seed=99)
        assert check_draft(session, COUNTY, draft) == []
    with city.session() as session:
        publish(session, COUNTY, draft)
    with city.session() as session:
        after = codes(session)
        assert_plan_holds(session, COUNTY)
        kept = set(before) & set(after)
        assert kept, "some grids have the same blocks again"
        assert all(before[key] == after[key] for key in kept), "they keep their code"
        fresh = {after[key] for key in set(after) - kept}
        assert fresh.isdisjoint(before.values()), "a retired code is never given again"
        shares = session.execute(
            text(
                "SELECT grid.households, sum(household_share) AS share FROM lineage "
                "JOIN grid ON grid.id = child_id GROUP BY grid.id"
            )
        ).all()
        assert all(row.share == pytest.approx(1) for row in shares if row.households)
        assert base is not None
        assert base.valid is not None
        old = load_directory(session, COUNTY, at=base.valid.lower)
        assert {grid.code for grid in old.places.facts.values()} == set(before.values()), (
            "as of then"
        )
        now = load_directory(session, COUNTY)
        assert {grid.code for grid in now.places.facts.values()} == set(after.values())


def test_an_incident_keeps_the_grid_that_it_was_given(city: Database) -> None:
    held = text("SELECT id, grid_id FROM incident ORDER BY id")
    with city.session() as session:
        before = session.execute(held).all()
        publish(session, COUNTY, draw_draft(session, COUNTY, seed=77))
        done = assign_incidents(session, COUNTY)
        assert (done.assigned, done.outside) == (0, 0)
        assert session.execute(held).all() == before


def test_a_draft_on_an_earlier_plan_is_refused(city: Database) -> None:
    with city.session() as session:
        first, second = (draw_draft(session, COUNTY, seed=seed) for seed in (5, 6))
        publish(session, COUNTY, first)
    with city.session() as session:
        assert [row.fits for row in drafts(session, Scope.whole(COUNTY))] == [False]
        with pytest.raises(StateError, match="another plan"):
            publish(session, COUNTY, second)


def test_a_draft_that_breaks_a_rule_is_refused(city: Database) -> None:
    with city.session() as session:
        draft = draw_draft(session, COUNTY, seed=5)
        session.execute(
            text(
                "UPDATE draft_block SET grid_key = (SELECT max(key) FROM draft_grid "
                "WHERE generation_id = :draft) WHERE generation_id = :draft AND grid_key = "
                "(SELECT min(key) FROM draft_grid WHERE generation_id = :draft)"
            ),
            {"draft": draft},
        )
        rules = {fault.rule for fault in check_draft(session, COUNTY, draft)}
        assert rules == {"contiguous", "one community"}
        with pytest.raises(StateError, match="breaks"):
            publish(session, COUNTY, draft)


def test_a_block_that_no_grid_has_is_a_fault(city: Database) -> None:
    with city.session() as session:
        draft = draw_draft(session, COUNTY, seed=5)
        session.execute(
            text(
                "DELETE FROM draft_block WHERE generation_id = :draft AND key = "
                "(SELECT min(key) FROM draft_block WHERE generation_id = :draft)"
            ),
            {"draft": draft},
        )
        assert check_draft(session, COUNTY, draft)[0].where.endswith("is in no grid")


@pytest.mark.parametrize("number", [0, 10**9])
def test_an_unknown_draft_is_named(city: Database, number: int) -> None:
    with city.session() as session, pytest.raises(NotFoundError, match=f"no draft {number}"):
        check_draft(session, COUNTY, number)


def test_two_truths_never_overlap(city: Database) -> None:
    with pytest.raises(Exception, match="ex_generation_valid"), city.session() as session:
        now = datetime.now(UTC)
        session.add(Generation(county=COUNTY, author="x", state="published", valid=(now, None)))
        session.flush()


def test_joining_staff_again_changes_nothing(city: Database) -> None:
    with city.session() as session:
        again = join_staff(session, COUNTY)
        assert (again.begun, again.ended, again.without_area) == (0, 0, ())
        assert all(row.workers for row in grid_figures(session, Scope.whole(COUNTY)))


def test_staff_follow_a_new_plan_with_dates(city: Database) -> None:
    with city.session() as session:
        publish(session, COUNTY, draw_draft(session, COUNTY, seed=31))
        assert all(row.workers for row in grid_figures(session, Scope.whole(COUNTY)))
        report = join_staff(session, COUNTY)
        assert (report.begun, report.ended) == (0, 0), "the posts were handed on already"
        assert all(row.workers for row in grid_figures(session, Scope.whole(COUNTY)))
        held = session.execute(
            text(
                "SELECT count(*) FROM responsibility JOIN grid ON grid.id = grid_id "
                "WHERE upper_inf(responsibility.valid) AND NOT upper_inf(grid.valid)"
            )
        ).scalar_one()
        assert held == 0, "nobody is responsible for a grid that has ended"


def drafted(session, draft: int) -> set[tuple[int, ...]]:
    rows = session.scalars(
        text(
            "SELECT array_agg(block_id ORDER BY block_id) FROM draft_block "
            "WHERE generation_id = :draft GROUP BY grid_key"
        ),
        {"draft": draft},
    )
    return {tuple(blocks) for blocks in rows}


def test_what_fits_is_kept_where_nothing_has_changed(city: Database) -> None:
    with city.session() as session:
        held = set(codes(session))
        again = drafted(session, draw_draft(session, COUNTY, seed=4, keep=True))
        assert len(again & held) >= 0.9 * len(held)


def test_one_community_is_drawn_anew_and_the_others_stay(city: Database) -> None:
    with city.session() as session:
        community = "990100001001"
        draft = draw_draft(session, COUNTY, seed=21, communities=[community])
        assert check_draft(session, COUNTY, draft) == []
        blocks = set(
            session.scalars(
                text("SELECT id FROM block WHERE community = :c"), {"c": community}
            ).all()
        )
        others = {key for key in codes(session) if not blocks & set(key)}
        assert not others & drafted(session, draft), "they are not in the draft at all"
        with pytest.raises(NotFoundError, match="990100009999"):
            draw_draft(session, COUNTY, communities=["990100009999"])


def test_some_communities_alone_need_a_published_plan(database: Database, furnished) -> None:
    with database.session() as session:
        import_osm(session, furnished.home / "demo" / "city.osm", county=COUNTY)
        with pytest.raises(StateError, match="no published plan"):
            draw_draft(session, COUNTY, communities=["990100001001"])


@pytest.mark.parametrize("level", ["bridge", "tunnel"])
def test_a_bridge_or_tunnel_crosses_and_bounds_nothing(city: Database, level: str) -> None:
    line = shapely.LineString([(121.0, 31.0), (121.001, 31.0)])
    street = {
        "county": COUNTY,
        "source_ref": f"test/{level}",
        "kind": "primary",
        "oneway": False,
        "bridge": level == "bridge",
        "tunnel": level == "tunnel",
        "geom": line,
    }
    with city.session() as session:
        ground = Ground.load(session, COUNTY)
        before = load_lines(session, COUNTY, ground.local)
        upsert(session, "street", [street], key=("county", "source_ref"))
        after = load_lines(session, COUNTY, ground.local)
        session.rollback()
    assert len(after.streets) == len(before.streets)
    assert len(after.barriers) == len(before.barriers)
    assert len(after.crossings) == len(before.crossings) + 1


def test_blocks_know_the_estate_that_their_addresses_name(city: Database, tmp_path) -> None:
    with city.session() as session:
        ground = Ground.load(session, COUNTY)
        blocks = load_blocks(session, COUNTY, ground, Rules())
        place = blocks.polygons_wgs84[np.argmax(blocks.households)].representative_point()
        file = tmp_path / "addresses.csv"
        rows = [f"e{i},花园路{i}号,{name},{place.x},{place.y}" for i, name in enumerate("甲甲乙")]
        file.write_text("\n".join(["id,地址,小区,lon,lat", *rows]), encoding="utf-8")
        import_addresses(session, file, county=COUNTY, crs="EPSG:4326")
        held = session.scalars(text("SELECT estate FROM address WHERE estate IS NOT NULL")).all()
        found = load_blocks(session, COUNTY, ground, Rules()).estate
        session.rollback()
    assert sorted(held) == ["乙", "甲", "甲"]
    assert (blocks.estate == -1).all()
    assert np.flatnonzero(found >= 0).tolist() == [int(np.argmax(blocks.households))]
