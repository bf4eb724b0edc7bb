import numpy as np
import pytest
import shapely
from sqlalchemy import text

from data.database import Database
from data.errors import StateError
from data.settings import DEMO_COUNTY as COUNTY
from grids.generations import rules_of
from grids.plan import draw_draft
from grids.publishing import publish
from grids.rules import Rules
from grids.subdivide import subdivide

# Every grid beside what PostGIS says of its micro-grids.
GRIDS = text(
    "SELECT grid.code, grid.households, ST_AsBinary(grid.geom) AS geom, "
    "array_agg(micro_grid.code ORDER BY micro_grid.code) AS codes, "
    "sum(micro_grid.households) AS micro_households, "
    "array_agg(ST_AsBinary(micro_grid.geom)) AS parts "
    "FROM grid JOIN micro_grid ON grid_id = grid.id "
    "WHERE grid.county = :c AND upper_inf(grid.valid) GROUP BY grid.id"
)


def test_micro_grids_cover_every_grid_of_the_city(city: Database) -> None:
    with city.session() as session:
        rows = session.execute(GRIDS, {"c": COUNTY}).all()
        count = session.scalar(text("SELECT count(*) FROM grid WHERE upper_inf(valid)"))
    assert len(rows) == count
    for row in rows:
        grid = shapely.from_wkb(bytes(row.geom))
        parts = shapely.from_wkb([bytes(part) for part in row.parts])
        assert shapely.coverage_is_valid(parts)
        missed = shapely.union_all(parts).symmetric_difference(grid)
        assert missed.area < 2e-8 * grid.length, "2 mm, the lattice that cuts are drawn on"
        assert row.micro_households == row.households
        assert row.codes == [f"{row.code}{n:02d}" for n in range(1, len(row.codes) + 1)]


def test_each_dwelling_is_in_one_micro_grid_that_counts_it(city: Database) -> None:
    with city.session() as session:
        wrong = session.scalar(
            text(
                "SELECT count(*) FROM micro_grid WHERE households <> (SELECT "
                "coalesce(sum(building.households), 0) FROM micro_grid_building JOIN building "
                "ON building.id = building_id WHERE micro_grid_id = micro_grid.id)"
            )
        )
        twice = session.scalar(
            text(
                "SELECT count(*) - count(DISTINCT building_id) FROM micro_grid_building "
                "JOIN micro_grid ON micro_grid.id = micro_grid_id "
                "JOIN grid ON grid.id = grid_id AND upper_inf(valid)"
            )
        )
    assert (wrong, twice) == (0, 0)


def test_only_grids_without_micro_grids_are_divided(city: Database) -> None:
    with city.session() as session:
        assert subdivide(session, COUNTY, Rules()).grids == 0
        rules = rules_of(session, "zhoushan")
        draft = draw_draft(session, COUNTY, profile="zhoushan", keep=True)
        publish(session, COUNTY, draft)
        fresh = session.scalar(
            text("SELECT count(*) FROM grid WHERE generation_id = :d"), {"d": draft}
        )
        done = subdivide(session, COUNTY, rules)
        sizes = session.scalars(
            text(
                "SELECT micro_grid.households FROM micro_grid JOIN grid ON grid.id = grid_id "
                "WHERE generation_id = :d"
            ),
            {"d": draft},
        ).all()
    assert done.grids == fresh > 0
    assert done.micro_grids == len(sizes)
    assert done.fitting == (np.array(sizes) >= 50)[np.array(sizes) <= 80].sum()
    assert done.fitting / done.micro_grids > 0.6


def test_a_county_without_a_plan_is_told(database: Database) -> None:
    with database.session() as session, pytest.raises(StateError, match="no published plan"):
        subdivide(session, "990100", Rules())
