import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.coverage import adjacency, check_coverage, dissolve, polygonize_region
from gis.errors import GeometryError
from tests.invariants import random_streets


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_pieces_cover_exactly_their_regions(seed: int, streets: int) -> None:
    regions = [shapely.box(0, 0, 400, 300), shapely.box(400, 0, 700, 300)]
    pieces, region = polygonize_region(regions, random_streets(seed, streets))
    assert shapely.coverage_is_valid(pieces)
    for index, ground in enumerate(regions):
        mine = shapely.union_all(pieces[region == index])
        # A 1 cm lattice moves a border by half a centimetre at the most.
        assert shapely.area(shapely.symmetric_difference(mine, ground)) < 0.01 * ground.length


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_adjacency_agrees_with_shared_boundaries(seed: int, streets: int) -> None:
    pieces, _ = polygonize_region([shapely.box(0, 0, 300, 300)], random_streets(seed, streets))
    graph = adjacency(pieces)
    found = {
        (a, b): length
        for a, b, length in zip(
            graph.left.tolist(), graph.right.tolist(), graph.length_m.tolist(), strict=True
        )
    }
    for a in range(len(pieces)):
        for b in range(a + 1, len(pieces)):
            shared = shapely.intersection(shapely.boundary(pieces[a]), shapely.boundary(pieces[b]))
            assert found.get((a, b), 0.0) == pytest.approx(shared.length, abs=1e-6)


def test_dissolving_a_coverage_leaves_a_coverage() -> None:
    pieces, _ = polygonize_region([shapely.box(0, 0, 300, 300)], random_streets(7, 9))
    label = np.arange(len(pieces), dtype=np.int64) // 3
    joined = dissolve(pieces, label)
    assert shapely.area(joined).sum() == pytest.approx(90_000, rel=1e-9)
    assert shapely.coverage_is_valid(joined)


def test_touching_at_a_point_is_not_adjacency() -> None:
    corners = [shapely.box(0, 0, 1, 1), shapely.box(1, 1, 2, 2)]
    assert adjacency(corners).left.size == 0


def test_faults_name_the_pieces_that_overlap() -> None:
    row = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(1.5, 0, 3, 1)]
    assert {fault.piece for fault in check_coverage(row)} == {1, 2}


def test_a_region_that_snapping_swallows_is_named() -> None:
    speck = shapely.box(10, 0, 10.001, 0.001)
    with pytest.raises(GeometryError, match="region 1"):
        polygonize_region([shapely.box(0, 0, 5, 5), speck], [])


def test_no_bridge_between_pieces_is_lost_on_a_long_chain() -> None:
    cells = [shapely.box(i, 0, i + 1, 1) for i in range(200)]
    graph = adjacency(cells)
    chain = nx.Graph(zip(graph.left.tolist(), graph.right.tolist(), strict=True))
    assert nx.is_connected(chain)
    assert chain.number_of_edges() == 199
