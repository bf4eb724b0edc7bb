from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from data.cluster import Cluster
from data.database import Database
from data.errors import StateError
from data.settings import DEMO_COUNTY as COUNTY
from gis.errors import GeometryError
from grids.card import card_at
from grids.directory import load_directory
from grids.responsibility import answer as replay
from grids.who import Directory
from tests.conftest import Furnished

PLACES = text(
    "SELECT ST_X(p) AS lon, ST_Y(p) AS lat, code FROM (SELECT code, ST_PointOnSurface(geom) AS p "
    "FROM grid WHERE upper_inf(valid)) AS inside ORDER BY code"
)


def test_every_grid_answers_with_a_whole_team(city: Database) -> None:
    with city.session() as session:
        directory = load_directory(session, COUNTY)
        for place in session.execute(PLACES):
            answer = directory.answer(place.lon, place.lat)
            assert answer.grid is not None
            assert answer.grid.code == place.code
            shown = directory.layout.roles
            assert {person.role for person in answer.people} >= set(shown)
            card = card_at(directory, place.lon, place.lat)
            assert card is not None
            assert [person.role for person in card.people] == list(shown)
            assert all(person.duty_phone for person in card.people)


def test_the_police_of_a_place_are_those_of_its_beat(city: Database) -> None:
    rng = np.random.default_rng(1)
    query = text(
        "SELECT person.name FROM service_area AS area JOIN responsibility ON "
        "service_area_id = area.id JOIN person ON person.id = person_id "
        "WHERE ST_Covers(area.geom, ST_SetSRID(ST_MakePoint(:x, :y), 4326))"
    )
    with city.session() as session:
        directory = load_directory(session, COUNTY)
        for x, y in zip(
            rng.uniform(122.296, 122.324, 60), rng.uniform(43.57, 43.59, 60), strict=True
        ):
            expected = set(session.scalars(query, {"x": float(x), "y": float(y)}))
            found = {p.name for p in directory.answer(x, y).people if p.role == "police"}
            assert found == expected


@dataclass
class Wide:
    """The demonstration city's directory and its ground as a whole."""

    directory: Directory
    city: shapely.Geometry
    at: datetime


@pytest.fixture(scope="module")
def wide(cluster: Cluster, furnished: Furnished) -> Iterator[Wide]:
    database = furnished.city(cluster, "wide_city")
    with database.session() as session:
        directory = load_directory(session, COUNTY)
    grids = directory.places.grids
    city = shapely.union_all(grids.shapes(grids.ids))
    yield Wide(directory, city, directory.places.begins)
    database.engine.dispose()


CLASSES = st.sampled_from([None, "D01", "E01", "E04", "P01", "P04", "S01"])


@given(
    st.floats(0, 1),
    st.floats(0, 1),
    CLASSES,
    st.integers(0, 24 * 366),
    st.sampled_from([None, "春水市园林局", "无此单位"]),
)
@settings(max_examples=300)
def test_every_place_class_and_time_has_one_grid_and_somebody_to_call(
    wide: Wide, east: float, north: float, kind: str | None, hour: int, owner: str | None
) -> None:
    lon, lat = 122.2927 + 0.0347 * east, 43.5664 + 0.027 * north
    at = wide.at + timedelta(hours=hour)
    answer = wide.directory.answer(lon, lat, class_code=kind, owner=owner, at=at)
    if answer.grid is None:
        assert not wide.city.covers(shapely.Point(lon, lat)), "inside the city"
    else:
        assert wide.city.distance(shapely.Point(lon, lat)) < 1e-9
        assert answer.ambiguous == bool(answer.on_boundary)
    assert answer.lead is not None
    assert answer.lead.duty_phone
    assert not answer.lead.on_leave
    assert replay(wide.directory.staff, answer.staff.inquiry) == answer.staff


