"""What other programs ask for: LoST, MapIt, OGC API; read by their own clients and schemas."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyogrio
import pytest
import shapely
from fastapi.testclient import TestClient
from lxml import etree
from owslib.ogcapi.features import Features
from sqlalchemy import text

from api.app import create_app
from data.database import Database
from data.settings import DEMO_COUNTY as COUNTY
from data.settings import Settings
from tests.conftest import Furnished
from tests.served import Served

SCHEMA = etree.RelaxNG(file=str(Path(__file__).with_name("lost.rng")))
LOST = "{urn:ietf:params:xml:ns:lost1}"
HERE = (
    '<gml:Point srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>43.575 122.31</gml:pos></gml:Point>'
)
CIVIC = (
    '<c:civicAddress xmlns:c="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr">'
    "<c:country>CN</c:country>{parts}</c:civicAddress>"
)


@pytest.fixture(scope="module")
def web(furnished: Furnished, city: Database) -> Iterator[TestClient]:
    often = "100000 per minute"
    settings = Settings(
        public_url="http://localhost",
        home=furnished.home,
        cards_free=often,
        cards_most=often,
        cards_range=often,
    )
    with TestClient(create_app(settings, city)) as client:
        yield client


@pytest.fixture(scope="module")
def city(cluster, furnished: Furnished) -> Iterator[Database]:
    made = furnished.city(cluster, "standards_city")
    yield made
    made.engine.dispose()


def asked(name: str, inside: str = "", more: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="urn:ietf:params:xml:ns:lost1" '
        f'xmlns:gml="http://www.opengis.net/gml" {more}>{inside}</{name}>'
    )


def find(where: str, service: str = "urn:service:sos.police", profile: str = "geodetic-2d") -> str:
    location = f'<location id="a1" profile="{profile}">{where}</location>'
    return asked("findService", f"{location}<service>{service}</service>")


def lost(web: TestClient, message: str) -> etree._Element:
    answer = web.post(
        "/lost", content=message.encode(), headers={"content-type": "application/lost+xml"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/lost+xml"
    tree = etree.fromstring(answer.content)
    SCHEMA.assertValid(tree)
    return tree


def test_lost_finds_the_police_of_a_place_as_who_does(web: TestClient) -> None:
    message = find(HERE)
    SCHEMA.assertValid(etree.fromstring(message.encode()))
    tree = lost(web, message)
    who = web.get("/api/v1/who", params={"lon": 122.31, "lat": 43.575}).json()
    police = next(one for one in who["people"] if one["role"] == "police")
    assert tree.findtext(f".//{LOST}uri") == f"tel:{police['duty_phone']}"
    assert police["name"] in tree.findtext(f".//{LOST}displayName")
    reference = tree.find(f".//{LOST}serviceBoundaryReference")
    assert reference.get("key") == who["grid"]["code"]
    assert tree.find(f"{LOST}locationUsed").get("id") == "a1"
    boundary = lost(web, asked("getServiceBoundary", more=f'key="{reference.get("key")}"'))
    corners = boundary.iterfind(".//{http://www.opengis.net/gml}pos")
    ring = [tuple(float(x) for x in corner.text.split())[::-1] for corner in corners]
    assert shapely.Polygon(ring).contains(shapely.Point(122.31, 43.575))


def test_lost_finds_by_a_civic_address(web: TestClient, city: Database) -> None:
    with city.session() as session:
        known = session.execute(
            text("SELECT components FROM address WHERE components ? 'road' ORDER BY id LIMIT 1")
        ).scalar_one()
    parts = (
        f"<c:A3>春水市</c:A3><c:RD>{known['road']}</c:RD><c:HNO>{known['door']}</c:HNO>"
        f"<c:LMK>{known['estate']}</c:LMK><c:BLD>{known['building']}号楼</c:BLD>"
    )
    tree = lost(web, find(CIVIC.format(parts=parts), profile="civic"))
    assert tree.find(f"{LOST}mapping") is not None
    less = f"<c:RD>{known['road']}</c:RD><c:HNO>{known['door']}</c:HNO>"
    assert error_of(lost(web, find(CIVIC.format(parts=less), profile="civic"))) == "notFound"


def error_of(tree: etree._Element) -> str:
    assert tree.tag == f"{LOST}errors"
    return tree[0].tag.removeprefix(LOST)


def test_lost_lists_its_services(web: TestClient) -> None:
    listed = lost(web, asked("listServices")).findtext(f"{LOST}serviceList").split()
    assert "urn:service:sos.police" in listed
    location = f'<location id="x" profile="geodetic-2d">{HERE}</location>'
    there = lost(web, asked("listServicesByLocation", location))
    assert set(there.findtext(f"{LOST}serviceList").split()) <= set(listed)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("", "badRequest"),
        ("<a/>", "badRequest"),
        ("<a", "badRequest"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "badRequest"),
        (asked("findServices"), "badRequest"),
        (find(HERE, service="urn:service:sos.fire"), "serviceNotImplemented"),
        (find(HERE, profile="holo-4d"), "locationProfileUnrecognized"),
        (find(HERE.replace("EPSG::4326", "EPSG::3857")), "locationInvalid"),
        (find(HERE.replace("43.575 122.31", "x y")), "locationInvalid"),
        (find(HERE.replace("43.575 122.31", "nan nan")), "locationInvalid"),
        (find(HERE.replace("43.575 122.31", "143 122")), "locationInvalid"),
        (find(HERE.replace("43.575 122.31", "1 1")), "notFound"),
        (find("", profile="civic"), "locationInvalid"),
        (asked("getServiceBoundary", more='key="x"'), "notFound"),
    ],
)
def test_lost_says_what_is_wrong_in_its_own_words(
    web: TestClient, message: str, error: str
) -> None:
    assert error_of(lost(web, message)) == error


def test_mapit_tells_the_areas_of_a_place(web: TestClient) -> None:
    answer = web.get("/point/4326/122.31,43.575")
    areas = answer.json()
    kinds = {one["type"]: one for one in areas.values()}
    assert {"GRD", "COM"} <= set(kinds)
    assert kinds["GRD"]["parent_area"] == kinds["COM"]["id"]
    assert all(int(key) == one["id"] for key, one in areas.items())
    again = web.get("/point/4326/122.31,43.575", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert web.get("/point/4326/1,1").json() == {}
    for path, status in (("3857/1,1", 400), ("4326/999,1", 422), ("4326/x,1", 422)):
        problem = web.get(f"/point/{path}")
        assert problem.status_code == status
        assert problem.headers["content-type"] == "application/problem+json"


@pytest.fixture(scope="module")
def served(city: Database, furnished: Furnished) -> Iterator[str]:
    server = Served(city, furnished.home, COUNTY)
    server.start()
    yield f"{server.base}/api/ogc"
    server.stop()


def test_gdal_reads_the_plan(served: str, city: Database, tmp_path: Path) -> None:
    # As a program of its own: this one has left itself no driver that asks other hosts.
    elsewhere = {name: value for name, value in os.environ.items() if name != "GDAL_SKIP"}
    copied = tmp_path / "grids.gpkg"
    code = (
        "import sys, pyogrio; grids = pyogrio.read_dataframe(sys.argv[1], layer='grids'); "
        "pyogrio.write_dataframe(grids, sys.argv[2])"
    )
    command = [sys.executable, "-c", code, f"OAPIF:{served}", str(copied)]
    subprocess.run(command, check=True, cwd=tmp_path, env=elsewhere)
    grids = pyogrio.read_dataframe(copied)
    with city.session() as session:
        held = dict(
            session.execute(
                text("SELECT code, ST_AsBinary(geom) FROM grid WHERE valid @> now()")
            ).all()
        )
    assert set(grids["code"]) == set(held)
    for code, shape in zip(grids["code"], grids.geometry, strict=True):
        ours = shapely.from_wkb(bytes(held[code]))
        assert shapely.hausdorff_distance(shape, ours) < 2e-7  # seven decimals are written
    if shutil.which("ogrinfo") is None:
        pytest.skip("ogrinfo is not installed (gdal-bin); pyogrio has read the plan")
    told = subprocess.run(
        ["ogrinfo", "-ro", "-so", f"OAPIF:{served}", "grids"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
        env=elsewhere,
    ).stdout
    assert f"Feature Count: {len(held)}" in told


def test_owslib_reads_the_plan(served: str) -> None:
    client = Features(served)
    assert client.feature_collections() == ["grids", "communities"]
    assert client.api()["openapi"].startswith("3.0")
    first = client.collection_items("grids", limit=10)
    assert first["numberReturned"] == 10
    second = client.collection_items("grids", limit=10, offset=10)
    assert not {one["id"] for one in first["features"]} & {one["id"] for one in second["features"]}
    code = first["features"][0]["id"]
    assert client.collection_item("grids", code)["properties"]["code"] == code
    west, south, east, north = shapely.from_geojson(json.dumps(first["features"][0])).bounds
    near = client.collection_items("grids", bbox=[west, south, east, north])
    assert code in {one["id"] for one in near["features"]}
    assert 0 < near["numberMatched"] < client.collection_items("grids")["numberMatched"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/collections/none", 404),
        ("/collections/grids/items/none", 404),
        ("/collections/grids/items?bbox=1,2,3", 400),
        ("/collections/grids/items?bbox=1,5,3,4", 400),
        ("/collections/grids/items?bbox=170,-80,-170,80", 200),
        ("/collections/grids/items?datetime=yesterday", 400),
        ("/collections/grids/items?datetime=2000-01-01T00:00:00Z", 200),
        ("/collections/grids/items?limit=0", 422),
        ("/collections/grids/items?limit=100000000", 200),
        ("/collections/grids/items?colour=red", 400),
        ("/collections/grids/items?f=html", 400),
        ("/collections/communities/items?kind=x", 200),
        ("/collections/grids/tiles/WebMercatorQuad/12/1494/3439", 200),
        ("/collections/grids/tiles/WebMercatorQuad/2/9/9", 404),
        ("/tileMatrixSets/WebMercatorQuad", 200),
    ],
)
def test_ogc_answers_and_refuses(web: TestClient, path: str, status: int) -> None:
    answer = web.get(f"/api/ogc{path}")
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
    elif "mapbox" not in answer.headers["content-type"]:
        again = web.get(f"/api/ogc{path}", headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
