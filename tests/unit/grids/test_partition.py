import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.coverage import polygonize_region
from gis.errors import GeometryError
from grids.blocks import Blocks
from grids.borders import draw_borders
from grids.checks import check_plan
from grids.partition import Rules, SizeRange, partition
from grids.partition._solve import Effort
from tests.invariants import random_streets

QUICK = Effort(steps=50, starts=1)


@given(
    seed=st.integers(0, 2**32 - 1),
    streets=st.integers(0, 25),
    crowd=st.sampled_from([0, 3, 40, 5000]),
    target=st.integers(10, 400),
    zoned=st.booleans(),
)
def test_hard_rules_hold_whatever_the_ground(
    seed: int, streets: int, crowd: int, target: int, zoned: bool
) -> None:
    rng = np.random.default_rng(seed)
    ground = [shapely.box(0, 0, 400, 300), shapely.box(400, 0, 700, 300)]
    blocks, community = polygonize_region(ground, random_streets(seed, streets))
    households = rng.integers(0, crowd + 1, len(blocks))
    households[rng.random(len(blocks)) < 0.3] = 0
    zone = np.where(rng.random(len(blocks)) < 0.15, 0, -1) if zoned else np.full(len(blocks), -1)
    atoms = Blocks.of(blocks, community, zone=zone, households=households)
    borders, rules = draw_borders(blocks), Rules(urban=SizeRange.around(float(target)))
    urban = np.array([True, True])
    found = partition(atoms, borders, urban, rules, seed=seed, effort=QUICK)
    assert check_plan(blocks, community, found.label) == []
    assert (found.community[found.label] == community).all()
    dedicated = found.zone[found.label] >= 0
    assert dedicated[zone >= 0].all(), "every zone has a dedicated grid"
    assert households[dedicated & (zone < 0)].sum() == 0, "which takes no dwelling around it"
    again = partition(atoms, borders, urban, rules, seed=seed, effort=QUICK)
    assert np.array_equal(found.label, again.label), "same input, same seed, same answer"


def test_an_even_lattice_is_cut_near_the_target() -> None:
    cells = [shapely.box(x, y, x + 1, y + 1) for x in range(20) for y in range(20)]
    households = np.full(400, 15)
    found = partition(
        Blocks.of(cells, np.zeros(400, int), households=households),
        draw_borders(cells),
        np.array([True]),
        seed=4,
    )
    size = np.bincount(found.label, weights=households)
    assert len(size) == 20
    assert (np.abs(size - 300) <= 30).all()


def cells_of(households: list[float]) -> Blocks:
    row = [shapely.box(x, 0, x + 1, 1) for x in range(len(households))]
    return Blocks.of(row, np.zeros(len(row), int), households=np.array(households))


@pytest.mark.parametrize(
    ("households", "message"),
    [([1, -3], "block 1 has -3"), ([np.nan, 2], "block 0 has nan")],
)
def test_a_count_that_cannot_be_names_the_block(households: list[float], message: str) -> None:
    blocks = cells_of(households)
    with pytest.raises(GeometryError, match=message):
        partition(blocks, draw_borders(blocks.polygons), np.array([True]))


def test_an_unknown_community_names_the_block() -> None:
    blocks = Blocks.of([shapely.box(0, 0, 1, 1)], np.array([3]), households=np.array([1]))
    with pytest.raises(GeometryError, match="block 0 is of community 3"):
        partition(blocks, draw_borders(blocks.polygons), np.array([True]))


def test_overlapping_blocks_name_the_block() -> None:
    row = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(1.5, 0, 3, 1)]
    blocks = Blocks.of(row, np.zeros(3, int), households=np.array([1, 1, 1]))
    with pytest.raises(GeometryError, match="block 1 overlaps"):
        partition(blocks, draw_borders(row), np.array([True]))
