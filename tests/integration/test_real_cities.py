"""Import → partition → publish → assign → dispatch → map on real extracts."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from data import importing
from data.database import Database
from data.models import Person
from data.positions import place_demo_staff
from grids.assign import assign_incidents
from grids.book_loading import load_book
from grids.directory import load_directory
from grids.plan import check_draft, draw_draft
from grids.publishing import publish
from maps.city_map import MapRequest, city_map
from maps.texts import texts
from routing.building import build_network
from routing.dispatch import recommend
from routing.hierarchy import INFINITE
from routing.live import LiveRoads
from routing.network import MODES
from tests.invariants import assert_incidents_placed, assert_plan_holds, known_grids

pytestmark = pytest.mark.shared

CITIES = [
    ("taichung", "660400", "taichung.osm.gz", "taichung_west_units.gpkg", ("9", "10")),
    ("nanjing", "320106", "nanjing.osm.gz", None, ("9", "10")),
    ("malta", "990200", "malta.osm.pbf", None, ("8",)),
]


# Without their town they are what another known address is called: nobody can say.
MALTA_ASKED = ["60 Triq il-Kbira", "64 Triq Is-Sebuqa", "68 Triq Is-Sebuqa"]


@pytest.mark.parametrize(("name", "county", "osm", "units", "levels"), CITIES)
def test_city_goes_from_files_to_map(
    name: str,
    county: str,
    osm: str,
    units: str | None,
    levels: tuple[str, ...],
    database: Database,
    shared: Path,
    tmp_path: Path,
) -> None:
    with database.session() as session:
        report = importing.import_osm(
            session, shared / "osm" / osm, county=county, community_levels=levels
        )
        assert report.read == report.stored + len(report.refused)
        if units:
            importing.import_households(session, shared / "households" / units, county=county)
    with database.session() as session:
        draft = draw_draft(session, county, seed=1)
        assert check_draft(session, county, draft) == []
        publish(session, county, draft)
    with database.session() as session:
        assert_plan_holds(session, county)
        import_random_incidents(session, county, tmp_path)
        done = assign_incidents(session, county)
        assert done.assigned > 100
        assert_incidents_placed(session, county)
        assert_locator_agrees(session, county)
        asked = assert_addresses_lead_to_their_grids(session, county)
        assert name != "malta" or asked == MALTA_ASKED
    network = build_network(shared / "osm" / osm)
    network.save(tmp_path / "network.arrow")
    with database.session() as session:
        assert_dispatch_by_road(session, county, LiveRoads(tmp_path / "network.arrow", county))
        page = city_map(session, county, MapRequest(texts("zh"), inline=True)).html
    assert "https://cdn" not in page
    assert page.count("<script src") == 0


def import_random_incidents(session: Session, county: str, folder: Path) -> None:
    rng = np.random.default_rng(3)
    bounds = session.execute(
        text(
            "SELECT ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e) FROM "
            "(SELECT ST_Extent(geom) AS e FROM grid WHERE county = :c) AS x"
        ),
        {"c": county},
    ).one()
    lon = rng.uniform(bounds[0], bounds[2], 1000)
    lat = rng.uniform(bounds[1], bounds[3], 1000)
    vertices = session.execute(
        text(
            "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_PointN(ST_ExteriorRing("
            "ST_GeometryN(geom, 1)), 1) AS p FROM grid WHERE county = :c) AS corner"
        ),
        {"c": county},
    ).all()
    lon, lat = np.append(lon, [v[0] for v in vertices]), np.append(lat, [v[1] for v in vertices])
    path = folder / "incidents.csv"
    now = datetime.now(UTC).isoformat()
    lines = [
        f"{i},市容环境,{now},{x!r},{y!r}"
        for i, (x, y) in enumerate(zip(lon.tolist(), lat.tolist(), strict=True))
    ]
    path.write_text("编号,类别,时间,经度,纬度\n" + "\n".join(lines), encoding="utf-8")
    report = importing.import_incidents(session, path, county=county, crs="EPSG:4326")
    assert report.refused == []


def assert_locator_agrees(session: Session, county: str) -> None:
    directory = load_directory(session, county)
    rows = session.execute(
        text("SELECT ST_X(geom), ST_Y(geom), grid_id, grid_count FROM incident WHERE county = :c"),
        {"c": county},
    ).all()
    grids = directory.places.grids
    found = grids.locator.locate([r[0] for r in rows], [r[1] for r in rows])
    ids = [grids.ids[a] if a >= 0 else None for a in found.area.tolist()]
    assert ids == [r[2] for r in rows]
    assert found.count.tolist() == [r[3] for r in rows]


def assert_addresses_lead_to_their_grids(session: Session, county: str) -> list[str]:
    """Every known address leads to its building's grid; those that are a question come back."""
    book = load_book(session, load_directory(session, county).places)
    facts, asked = book.places.facts, []
    for one in known_grids(session, county):
        found = book.look_up(one.text)
        codes = [facts[grid].code for grid in found.areas if grid >= 0]
        if found.is_certain:
            assert codes == ([one.code] if one.code else []), one
        else:
            assert one.code in codes, one
            asked.append(one.text)
    return sorted(asked)


def assert_dispatch_by_road(session: Session, county: str, roads: LiveRoads) -> None:
    modes = ["car", "moped", "foot"] * 10
    session.add_all(
        Person(county=county, source_ref=f"p{i}", name=f"员{i}", role="gridworker", mode=mode)
        for i, mode in enumerate(modes)
    )
    session.flush()
    place_demo_staff(session, county, seed=2)
    travel = roads.now(session).travel
    network = travel.network
    open_to_all = (network.time_ms < INFINITE).all(axis=0).reshape(-1, 2).all(axis=1)
    at = network.point_start[int(np.flatnonzero(open_to_all)[0])]
    place = (float(network.lon[at]), float(network.lat[at]))
    advice = recommend(session, roads, county, place, "E01", k=30)
    assert len(advice.candidates) + len(advice.left_out) == 30
    assert len(advice.candidates) > 20
    times = [candidate.time_s for candidate in advice.candidates]
    assert times == sorted(times)
    assert all(shapely.is_valid(one.route) for one in advice.candidates if one.distance_m > 0)
    for candidate in advice.candidates:
        assert travel.route(candidate.place, place, candidate.mode).time_s == candidate.time_s
        assert candidate.mode in MODES
