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