def test_outside_every_grid_the_county_answers(city: Database) -> None:
    with city.session() as session:
        answer = load_directory(session, COUNTY).answer(120.0, 30.0)
    assert answer.grid is None
    assert "outside" in answer.reason
    assert [person.role for person in answer.people] == ["centre_director"] + ["department"] * 6


def test_a_shared_corner_names_the_other_grids(city: Database) -> None:
    with city.session() as session:
        corner = session.execute(
            text(
                "SELECT ST_X(p) AS x, ST_Y(p) AS y, array_agg(code ORDER BY code) AS codes FROM "
                "(SELECT code, (ST_DumpPoints(geom)).geom AS p FROM grid WHERE upper_inf(valid)) "
                "AS corner GROUP BY p HAVING count(DISTINCT code) > 2 LIMIT 1"
            )
        ).one()
        answer = load_directory(session, COUNTY).answer(corner.x, corner.y)
    assert answer.grid is not None
    assert [answer.grid.code, *answer.on_boundary] == sorted(set(corner.codes))


def test_a_place_has_its_micro_grid(city: Database) -> None:
    rng = np.random.default_rng(3)
    query = text(
        "SELECT micro_grid.code FROM micro_grid JOIN grid ON grid.id = grid_id "
        "AND upper_inf(valid) WHERE ST_Covers(micro_grid.geom, ST_SetSRID(ST_MakePoint(:x, :y), "
        "4326)) ORDER BY micro_grid.code LIMIT 1"
    )
    with city.session() as session:
        directory = load_directory(session, COUNTY)
        for x, y in zip(
            rng.uniform(122.296, 122.324, 60), rng.uniform(43.57, 43.59, 60), strict=True
        ):
            expected = session.scalar(query, {"x": float(x), "y": float(y)})
            assert directory.answer(x, y).micro_grid == expected


def test_an_uncertain_place_says_what_it_may_be(city: Database) -> None:
    query = text(
        "SELECT code FROM grid WHERE upper_inf(valid) AND ST_DWithin(geom::geography, "
        "ST_SetSRID(ST_MakePoint(:x, :y), 4326)::geography, :r) ORDER BY code"
    )
    with city.session() as session:
        directory = load_directory(session, COUNTY)
        for place in session.execute(PLACES).all():
            exact = directory.answer(place.lon, place.lat)
            assert not exact.ambiguous
            assert exact.candidates == ()
            inner, outer = (
                set(session.scalars(query, {"x": place.lon, "y": place.lat, "r": r}))
                for r in (99.0, 101.0)
            )
            answer = directory.answer(place.lon, place.lat, radius_m=100.0)
            codes = {one.code for one in answer.candidates}
            assert inner <= codes <= outer
            assert answer.grid == exact.grid
            assert answer.ambiguous == (len(codes) > 1 or answer.candidates[0].share < 1 - 1e-6)


def test_a_place_just_outside_may_lie_inside(city: Database) -> None:
    with city.session() as session:
        directory = load_directory(session, COUNTY)
        west = session.execute(
            text(
                "SELECT ST_X(p) AS lon, ST_Y(p) AS lat FROM "
                "(SELECT (ST_DumpPoints(geom)).geom AS p FROM grid WHERE upper_inf(valid)) "
                "AS corner ORDER BY 1 LIMIT 1"
            )
        ).one()
    answer = directory.answer(west.lon - 1e-4, west.lat, radius_m=30.0)
    assert answer.grid is None
    assert answer.ambiguous
    assert all(0 < one.share < 1 and 5 < one.distance_m < 30 for one in answer.candidates)
    with pytest.raises(GeometryError, match="no place within"):
        directory.answer(west.lon, west.lat, radius_m=-1.0)


def test_before_the_first_plan_there_is_no_answer(city: Database) -> None:
    with city.session() as session, pytest.raises(StateError, match="no published plan"):
        load_directory(session, COUNTY, at=datetime(2000, 1, 1, tzinfo=UTC))
