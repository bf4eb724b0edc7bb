"""Assignment over HTTP: rows at once, files as jobs of the queue."""

import csv
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyogrio
import pytest
import shapely
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from api.demo import DEMO_LOGIN, DEMO_PASSWORD
from api.worker import make_worker
from data.database import Database
from data.jobs import purge_jobs
from data.settings import Settings

HERE = {"lon": 122.31, "lat": 43.575}


@pytest.fixture
def settings(city_settings: Settings, tmp_path: Path) -> Settings:
    return city_settings.model_copy(update={"home": tmp_path})


@pytest.fixture
def web(city: Database, settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings, city)) as client:
        client.post("/login", data={"login": DEMO_LOGIN, "password": DEMO_PASSWORD})
        with city.session() as session:
            client.headers["X-CSRF-Token"] = session.scalar(text("SELECT csrf FROM session"))
        yield client


def work(city: Database, settings: Settings) -> None:
    """Do what waits; in a thread, since the browser's event loop may run in this one."""
    worker = make_worker(city, settings)
    options = {"wait": False, "install_signal_handlers": False, "listen_notify": False}
    with ThreadPoolExecutor(1) as pool:
        pool.submit(worker.run_worker, **options).result()


def upload(web: TestClient, content: str | bytes, name: str = "in.csv", **form: str) -> str:
    answer = web.post("/api/v1/assign/jobs", files={"file": (name, content)}, data=form)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def test_rows_are_answered_in_their_order(web: TestClient) -> None:
    rows = [
        {"id": "a", **HERE, "class": "S01"},
        {"id": "b", "lon": 1, "lat": 1},
        {"id": "c", "lon": 43.575, "lat": 122.31},
        {"id": "d", **HERE, "class": "?"},
        {"id": "e", **HERE},
    ]
    said = web.post("/api/v1/assign", json={"crs": "EPSG:4326", "rows": rows}).json()
    assert (said["read"], said["placed"], said["refused"]) == (5, 2, 3)
    assert [one["id"] for one in said["rows"]] == list("abcde")
    assert said["rows"][0]["lead_role"] == "police"
    assert said["rows"][4]["lead_role"] == "gridworker"
    assert [one.get("refused") for one in said["rows"][1:4]] == [
        "outside every grid of the county",
        "(43.575, 122.31) is no place on earth in EPSG:4326",
        "class '?' is not in the class table",
    ]
    who = web.get("/api/v1/who", params=HERE | {"class": "S01"}).json()
    assert who["lead"]["name"] == said["rows"][0]["lead_name"]


@pytest.mark.parametrize(
    "asked",
    [
        {"rows": [HERE]},
        {"crs": "", "rows": [HERE]},
        {"crs": "EPSG:999999", "rows": [HERE]},
        {"crs": "EPSG:4326", "rows": [{"lon": "x", "lat": 1}]},
        {"crs": "EPSG:4326", "rows": [{"lon": 1}]},
        {"crs": "EPSG:4326", "rows": [HERE | {"king": 1}]},
        {"crs": "EPSG:4326", "rows": [HERE] * 10_001},
    ],
)
def test_rows_that_do_not_fit_are_refused_as_a_whole(web: TestClient, asked: dict) -> None:
    answer = web.post("/api/v1/assign", json=asked)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    body = '{"crs": "EPSG:4326", "rows": [{"lon": NaN, "lat": 1}]}'
    assert web.post("/api/v1/assign", content=body).status_code == 422
    assert web.post("/api/v1/assign", json={"crs": "EPSG:4326", "rows": []}).json()["read"] == 0


def test_a_shape_is_shared_among_grids(web: TestClient) -> None:
    line = {"type": "LineString", "coordinates": [[122.295, 43.575], [122.325, 43.575]]}
    said = web.post("/api/v1/assign/shares", json={"crs": "EPSG:4326", "geometry": line}).json()
    assert len(said["grids"]) > 4
    assert sum(one["share"] for one in said["grids"]) <= 1 + 1e-9
    who = web.get("/api/v1/who", params=HERE).json()["grid"]["code"]
    point = {"type": "Point", "coordinates": [HERE["lon"], HERE["lat"]]}
    said = web.post("/api/v1/assign/shares", json={"crs": "EPSG:4326", "geometry": point}).json()
    assert [(one["code"], one["share"]) for one in said["grids"]] == [(who, 1.0)]
    bowtie = {"type": "Polygon", "coordinates": [[[122, 43], [123, 44], [123, 43], [122, 44]]]}
    for geometry in (
        {},
        {"type": "Point"},
        {"type": "x"},
        bowtie,
        {"type": "Polygon", "coordinates": []},
    ):
        asked = {"crs": "EPSG:4326", "geometry": geometry}
        assert web.post("/api/v1/assign/shares", json=asked).status_code == 422, geometry


def test_a_file_is_assigned_in_the_background(
    web: TestClient, city: Database, settings: Settings
) -> None:
    lines = "编号,经度,纬度\n" + "".join(f"{n},122.31,43.575\n" for n in range(50)) + "x,1,1\n"
    place = upload(web, lines, crs="EPSG:4326")
    waiting = web.get(place).json()
    assert (waiting["state"], waiting["result"]) == ("waiting", None)
    assert web.get(f"{place}/result").status_code == 409
    work(city, settings)
    done = web.get(place).json()
    assert (done["state"], done["read"], done["placed"], done["refused"]) == ("done", 51, 50, 1)
    rows = list(csv.DictReader(web.get(done["result"]).text.removeprefix("\ufeff").splitlines()))
    assert [row["编号"] for row in rows] == [str(n) for n in range(50)]
    assert "outside every grid" in web.get(done["refused_rows"]).text
    assert web.get(f"{place}/other").status_code == 409


