"""Files of plans drawn elsewhere, whole and broken, by command and by upload."""

import contextlib
import json
import sqlite3
import struct
import warnings
from pathlib import Path

import geopandas
import pytest
import shapely
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from api.demo import DEMO_LOGIN, DEMO_PASSWORD
from data.database import Database
from data.errors import SourceError
from data.scope import Scope
from data.settings import DEMO_COUNTY as COUNTY
from data.settings import Settings
from data.store import shapes_from_wkb
from gis.errors import CrsError, OneGridError
from grids.drafting import Workbench
from grids.drafting.adopting import adopt_drawn, read_drawn
from grids.plan import check_draft
from grids.publishing import publish
from tests.invariants import assert_plan_holds

WHOLE = Scope.whole(COUNTY)


def published(city: Database) -> geopandas.GeoDataFrame:
    """The published grids, as somebody else's GIS would hold them."""
    with city.session() as session:
        rows = session.execute(
            text(
                "SELECT code, name, community, ST_AsBinary(geom) AS geom FROM grid "
                "WHERE upper_inf(valid) ORDER BY code"
            )
        ).all()
    shapes = shapes_from_wkb([row.geom for row in rows])
    facts = {"名称": [row.name for row in rows], "community": [row.community for row in rows]}
    return geopandas.GeoDataFrame(facts, geometry=shapes, crs="EPSG:4326")


def merged(city: Database) -> geopandas.GeoDataFrame:
    """Two grids of each urban community merged, by hand and not quite along the blocks."""
    frame = published(city)
    first = frame.groupby("community").cumcount()
    keep = frame[first > 1]
    joined = frame[first < 2].dissolve("community", aggfunc="first").reset_index()
    joined["名称"] = "合并" + joined["community"].str[-4:]
    both = geopandas.pd.concat([keep, joined], ignore_index=True)
    both["geometry"] = both.geometry.simplify(1e-5)
    return both


def adopted(city: Database, path: Path, *, gaps: str = "nearest", **options):
    elsewhere = read_drawn(path, **options)
    with city.session() as session:
        draft, issues = adopt_drawn(
            session, Workbench(COUNTY), WHOLE, elsewhere, author="ada", title="x", gaps=gaps
        )
        assert check_draft(session, COUNTY, draft.id) == []
        return draft.id, issues


