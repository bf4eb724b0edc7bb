import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import GeometryError
from gis.locator import Locator
from tests.invariants import random_coverage_wgs84


@given(st.integers(0, 2**32 - 1))
def test_locator_agrees_with_covers_on_every_kind_of_point(seed: int) -> None:
    pieces = random_coverage_wgs84(seed)
    rng = np.random.default_rng(seed)
    codes = [f"{number:03d}" for number in rng.permutation(len(pieces))]
    west, south, east, north = shapely.total_bounds(pieces)
    corners = shapely.get_coordinates(pieces)
    random = np.column_stack([rng.uniform(west, east, 50), rng.uniform(south, north, 50)])
    points = np.vstack([corners, (corners[1:] + corners[:-1]) / 2, random])
    found = Locator(pieces, codes).locate(points[:, 0], points[:, 1])
    for row, point in enumerate(shapely.points(points)):
        covering = [i for i, piece in enumerate(pieces) if shapely.covers(piece, point)]
        assert found.count[row] == len(covering)
        expected = min(covering, key=lambda i: codes[i]) if covering else -1
        assert found.area[row] == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_point_without_finite_coordinates_is_named(bad: float) -> None:
    with pytest.raises(GeometryError, match="point 1"):
        Locator([shapely.box(0, 0, 1, 1)], ["a"]).locate([0.5, bad], [0.5, 0.5])


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(GeometryError, match="1 polygons but 2 codes"):
        Locator([shapely.box(0, 0, 1, 1)], ["a", "b"])


def test_no_area_at_all_answers_nowhere() -> None:
    assert Locator([], []).locate([1.0], [1.0]).area.tolist() == [-1]
