import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import GeometryError
from gis.slicing import slice_coverage, stitch
from tests.invariants import random_coverage_wgs84

coordinates = st.floats(-0.001, 0.008).map(lambda v: round(v, 7))
points = st.tuples(coordinates, coordinates)


def whole(polygons, done) -> np.ndarray:
    """The coverage after the slicing."""
    parts = []
    for i, polygon in enumerate(polygons):
        parts += list(done.pieces.get(i, [done.refined.get(i, polygon)]))
    return np.array(parts, dtype=object)


def assert_sliced(polygons, done) -> None:
    after = whole(polygons, done)
    assert shapely.coverage_is_valid(after)
    assert shapely.is_valid(after).all()
    assert shapely.area(after).sum() == pytest.approx(shapely.area(polygons).sum(), rel=1e-9)
    for position, pieces in done.pieces.items():
        union = shapely.union_all(pieces)
        assert shapely.area(shapely.symmetric_difference(union, polygons[position])) < 1e-14


@given(st.integers(0, 30), st.lists(points, min_size=2, max_size=6))
def test_a_sliced_coverage_is_a_coverage_of_the_same_ground(seed: int, drawn: list) -> None:
    polygons = random_coverage_wgs84(seed)
    west, south, *_ = shapely.total_bounds(polygons)
    line = shapely.LineString([(west + x, south + y) for x, y in drawn])
    if not line.is_simple or line.length == 0:
        return
    assert_sliced(polygons, slice_coverage(polygons, line))


@given(st.integers(0, 30), st.data())
def test_a_line_from_corner_to_corner_needs_no_new_point(seed: int, data: st.DataObject) -> None:
    polygons = random_coverage_wgs84(seed)
    position = data.draw(st.integers(0, len(polygons) - 1))
    corners = shapely.get_coordinates(polygons[position])[:-1]
    i, j = data.draw(st.lists(st.integers(0, len(corners) - 1), min_size=2, max_size=2))
    if (corners[i] == corners[j]).all():
        return
    chosen = np.arange(len(polygons)) == position
    done = slice_coverage(polygons, shapely.LineString(corners[[i, j]]), chosen)
    assert set(done.pieces) <= {position}
    assert_sliced(polygons, done)


def test_a_line_along_an_edge_slices_nothing() -> None:
    row = [shapely.box(0, 0, 2, 2), shapely.box(2, 0, 4, 2)]
    for line in ([(2, 0), (2, 2)], [(2, -1), (2, 3)], [(2, 0.5), (2, 1.5)]):
        assert slice_coverage(row, shapely.LineString(line)).pieces == {}


def test_a_line_that_ends_inside_slices_nothing() -> None:
    row = [shapely.box(0, 0, 2, 2), shapely.box(2, 0, 4, 2)]
    done = slice_coverage(row, shapely.LineString([(-1, 1), (1, 1)]))
    assert (done.pieces, done.refined, done.nodes) == ({}, {}, {})


def test_neighbours_gain_the_point_where_they_are_met() -> None:
    row = [shapely.box(0, 0, 2, 2), shapely.box(2, 0, 4, 2)]
    line = shapely.LineString([(-1, 1), (2, 1), (3, 1.5)])
    done = slice_coverage(row, line, np.array([True, False]))
    assert list(done.pieces) == [0]
    assert list(done.refined) == [1]
    assert [2.0, 1.0] in shapely.get_coordinates(done.refined[1]).tolist()
    assert_sliced(np.array(row, dtype=object), done)


def test_slivers_stay_with_their_neighbour() -> None:
    square = np.array([shapely.box(0, 0, 10, 10)], dtype=object)
    line = shapely.LineString([(0.1, -1), (0.1, 11)])
    done = slice_coverage(square, line, None, lambda pieces: shapely.area(pieces) < 5)
    assert done.pieces == {}
    line = shapely.LineString([(5, -1), (5, 11)])
    done = slice_coverage(square, line, None, lambda pieces: shapely.area(pieces) < 5)
    assert [p.area for p in done.pieces[0]] == [50, 50]


def test_a_polygon_with_a_hole_is_sliced_through_it() -> None:
    ring = shapely.box(0, 0, 10, 10).difference(shapely.box(4, 4, 6, 6))
    polygons = np.array([ring, shapely.box(4, 4, 6, 6)], dtype=object)
    done = slice_coverage(polygons, shapely.LineString([(5, -1), (5, 11)]))
    assert {k: len(v) for k, v in done.pieces.items()} == {0: 2, 1: 2}
    assert_sliced(polygons, done)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (shapely.LineString([(0, 0), (2, 2), (2, 0), (0, 2)]), "crosses itself"),
        (shapely.LineString(), "two points"),
        (shapely.Point(1, 1), "two points"),
        (shapely.LineString([(0, 0), (np.inf, 2)]), "no number"),
        (shapely.LineString([(i, i % 2) for i in range(3000)]), "more than"),
    ],
)
def test_an_unfit_line_is_refused(line, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        slice_coverage([shapely.box(0, 0, 2, 2)], line)


def test_stitching_reaches_holes_and_all_parts() -> None:
    ring = shapely.box(0, 0, 10, 10).difference(shapely.box(4, 4, 6, 6))
    both = shapely.MultiPolygon([ring, shapely.box(20, 0, 30, 10)])
    points = np.array([[4.0, 5.0], [20.0, 5.0], [10.0, 10.0], [15.0, 5.0]])
    done = stitch([both], points)[0]
    assert done.geom_type == "MultiPolygon"
    assert shapely.get_num_coordinates(done) == shapely.get_num_coordinates(both) + 2
