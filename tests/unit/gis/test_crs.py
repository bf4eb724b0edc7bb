import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.crs import LocalProjection, SourceCrs, parse_crs, to_wgs84
from gis.errors import CrsError


@pytest.mark.parametrize("text", [None, "", "  "])
def test_an_unstated_crs_is_an_error(text: str | None) -> None:
    with pytest.raises(CrsError, match="not stated"):
        parse_crs(text)


@pytest.mark.parametrize("text", ["EPSG:999999", "mars", "GCJ"])
def test_an_unknown_crs_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(CrsError, match=text):
        parse_crs(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [("4490", "EPSG:4490"), ("epsg:4528", "EPSG:4528"), ("bd09", "BD-09"), ("gcj-02", "GCJ-02")],
)
def test_known_names_are_read(text: str, name: str) -> None:
    assert parse_crs(text) == SourceCrs(name)


@pytest.mark.parametrize("zone", range(4513, 4534))
def test_gauss_kruger_zones_go_to_their_central_meridian(zone: int) -> None:
    number = zone - 4513 + 25
    lon, _ = to_wgs84([number * 1_000_000 + 500_000.0], [4_800_000.0], SourceCrs(f"EPSG:{zone}"))
    assert lon[0] == pytest.approx(number * 3, abs=1e-6)


def test_cgcs2000_keeps_lon_lat_order_whatever_the_authority_says() -> None:
    lon, lat = to_wgs84([122.26], [43.61], parse_crs("EPSG:4490"))
    assert (lon[0], lat[0]) == pytest.approx((122.26, 43.61), abs=1e-6)


@given(st.floats(-179, 179), st.floats(-70, 70), st.floats(0.001, 0.2), st.floats(0, 360))
def test_local_metres_agree_with_the_geodesic(
    lon: float, lat: float, reach_deg: float, azimuth: float
) -> None:
    away = np.array([np.cos(np.radians(azimuth)), np.sin(np.radians(azimuth))]) * reach_deg
    ends = [(lon, lat), (lon + away[0], lat + away[1])]
    local = LocalProjection(round(lon, 3), round(lat, 3))
    line = local.forward(np.array([shapely.LineString(ends)]))[0]
    (x1, y1), (x2, y2) = ends
    _, _, true_m = pyproj.Geod(ellps="WGS84").inv(x1, y1, x2, y2)
    assert line.length == pytest.approx(true_m, rel=2e-4)


def test_projecting_and_unprojecting_returns_the_place() -> None:
    local = LocalProjection(118.78, 32.04)
    square = np.array([shapely.box(118.7, 32.0, 118.8, 32.1)])
    back = local.inverse(local.forward(square))
    assert shapely.equals_exact(back[0], square[0], tolerance=1e-11)


CUSTOM = (
    'PROJCS["local",GEOGCS["g",DATUM["d",SPHEROID["s",6378245,298.3]{datum}],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",117.3],'
    'PARAMETER["scale_factor",1],PARAMETER["false_easting",500000],'
    'PARAMETER["false_northing",0],UNIT["metre",1]{more}]'
)
TMERC = (
    "+proj=tmerc +lat_0=0 +lon_0=117.3 +k=1 +x_0=500000 +y_0=0 +ellps=krass "
    "+towgs84=15,-154,-82,0,0,0,0 +units=m +no_defs"
)
GRIDS = "+proj=longlat +nadgrids=/dev/ptmx +ellps=krass +type=crs"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("urn:ogc:def:crs:EPSG::4490", "EPSG:4490"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84"),
        ("http://www.opengis.net/def/crs/EPSG/0/4528", "EPSG:4528"),
        ("WGS 84", "EPSG:4326"),
        ("CGCS2000", "EPSG:4490"),
        (pyproj.CRS(4528).to_wkt("WKT1_ESRI"), "EPSG:4528"),
        (pyproj.CRS(3857).to_wkt("WKT1_GDAL"), "EPSG:3857"),
        (pyproj.CRS(4490).to_wkt(), "EPSG:4490"),
        (pyproj.CRS(4528).to_json(), "EPSG:4528"),
    ],
)
def test_standard_spellings_are_read(text: str, name: str) -> None:
    assert parse_crs(text) == SourceCrs(name)


@pytest.mark.parametrize(
    "text",
    [
        CUSTOM.format(datum="", more=""),
        CUSTOM.format(datum=",TOWGS84[15,-154,-82,0,0,0,0]", more=""),
        TMERC,
    ],
)
def test_a_system_of_ones_own_is_read_twice_alike(text: str) -> None:
    once = parse_crs(text)
    twice = parse_crs(once.name)
    place = [500_000.0], [3_300_000.0]
    assert to_wgs84(*place, once)[0] == pytest.approx([117.3], abs=1e-3)
    assert to_wgs84(*place, once) == to_wgs84(*place, twice)


@pytest.mark.parametrize("text", ["EPSG:5773", "EPSG:4978", "IAU_2015:30100", "EPSG:4326+5773"])
def test_what_gives_no_places_is_refused(text: str) -> None:
    with pytest.raises(CrsError, match="give EPSG:n"):
        parse_crs(text)


def test_no_file_is_opened_whatever_a_system_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(*_: object, **__: object) -> None:
        raise AssertionError("PROJ follows what a transformer is made of")

    monkeypatch.setattr(pyproj.Transformer, "from_crs", made)
    for text in (
        "+init=/dev/ptmx:k",
        "init=/dev/ptmx:k",
        GRIDS,
        "+proj=pipeline +step +proj=axisswap",
        "+proj=longlat +geoidgrids=/dev/ptmx",
        CUSTOM.format(datum=',EXTENSION["PROJ4_GRIDS","/dev/ptmx"]', more=""),
        CUSTOM.format(datum="", more=f',EXTENSION["PROJ4","{GRIDS}"]'),
        pyproj.CRS.from_proj4(GRIDS).to_wkt(),
        pyproj.CRS.from_proj4(GRIDS).to_json(),
        "GEOGCS[" * 3000,
        "9" * 5000,
        '{"a":' * 1900,
        "{}",
        "/dev/ptmx",
    ):
        with pytest.raises(CrsError):
            parse_crs(text)


def test_a_place_that_a_system_does_not_reach_is_an_error() -> None:
    with pytest.raises(CrsError, match="no way leads"):
        to_wgs84([0.0], [0.0], SourceCrs("IAU_2015:30100"))
