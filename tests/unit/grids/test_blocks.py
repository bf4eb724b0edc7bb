import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from grids.blocks import SLIVER_M2, draw_blocks
from grids.borders import BorderLines, draw_borders
from grids.counting import share_by_area
from grids.partition import partition
from tests.invariants import random_streets


@given(st.integers(0, 2**32 - 1), st.integers(0, 15))
def test_blocks_cover_their_communities_and_keep_every_household(seed: int, streets: int) -> None:
    rng = np.random.default_rng(seed)
    ground = [shapely.box(0, 0, 400, 300), shapely.box(400, 0, 700, 300)]
    homes = shapely.points(rng.uniform(-20, 720, 80), rng.uniform(-20, 320, 80))
    households = rng.integers(1, 30, 80)
    park = [shapely.box(100, 100, 200, 180)]
    blocks = draw_blocks(ground, random_streets(seed, streets), park, homes, households)
    assert shapely.coverage_is_valid(blocks.polygons)
    assert blocks.households.sum() == households.sum()
    for index, community in enumerate(ground):
        mine = shapely.union_all(blocks.polygons[blocks.community == index])
        assert shapely.area(shapely.symmetric_difference(mine, community)) < 1e-2 * community.length
    inside = shapely.within(shapely.point_on_surface(blocks.polygons), park[0])
    assert (inside == (blocks.zone == 0)).all()


def test_the_strip_of_a_dual_carriageway_is_no_block() -> None:
    ground = [shapely.box(0, 0, 300, 200)]
    lanes = [shapely.LineString([(-5, y), (305, y)]) for y in (100, 101)]
    homes = shapely.points([50.0, 50.0], [50.0, 150.0])
    blocks = draw_blocks(ground, lanes, [], homes, np.array([5, 5]))
    assert sorted(np.rint(shapely.area(blocks.polygons)).tolist()) == [29_700, 30_300]
    assert shapely.area(blocks.polygons).min() > SLIVER_M2


@given(st.integers(0, 2**32 - 1))
def test_sharing_units_by_area_keeps_their_sums(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-50, 350, (12, 2))
    units = shapely.box(corner[:, 0], corner[:, 1], corner[:, 0] + 60, corner[:, 1] + 40)
    blocks = [shapely.box(x, y, x + 100, y + 100) for x in (0, 100, 200) for y in (0, 100, 200)]
    households = rng.integers(0, 50, 12)
    assert share_by_area(units, households, blocks).sum() == households.sum()


RING = shapely.box(0, 0, 600, 600) - shapely.box(200, 200, 400, 400)
ISLANDS = shapely.MultiPolygon([shapely.box(700, 0, 900, 200), shapely.box(1000, 0, 1200, 200)])


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_rings_islands_and_holes_are_covered_to_a_square_centimetre(seed: int, count: int) -> None:
    # A ring around another community, a lake in a third, and a community of two islands.
    lake = shapely.box(250, 250, 300, 300)
    ground = np.array([RING, shapely.box(200, 200, 400, 400) - lake, ISLANDS], dtype=object)
    rng = np.random.default_rng(seed)
    ends = np.rint(rng.uniform(-10, 1210, (count, 2, 2)) * [1, 0.5])
    homes = shapely.points(rng.uniform(0, 600, (30, 2)))
    blocks = draw_blocks(ground, shapely.linestrings(ends), [], homes, np.full(30, 4))
    assert shapely.coverage_is_valid(blocks.polygons)
    assert blocks.households.sum() == 120
    for index, community in enumerate(ground):
        mine = blocks.polygons[blocks.community == index]
        # Streets cut edges at points of the lattice, at most half a centimetre beside them.
        assert abs(shapely.area(mine).sum() - community.area) < 0.005 * community.length
        uncut = draw_blocks(ground, [], [], homes, np.full(30, 4))
        whole = shapely.union_all(uncut.polygons[uncut.community == index])
        assert shapely.area(shapely.symmetric_difference(whole, community)) < 1e-4


def test_the_strip_of_a_wide_dual_carriageway_belongs_to_one_side() -> None:
    ground = [shapely.box(0, 0, 300, 200)]
    lanes = [shapely.LineString([(-5, y), (305, y)]) for y in (100, 120)]
    homes = shapely.points([50.0, 50.0], [50.0, 160.0])
    blocks = draw_blocks(ground, lanes, [], homes, np.array([50, 50]))
    borders = draw_borders(blocks.polygons, BorderLines(lanes, [], lanes))
    found = partition(blocks, borders, np.array([False]))
    strip = int(np.argmin(shapely.area(blocks.polygons)))
    sides = found.label[np.arange(3) != strip]
    assert len(blocks.polygons) == 3
    assert sides[0] != sides[1]
    assert found.label[strip] in sides
