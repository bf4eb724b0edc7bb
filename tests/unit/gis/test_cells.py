import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.cells import cells_of_points, cover_polygons
from tests.invariants import random_coverage_wgs84

RESOLUTION = 10


@given(st.integers(0, 2**32 - 1))
def test_every_covered_point_has_its_cell_in_the_index(seed: int) -> None:
    pieces = random_coverage_wgs84(seed)
    index = cover_polygons(pieces, RESOLUTION)
    held = set(zip(index.cell.tolist(), index.area.tolist(), strict=True))
    for area, piece in enumerate(pieces):
        corners = shapely.get_coordinates(piece)
        middle = (corners[1:] + corners[:-1]) / 2
        points = np.vstack([corners, middle, *piece.representative_point().coords])
        covered = points[shapely.covers(piece, shapely.points(points))]
        cells = cells_of_points(covered[:, 0], covered[:, 1], RESOLUTION)
        assert {(cell, area) for cell in cells.tolist()} <= held


@given(st.integers(0, 2**32 - 1))
def test_a_whole_cell_decides_alone(seed: int) -> None:
    pieces = random_coverage_wgs84(seed)
    index = cover_polygons(pieces, RESOLUTION)
    whole = dict(zip(index.cell[index.whole].tolist(), index.area[index.whole], strict=True))
    rng = np.random.default_rng(seed)
    west, south, east, north = shapely.total_bounds(pieces)
    lon, lat = rng.uniform(west, east, 300), rng.uniform(south, north, 300)
    cells = cells_of_points(lon, lat, RESOLUTION).tolist()
    for point, cell in zip(shapely.points(lon, lat), cells, strict=True):
        if cell in whole:
            assert shapely.covers(pieces[whole[cell]], point)


def test_cells_fit_a_bigint_and_come_sorted() -> None:
    index = cover_polygons(random_coverage_wgs84(3), RESOLUTION)
    assert index.cell.dtype == np.int64
    assert (index.cell > 0).all()
    order = np.lexsort((index.cell, index.area))
    assert (order == np.arange(len(order))).all()
