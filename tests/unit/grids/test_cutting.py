from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.coverage import polygonize_region
from grids.blocks import draw_blocks
from grids.cutting import cuts_between, group_plots, paths_inside
from grids.kernels import bisect
from grids.micro import micro_grids
from grids.rules import Rules, SizeRange

ESTATE = shapely.box(0, 0, 300, 200)


def houses(columns: int, rows: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(columns) * 40 + 10.0, np.arange(rows) * 40 + 10.0)
    return shapely.box(x.ravel(), y.ravel(), x.ravel() + 25, y.ravel() + 12)


def test_workers_cut_the_same_blocks_as_one_process() -> None:
    homes, atoms = houses(7, 4), [Rules().atom_of(urban=True)]
    households = np.random.default_rng(5).integers(10, 60, len(homes))
    alone = draw_blocks([ESTATE], [], [], homes, households, atoms=atoms)
    with ThreadPoolExecutor(2) as pool:
        shared = draw_blocks([ESTATE], [], [], homes, households, atoms=atoms, executor=pool)
    assert shapely.equals_exact(alone.polygons, shared.polygons).all()
    assert (alone.households == shared.households).all()


@given(st.integers(0, 2**20))
def test_a_crowded_block_is_cut_between_its_buildings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    homes = houses(7, 4)
    households = rng.integers(10, 60, len(homes))
    atoms = [Rules().atom_of(urban=True)]
    blocks = draw_blocks([ESTATE], [], [], homes, households, atoms=atoms)
    assert shapely.coverage_is_valid(blocks.polygons)
    assert blocks.households.sum() == households.sum()
    assert blocks.households.max() <= max(150, households.max())
    cut, _ = shapely.STRtree(blocks.polygons).query(homes, "intersects")
    # A straightened cut may touch a corner, never run through a house.
    shared = shapely.area(shapely.intersection(homes[cut], blocks.polygons[_]))
    largest = np.zeros(len(homes))
    np.maximum.at(largest, cut, shared)
    assert (largest > 0.8 * shapely.area(homes)).all()


def test_a_single_crowded_building_stays_whole() -> None:
    tower = np.array([shapely.box(100, 80, 140, 120)])
    size = SizeRange(40.0, 24.0, 150.0)
    assert len(cuts_between(ESTATE, tower, np.array([900]), size, 0)) == 0


def test_houses_wall_to_wall_are_told_apart() -> None:
    row = shapely.box(np.arange(10) * 20.0 + 20, 80, np.arange(10) * 20.0 + 40, 95)
    lines = cuts_between(ESTATE, row, np.full(10, 40), SizeRange(40.0, 24.0, 150.0), 0)
    pieces, _ = polygonize_region([ESTATE], lines)
    assert len(pieces) == 10


def test_inner_paths_are_taken_first() -> None:
    homes = houses(7, 4)
    path = [shapely.LineString([(0, 88), (300, 88)])]
    assert paths_inside(np.array([ESTATE]), path)[0].length == 300
    blocks = draw_blocks(
        [ESTATE],
        [],
        [],
        homes,
        np.full(28, 10),
        paths=path,
        atoms=[SizeRange(40.0, 24.0, 150.0)],
    )
    assert sorted(np.rint(shapely.area(blocks.polygons)).tolist()) == [26_400, 33_600]


def test_a_block_that_is_not_crowded_stays_as_it_is() -> None:
    atoms = [Rules().atom_of(urban=True)]
    blocks = draw_blocks([ESTATE], [], [], houses(7, 4), np.full(28, 5), atoms=atoms)
    assert len(blocks.polygons) == 1


@given(st.integers(0, 2**20))
def test_micro_grids_cover_their_grid_by_whole_buildings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    homes = houses(7, 4)
    households = rng.integers(5, 25, len(homes))
    found = micro_grids(ESTATE, homes, households, seed=seed)
    assert shapely.coverage_is_valid(found.polygons)
    assert abs(shapely.area(found.polygons).sum() - ESTATE.area) < 1
    assert (shapely.get_num_geometries(found.polygons) == 1).all()
    assert found.households.sum() == households.sum()
    sums = np.bincount(found.building, weights=households, minlength=len(found.polygons))
    assert np.array_equal(sums, found.households)
    assert ((found.households >= 30) & (found.households <= 50)).mean() > 0.9


def test_a_tower_is_left_to_its_units_and_floors() -> None:
    found = micro_grids(ESTATE, houses(2, 1), np.array([200, 35]))
    assert found.indivisible.tolist() == [0]
    assert found.households.sum() == 235


def test_a_plot_that_hangs_by_a_corner_goes_with_the_nearest() -> None:
    row = shapely.box(np.arange(6.0) * 10, 0, np.arange(6.0) * 10 + 10, 10)
    sliver = shapely.Polygon([(60, 10), (61, 20), (60.5, 20)])
    plots = np.append(row, sliver)
    households = np.array([5, 5, 5, 5, 5, 5, 0])
    label = group_plots(plots, households, SizeRange(10.0, 6.0, 25.0), 3, 0)
    assert label[6] == label[5]
    assert sorted(np.bincount(label, weights=households).tolist()) == [10, 10, 10]


def test_bisecting_what_does_not_hang_together_is_refused() -> None:
    start, near = np.array([0, 1, 2, 2]), np.array([1, 0])
    joins, weight = np.ones(2, bool), np.ones(3)
    with pytest.raises(ValueError, match="not connected"):
        bisect(start, near, joins, weight, 2, 4, 0)
