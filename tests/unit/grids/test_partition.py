import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.coverage import adjacency, polygonize_region
from gis.errors import GeometryError
from grids.checks import check_plan
from grids.partition import partition
from tests.invariants import random_streets


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
    graph = adjacency(blocks)
    targets = np.array([target, target])
    found = partition(households, community, zone, graph, target=targets, seed=seed)
    assert check_plan(blocks, community, found.label) == []
    assert (found.community[found.label] == community).all()
    dedicated = found.zone[found.label] >= 0
    assert dedicated[zone >= 0].all(), "every zone has a dedicated grid"
    assert households[dedicated & (zone < 0)].sum() == 0, "which takes no dwelling around it"
    again = partition(households, community, zone, graph, target=targets, seed=seed)
    assert np.array_equal(found.label, again.label), "same input, same seed, same answer"


def test_an_even_lattice_is_cut_near_the_target() -> None:
    cells = [shapely.box(x, y, x + 1, y + 1) for x in range(20) for y in range(20)]
    households = np.full(400, 15)
    nowhere = np.full(400, -1)
    found = partition(
        households, np.zeros(400, int), nowhere, adjacency(cells), target=np.array([300]), seed=4
    )
    size = np.bincount(found.label, weights=households)
    assert len(size) == 20
    assert (np.abs(size - 300) <= 60).mean() >= 0.9


def test_a_negative_count_names_the_block() -> None:
    cells = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    with pytest.raises(GeometryError, match="block 1 has -3"):
        partition(
            np.array([1, -3]),
            np.zeros(2, int),
            np.full(2, -1),
            adjacency(cells),
            target=np.array([300]),
        )