@pytest.mark.parametrize("kind", ["gpkg", "geojson", "shp"])
def test_a_plan_in_any_format_is_snapped_and_published(
    city: Database, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"plan.{kind}"
    options = {"encoding": "GB18030"} if kind == "shp" else {}
    merged(city).to_file(path, **options)
    draft, issues = adopted(city, path)
    assert {one.kind for one in issues} <= {"moved", "overlap", "gap", "apart", "across"}
    with city.session() as session:
        publish(session, COUNTY, draft)
    with city.session() as session:
        assert_plan_holds(session, COUNTY)
        names = set(session.scalars(text("SELECT name FROM grid WHERE upper_inf(valid)")))
    assert {"合并1001", "合并1002"} <= names


def test_another_coordinate_system_is_brought_over(city: Database, tmp_path: Path) -> None:
    merged(city).to_crs(4527).to_file(tmp_path / "plan.gpkg")
    draft, _ = adopted(city, tmp_path / "plan.gpkg")
    assert draft


def test_arcs_are_followed_by_lines(city: Database, tmp_path: Path) -> None:
    frame, path = merged(city), tmp_path / "plan.gpkg"
    frame.to_file(path, layer="plan", geometry_type="Unknown")
    middle, radius = frame.geometry.iloc[-1].centroid, 0.01
    around = [(-1, 0), (0, 1), (1, 0), (0, -1), (-1, 0)]
    arcs = [(middle.x + radius * dx, middle.y + radius * dy) for dx, dy in around]
    # A curve polygon of one circular string, as ISO WKB behind a GeoPackage header.
    written = struct.pack("<BII", 1, 10, 1) + struct.pack("<BII", 1, 8, len(arcs))
    written += b"".join(struct.pack("<dd", *place) for place in arcs)
    blob = b"GP\x00\x01" + struct.pack("<i", 4326) + written
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        triggers = file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:  # they call functions of GDAL
            file.execute(f'DROP TRIGGER "{name}"')
        file.execute("UPDATE plan SET geom = ? WHERE fid = ?", (blob, len(frame)))
    draft, issues = adopted(city, path)
    assert draft
    assert "overlap" in {one.kind for one in issues}


def test_the_present_plan_changes_nothing(city: Database, tmp_path: Path) -> None:
    frame = published(city)
    frame.to_file(tmp_path / "plan.gpkg")
    with pytest.raises(SourceError, match="change nothing"):
        adopted(city, tmp_path / "plan.gpkg")


def broken_files(folder: Path) -> dict[str, tuple[Path, type[OneGridError]]]:
    box = shapely.box(122.30, 43.57, 122.31, 43.58)
    made: dict[str, tuple[Path, type[OneGridError]]] = {}

    def write(name: str, shapes: list, crs: str | None, error: type[OneGridError]) -> None:
        path = folder / f"{name}.gpkg"
        frame = geopandas.GeoDataFrame({"name": ["a"]}, geometry=shapes, crs=crs)
        with warnings.catch_warnings(action="ignore"):  # of the system that is missing
            frame.to_file(path)
        made[name] = path, error

    write("no crs", [box], None, CrsError)
    write("points", [box.centroid], "EPSG:4326", SourceError)
    write("elsewhere", [shapely.box(10, 10, 11, 11)], "EPSG:4326", SourceError)
    metres = [shapely.box(4e5, 48e5, 5e5, 49e5)]
    write("metres said to be degrees", metres, "EPSG:4326", SourceError)
    text_file = folder / "words.geojson"
    text_file.write_text("{not json", encoding="utf-8")
    made["no file of shapes"] = text_file, SourceError
    made["nothing there"] = folder / "none.gpkg", SourceError
    return made


@pytest.mark.parametrize(
    "name",
    [
        "no crs",
        "points",
        "elsewhere",
        "metres said to be degrees",
        "no file of shapes",
        "nothing there",
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_a_reason(
    city: Database, tmp_path: Path, name: str
) -> None:
    path, error = broken_files(tmp_path)[name]
    with pytest.raises(error):
        adopted(city, path)
    with city.session() as session:
        drafts = session.scalar(text("SELECT count(*) FROM generation WHERE state = 'draft'"))
    assert drafts == 0, "nothing is left behind"


def test_broken_rows_are_told_one_by_one(city: Database, tmp_path: Path) -> None:
    frame = merged(city)
    west, south, east, north = frame.total_bounds
    bow = shapely.Polygon([(west, south), (east, north), (east, south), (west, north)])
    extra = geopandas.GeoDataFrame(
        {"名称": ["领结", "重复", "空"], "community": ["", "", ""]},
        geometry=[bow, frame.geometry.iloc[5], None],
        crs="EPSG:4326",
    )
    both = geopandas.pd.concat([frame, extra], ignore_index=True)
    both.set_geometry(shapely.force_3d(both.geometry.values, 7.0)).to_file(tmp_path / "plan.gpkg")
    _, issues = adopted(city, tmp_path / "plan.gpkg")
    told = {(one.kind, one.drawn[-1]) for one in issues if one.drawn}
    assert {("broken", "领结"), ("duplicate", "重复"), ("empty", "空")} <= told
    assert "overlap" in {one.kind for one in issues}


def test_an_upload_becomes_a_draft_with_comments(
    city: Database, city_settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "plan.geojson"
    merged(city).drop(index=[3]).to_file(path)
    with TestClient(create_app(city_settings, city)) as web:
        web.post("/login", data={"login": DEMO_LOGIN, "password": DEMO_PASSWORD})
        with city.session() as session:
            csrf = session.scalar(text("SELECT csrf FROM session"))
        files = {"file": ("计划.geojson", path.read_bytes())}
        opened = web.post("/planner/drafts/adopt", data={"csrf": csrf}, files=files)
        assert opened.status_code == 200, opened.text[:500]
        number = opened.url.path.rpartition("/")[2]
        notes = web.get(f"/api/v1/drafts/{number}").json()["notes"]
        assert any(one["words"].startswith("缝隙") and one["place"] for one in notes)
        for name, content in (("x.vrt", b"<VRT/>"), ("x.gpkg", b"no"), ("x.geojson", b"<a/>")):
            files = {"file": (name, content)}
            refused = web.post("/planner/drafts/adopt", data={"csrf": csrf}, files=files)
            assert refused.status_code == 422


def test_the_command_tells_what_did_not_fit(onegrid, city: Database, tmp_path: Path) -> None:
    merged(city).drop(index=[3]).to_file(tmp_path / "plan.gpkg")
    said = onegrid("plan", "adopt", tmp_path / "plan.gpkg", "-o", "issues.csv", "--json", code=3)
    told = json.loads(said)
    assert {"gap"} <= {one["kind"] for one in told["issues"]}
    assert (tmp_path / "issues.csv").read_text("utf-8-sig").startswith("kind,drawn,area_m2")
