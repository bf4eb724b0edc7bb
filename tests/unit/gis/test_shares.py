import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.crs import LocalProjection
from gis.errors import GeometryError
from gis.shares import Shares
from tests.invariants import random_coverage_wgs84


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 400))
def test_shares_of_an_uncertain_place_are_those_of_sampled_ones(seed: int, radius: float) -> None:
    pieces = random_coverage_wgs84(seed)
    rng = np.random.default_rng(seed)
    west, south, east, north = shapely.total_bounds(pieces)
    lon, lat = rng.uniform(west, east), rng.uniform(south, north)
    found = Shares(pieces, [f"{i:03d}" for i in range(len(pieces))]).of_place(lon, lat, radius)
    local = LocalProjection.around(pieces)
    x, y = local.xy(lon, lat)
    angle, far = rng.uniform(0, 2 * np.pi, 4000), radius * np.sqrt(rng.random(4000))
    samples = shapely.points(x + far * np.cos(angle), y + far * np.sin(angle))
    inside = shapely.covers(local.forward(pieces)[:, None], samples).mean(axis=1)
    shares = np.zeros(len(pieces))
    shares[[one.area for one in found]] = [one.share for one in found]
    assert np.abs(shares - inside).max() < 0.05
    assert shares.sum() <= 1 + 1e-9
    for one in found:
        assert one.distance_m <= radius
        assert one.edge_m >= one.distance_m
    assert [one.share for one in found] == sorted((one.share for one in found), reverse=True)


SQUARES = shapely.box([120.0, 120.01], 24.0, [120.01, 120.02], 24.01)


def test_a_line_and_a_polygon_are_shared_out() -> None:
    shares = Shares(SQUARES, ["b", "a"])
    line = shapely.LineString([(120.005, 24.005), (120.02, 24.005)])
    assert [(one.area, round(one.share, 3)) for one in shares.of_shape(line)] == [
        (1, 0.667),
        (0, 0.333),
    ]
    half_out = shapely.box(119.99, 24.0, 120.01, 24.01)
    assert [(one.area, round(one.share, 3)) for one in shares.of_shape(half_out)] == [(0, 0.5)]


def test_what_lies_on_a_shared_edge_counts_for_both_smallest_code_first() -> None:
    shares = Shares(SQUARES, ["b", "a"])
    edge = shapely.LineString([(120.01, 24.002), (120.01, 24.008)])
    assert [(one.area, round(one.share)) for one in shares.of_shape(edge)] == [(1, 1), (0, 1)]
    assert [one.area for one in shares.of_place(120.01, 24.005, 0.0)] == [1, 0]


def test_a_place_well_inside_is_of_one_area_and_says_how_far_the_edge_is() -> None:
    (only,) = Shares(SQUARES, ["a", "b"]).of_place(120.005, 24.005, 100.0)
    assert (only.area, round(only.share, 9), only.distance_m) == (0, 1.0, 0.0)
    assert only.edge_m == pytest.approx(509, abs=2)


def test_nowhere_and_nonsense() -> None:
    shares = Shares(SQUARES, ["a", "b"])
    assert shares.of_place(121.0, 24.0, 50.0) == []
    assert Shares([], []).of_place(121.0, 24.0, 50.0) == []
    for lon, radius in ((np.nan, 1.0), (120.0, -1.0), (120.0, np.inf)):
        with pytest.raises(GeometryError, match="no place within"):
            shares.of_place(lon, 24.0, radius)
    with pytest.raises(GeometryError, match="Self-intersection"):
        shares.of_shape(shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]))
    with pytest.raises(GeometryError, match="1 polygons but 2 codes"):
        Shares(SQUARES[:1], ["a", "b"])
