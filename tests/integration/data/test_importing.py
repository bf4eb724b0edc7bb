"""Importers: every refused row comes back, twice changes nothing, killed leaves nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import geopandas
import pytest
import shapely
from sqlalchemy import text

from data import importing
from data.database import Database
from data.errors import SourceError
from data.importing import ImportReport
from gis.errors import CrsError
from gis.gcj02 import wgs84_to_gcj02

ROOT = Path(__file__).parents[3]
COUNTY = "990100"
WGS84 = "EPSG:4326"
HEAD = "案件编号,事件类别,上报时间,经度,纬度,难易程度,问题描述\n"


def csv_of(folder: Path, lines: list[str], head: str = HEAD, encoding: str = "utf-8") -> Path:
    path = folder / "rows.csv"
    path.write_text(head + "\n".join(lines) + "\n", encoding=encoding)
    return path


def count(database: Database, table: str) -> int:
    with database.session() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def run(
    database: Database, function: Callable[..., ImportReport], *args, **options
) -> ImportReport:
    with database.session() as session:
        report = function(session, *args, county=COUNTY, **options)
    assert report.read == report.stored + len(report.refused)
    return report


def test_bad_incident_rows_come_back_with_their_reasons(city: Database, tmp_path: Path) -> None:
    good = "N1,市容环境,2026-11-01 08:00,122.31,43.58,一般,路灯"
    bad = {
        "N1,市容环境,2026-11-01 08:00,122.31,43.58,一般,": "duplicate id",
        "N2,外星人,2026-11-01 08:00,122.31,43.58,一般,": "not in the class table",
        "N3,市容环境,2026-02-30 08:00,122.31,43.58,一般,": "is no date",
        "N4,市容环境,2099-01-01 08:00,122.31,43.58,一般,": "in the future",
        "N5,市容环境,2026-11-01 08:00,,43.58,一般,": "lon is missing",
        "N6,市容环境,2026-11-01 08:00,12.31,43.58,一般,": "far outside",
        "N7,市容环境,2026-11-01 08:00,43.58,122.31,一般,": "no place on earth",
        "N8,市容环境,2026-11-01 08:00,122.31,abc,一般,": "no number",
        "N9,市容环境,2026-11-01 08:00,122.31,43.58,要命,": "severity",
        "N10,,2026-11-01 08:00,122.31,43.58,一般,": "class is missing",
    }
    before = count(city, "incident")
    path = csv_of(tmp_path, [good, *bad])
    report = run(city, importing.import_incidents, path, crs=WGS84)
    assert (report.read, report.stored) == (11, 1)
    assert count(city, "incident") == before + 1
    for refusal, reason in zip(report.refused, bad.values(), strict=True):
        assert reason in refusal.reason
    assert [refusal.row for refusal in report.refused] == list(range(2, 12))


def test_the_raw_place_and_its_crs_are_kept(city: Database, tmp_path: Path) -> None:
    x, y = (value.tolist() for value in wgs84_to_gcj02([122.31], [43.58]))
    path = csv_of(tmp_path, [f"G1,市容环境,2026-11-01,{x[0]!r},{y[0]!r},一般,"], encoding="gb18030")
    run(city, importing.import_incidents, path, crs="GCJ-02")
    with city.session() as session:
        row = session.execute(
            text(
                "SELECT raw_x, raw_y, raw_crs, ST_X(geom) AS lon, ST_Y(geom) AS lat "
                "FROM incident WHERE source_ref = 'G1'"
            )
        ).one()
    assert (row.raw_x, row.raw_y, row.raw_crs) == (x[0], y[0], "GCJ-02")
    assert (row.lon, row.lat) == pytest.approx((122.31, 43.58), abs=1e-9)


@pytest.mark.parametrize("crs", [None, "EPSG:0", "Mars"])
def test_an_unknown_crs_stops_before_the_first_row(
    city: Database, tmp_path: Path, crs: str | None
) -> None:
    path = csv_of(tmp_path, ["N1,市容环境,2026-11-01,122.31,43.58,一般,"])
    with pytest.raises(CrsError, match="coordinate system"):
        run(city, importing.import_incidents, path, crs=crs)


def test_a_stated_crs_that_contradicts_the_file_is_refused(city: Database, tmp_path: Path) -> None:
    path = tmp_path / "beats.gpkg"
    frame = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=4326)
    frame.to_file(path)
    with pytest.raises(CrsError, match="which is it"):
        run(city, importing.import_areas, path, kind="police_beat", crs="EPSG:4528")


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp", "zip"])
def test_areas_come_from_every_vector_format(city: Database, tmp_path: Path, suffix: str) -> None:
    bow = shapely.Polygon([(0, 0), (0.01, 0.01), (0.01, 0), (0, 0.01)])
    shapes = [
        shapely.box(122.30, 43.57, 122.31, 43.58),
        shapely.affinity.translate(bow, 122.3, 43.57),
        shapely.box(122.31, 43.57, 122.32, 43.58),
    ]
    frame = geopandas.GeoDataFrame(
        {"name": ["东片区", "打结片区", "东片区"]}, geometry=shapes, crs=4490
    )
    path = tmp_path / f"areas.{suffix}"
    if suffix == "zip":
        frame.to_file(tmp_path / "areas.shp", encoding="UTF-8")
        parts = sorted(tmp_path.glob("areas.*"))
        subprocess.run(
            [sys.executable, "-m", "zipfile", "-c", path, *parts], check=True, cwd=tmp_path
        )
    elif suffix == "geojson":
        frame.to_crs(4326).to_file(path)
    else:
        frame.to_file(path, encoding="UTF-8") if suffix == "shp" else frame.to_file(path)
    report = run(city, importing.import_areas, path, kind="mediation_area")
    assert [refusal.row for refusal in report.refused] == [2, 3]
    assert "broken polygon" in report.refused[0].reason
    assert "duplicate id" in report.refused[1].reason


def test_importing_twice_changes_nothing(city: Database, tmp_path: Path) -> None:
    lines = [f"T{i},市容环境,2026-11-01,{122.30 + i / 1e4},43.58,一般," for i in range(50)]
    path = csv_of(tmp_path, lines)
    first = run(city, importing.import_incidents, path, crs=WGS84)
    again = run(city, importing.import_incidents, path, crs=WGS84)
    assert (first.changed, again.changed) == (50, 0)
    assert count(city, "incident") == 650
    lines[3] = lines[3].replace("122.3003", "122.3104")
    third = run(city, importing.import_incidents, csv_of(tmp_path, lines), crs=WGS84)
    assert third.changed == 1


def test_column_options_override_recognition(city: Database, tmp_path: Path) -> None:
    path = csv_of(tmp_path, ["甲,43.58,122.31,春晖路9号"], head="键,横,竖,写法\n")
    columns = {"键": "id", "横": "lat", "竖": "lon", "写法": "address"}
    report = run(city, importing.import_addresses, path, crs=WGS84, columns=columns)
    assert report.stored == 1


def test_staff_with_an_unknown_role_come_back(city: Database, tmp_path: Path) -> None:
    head = "编号,姓名,岗位,值班电话,交通方式,责任区\n"
    path = csv_of(
        tmp_path,
        [
            "X1,王一,网格员,1,步行,临江社区",
            "X2,王二,厨师,1,步行,临江社区",
            "X3,王三,网格员,1,飞机,临江社区",
        ],
        head=head,
    )
    report = run(city, importing.import_people, path)
    assert [r.row for r in report.refused] == [2, 3]
    assert "厨师" in report.refused[0].reason


def test_households_are_conserved_to_the_last_one(database: Database, tmp_path: Path) -> None:
    houses = [shapely.box(120.6 + i / 1e4, 24.18, 120.60005 + i / 1e4, 24.1801) for i in range(7)]
    frame = geopandas.GeoDataFrame(
        {
            "CODEBASE": ["a", "b", "c"],
            "H_CNT": [100, None, 31],
            "P_CNT": [210, None, 70],
            "CODE2": ["k1", "k1", "k2"],
        },
        geometry=[
            shapely.box(120.5999, 24.179, 120.60045, 24.181),
            shapely.box(120.60045, 24.179, 120.601, 24.181),
            shapely.box(120.601, 24.179, 120.602, 24.181),
        ],
        crs=4326,
    )
    frame.to_file(tmp_path / "units.gpkg")
    with database.session() as session:
        for number, house in enumerate(houses):
            session.execute(
                text(
                    "INSERT INTO building (county, source_ref, use, levels, geom) VALUES "
                    "('990100', :ref, 'house', :levels, ST_Multi(ST_GeomFromText(:wkt, 4326)))"
                ),
                {"ref": f"h{number}", "levels": number + 1, "wkt": house.wkt},
            )
    report = run(database, importing.import_households, tmp_path / "units.gpkg")
    assert "2 communities made" in report.notes[0]
    with database.session() as session:
        rows = session.execute(
            text("SELECT households, households_source FROM building ORDER BY id")
        ).all()
        unknown = session.execute(
            text("SELECT households FROM household_unit WHERE source_ref = 'b'")
        ).scalar_one()
    assert sum(row.households or 0 for row in rows[:5]) == 100
    assert [row.households_source for row in rows[:5]] == ["spread"] * 5
    assert rows[4].households > rows[0].households, "more floors, more households"
    assert unknown is None, "an unknown count is not zero"
    assert rows[6].households is None, "nothing is invented inside a unit of unknown count"


def test_official_codes_go_to_boundaries_of_the_same_name(
    database: Database, tmp_path: Path
) -> None:
    head = "代码,上级代码,名称,级别,城乡分类\n"
    path = csv_of(
        tmp_path,
        ["990100003205,990100003000,柳河村,5,220", "990100003000,990100000000,河镇,4,"],
        head=head,
    )
    run(database, importing.import_divisions, path)
    frame = geopandas.GeoDataFrame(
        {"name": ["柳河村", "新社区"]},
        geometry=[shapely.box(0, 0, 0.01, 0.01), shapely.box(0.01, 0, 0.02, 0.01)],
        crs=4326,
    )
    frame.to_file(tmp_path / "areas.gpkg")
    for _ in range(2):
        run(database, importing.import_areas, tmp_path / "areas.gpkg", kind="community")
    with database.session() as session:
        codes = dict(
            session.execute(text("SELECT name, code FROM division WHERE geom IS NOT NULL")).all()
        )
    assert codes == {"柳河村": "990100003205", "新社区": "990100001001"}


@pytest.mark.shared
def test_the_official_division_file_is_read_without_a_heading(
    database: Database, shared: Path
) -> None:
    path = shared / "divisions" / "codes_2016" / "150502.csv"
    report = run(database, importing.import_divisions, path)
    assert report.refused == []
    with database.session() as session:
        urban = session.execute(
            text("SELECT count(*) FROM division WHERE level = 'village' AND ur_code LIKE '1%'")
        ).scalar_one()
    assert urban > 50


@pytest.mark.shared
def test_an_import_that_is_killed_leaves_nothing(
    database: Database, shared: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", "from api.cli import main; main()", "import", "osm"]
    address = database.engine.url.render_as_string()
    environment = os.environ | {"ONEGRID_HOME": str(tmp_path), "ONEGRID_DATABASE_URL": address}
    program = subprocess.Popen(
        [*command, str(shared / "osm" / "monaco.osm.pbf"), "--no-network"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    writing = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND state <> 'idle' AND query ~ 'building'"
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and program.poll() is None:
        with database.engine.connect() as connection:
            if connection.execute(writing).scalar_one():
                break
        time.sleep(0.01)
    assert program.poll() is None, "the import was over before it could be killed"
    program.send_signal(signal.SIGKILL)
    program.wait()
    for table in ("street", "building", "division", "water"):
        assert count(database, table) == 0
    assert run(database, importing.import_osm, shared / "osm" / "monaco.osm.pbf").stored > 20_000


def test_a_file_that_is_none_stops_with_a_clear_error(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "noise.osm.pbf"
    path.write_bytes(os.urandom(500))
    with pytest.raises(SourceError, match="no OSM file"):
        run(database, importing.import_osm, path)


def test_a_summary_for_programs_counts_every_row(city: Database, tmp_path: Path) -> None:
    path = csv_of(tmp_path, ["N1,市容环境,2026-11-01,122.31,43.58,一般,", "N2,,,,,,"])
    facts = json.loads(run(city, importing.import_incidents, path, crs=WGS84).as_json())
    assert (facts["read"], facts["stored"], facts["refused"]) == (2, 1, 1)