def test_what_the_author_can_mend_is_said(
    web: TestClient, city: Database, settings: Settings
) -> None:
    broken = upload(web, "{no vector", name="x.geojson", crs="EPSG:4326")
    hostile = upload(web, "lon,lat\n1,2\n", name="../../../etc/passwd.csv", crs="EPSG:4326")
    named_otherwise = upload(web, "东,北\n1,2\n", crs="EPSG:4326")
    twice = upload(web, "lon,Lon,lat\n122.31,1,43.575\n", crs="EPSG:4326")
    work(city, settings)
    said = web.get(named_otherwise).json()["reason"]
    assert "no column is called lon" in said
    assert "经度" in said
    assert "'东', '北'" in said
    assert "two columns are called 'lon'" in web.get(twice).json()["reason"]
    assert web.get(broken).json()["state"] == "failed"
    assert web.get(hostile).json()["refused"] == 1
    assert "no row was placed; the first is row 1: outside" in web.get(hostile).json()["reason"]
    kept = {str(path.relative_to(settings.jobs_dir)) for path in settings.jobs_dir.rglob("*.csv")}
    assert kept == {"2/assigned.csv", "2/assigned.csv.refused.csv"}, "what was refused is not kept"
    for form in ({"crs": "?"}, {"crs": ""}, {}):
        bad = web.post("/api/v1/assign/jobs", files={"file": ("a.csv", "lon,lat\n")}, data=form)
        assert bad.status_code == 422, "said at once, not when its turn comes"
        assert "coordinate system" in bad.json()["detail"]
    assert web.get("/api/v1/assign/jobs/99").status_code == 404


def test_a_zipped_shapefile_comes_back_as_a_geopackage(
    web: TestClient, city: Database, settings: Settings, tmp_path: Path
) -> None:
    points = shapely.to_wkb(np.array([shapely.Point(122.31, 43.575), shapely.Point(1, 1)]))
    facts = [np.array(["路灯不亮", "外地"], dtype=object)]
    pyogrio.raw.write(
        tmp_path / "in.shp",
        points,
        facts,
        ["说明"],
        geometry_type="Point",
        crs="EPSG:4490",
        encoding="UTF-8",
    )
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for end in ("shp", "shx", "dbf", "prj", "cpg"):
            archive.write(tmp_path / f"in.{end}", f"事件/in.{end}")
    place = upload(web, (tmp_path / "in.zip").read_bytes(), name="事件.zip")
    work(city, settings)
    said = web.get(place).json()
    assert (said["state"], said["placed"], said["refused"]) == ("done", 1, 1), said
    (tmp_path / "out.gpkg").write_bytes(web.get(said["result"]).content)
    table = pyogrio.read_dataframe(tmp_path / "out.gpkg")
    assert list(table["说明"]) == ["路灯不亮"]
    assert table["grid_code"].notna().all()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.vrt", "<OGRVRTDataSource/>"),
        ("x.geojson", '<OGRVRTDataSource><OGRVRTLayer name="x"/></OGRVRTDataSource>'),
        ("x.gpkg", "{}"),
        ("x.zip", "lon,lat"),
        ("x", "lon,lat"),
        ("x.csv\x00.gz", "lon,lat"),
    ],
)
def test_a_file_that_is_something_else_is_refused(
    web: TestClient, settings: Settings, name: str, content: str
) -> None:
    answer = web.post("/api/v1/assign/jobs", files={"file": (name, content)})
    assert answer.status_code == 422
    assert not settings.jobs_dir.exists() or list(settings.jobs_dir.iterdir()) == []


def test_a_disk_without_room_refuses_the_file(
    web: TestClient, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr("api.uploads.shutil.disk_usage", lambda _: SimpleNamespace(free=9))
    answer = web.post("/api/v1/assign/jobs", files={"file": ("a.csv", "lon,lat\n1,2\n")})
    assert answer.status_code == 413
    assert not list(settings.jobs_dir.glob("*"))


def test_strangers_assign_nothing(web: TestClient) -> None:
    web.cookies.clear()
    asked = {"crs": "EPSG:4326", "rows": [HERE]}
    assert web.post("/api/v1/assign", json=asked).status_code == 401
    assert web.post("/api/v1/assign/jobs", files={"file": ("a.csv", "")}).status_code == 401
    assert web.get("/api/v1/assign/jobs/1").status_code == 401


def test_old_jobs_and_their_files_are_deleted(
    web: TestClient, city: Database, settings: Settings
) -> None:
    place = upload(web, "lon,lat\n122.31,43.575\n", crs="EPSG:4326")
    with city.session() as session:
        assert purge_jobs(session, settings.jobs_dir) == 0
        session.execute(text("UPDATE assign_job SET made_at = now() - interval '25 hours'"))
        assert purge_jobs(session, settings.jobs_dir) == 1
    assert not list(settings.jobs_dir.glob("*"))
    work(city, settings)
    assert web.get(place).status_code == 404
