"""Empty ground goes with the nearest settlement by walking."""

import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from grids.blocks import Blocks
from grids.borders import BorderLines, draw_borders
from grids.partition import partition
from grids.partition._settle import settlements

pytestmark = pytest.mark.unit

NONE: list[shapely.Geometry] = []


def squares(columns: int, rows: int) -> np.ndarray:
    return np.array(
        [shapely.box(100 * x, 100 * y, 100 * x + 100, 100 * y + 100)
         for x in range(columns) for y in range(rows)],
        dtype=object,
    )  # fmt: skip


@given(
    households=st.lists(st.integers(0, 3), min_size=30, max_size=30),
    community=st.lists(st.integers(0, 1), min_size=30, max_size=30),
    river=st.integers(0, 5),
)
def test_every_empty_block_goes_where_no_walk_is_shorter(households, community, river):
    shapes = squares(5, 6)
    shore = [shapely.LineString([(0, 100 * river), (300, 100 * river)])]
    borders = draw_borders(shapes, BorderLines(NONE, shore, NONE))
    size, town = np.array(households, float), np.array(community)
    middle = shapely.get_coordinates(shapely.centroid(shapes))
    home = settlements(size, town, np.full(30, -1), borders, middle)

    walks = nx.Graph()
    walks.add_nodes_from(range(30))
    for a, b, passable in zip(borders.left, borders.right, borders.passable, strict=True):
        if passable and town[a] == town[b]:
            walks.add_edge(int(a), int(b), step=float(np.hypot(*(middle[a] - middle[b]))))
    settled = [i for i in range(30) if size[i] > 0]
    shortest = (
        nx.multi_source_dijkstra_path_length(walks, settled, weight="step") if settled else {}
    )
    for group in range(home.max() + 1):
        mine = np.flatnonzero(home == group).tolist()
        lived = [i for i in mine if size[i] > 0]
        assert len(lived) <= 1
        assert nx.is_connected(walks.subgraph(mine))
        if lived:
            inside = nx.single_source_dijkstra_path_length(
                walks.subgraph(mine), lived[0], weight="step"
            )
            assert all(inside[i] == pytest.approx(shortest[i], abs=1e-5) for i in mine)
        else:
            assert len(mine) == 1
            assert mine[0] not in shortest


def test_a_field_goes_round_the_river_not_across_it():
    # Three fields between two villages; the river parts the first two from each other.
    shapes = squares(5, 1)
    households = np.array([50, 0, 0, 0, 50])
    river = [shapely.LineString([(200, -10), (200, 110)])]
    borders = draw_borders(shapes, BorderLines(NONE, river, NONE))
    blocks = Blocks.of(shapes, np.zeros(5, np.int64), households=households)
    found = partition(blocks, borders, np.array([False]))
    assert found.label[1] == found.label[0]
    assert found.label[2] == found.label[3] == found.label[4]
    assert found.label[0] != found.label[4]


def test_empty_ground_is_left_free_where_only_it_joins_what_fits_one_grid():
    # Two hamlets of half a grid each reach each other only over a field that is nearer to a
    # third village, which is a grid by itself.
    shapes = np.array(
        [
            shapely.box(0, 0, 100, 100),
            shapely.box(100, 0, 200, 100),
            shapely.box(200, 0, 300, 100),
            shapely.box(100, 100, 200, 140),
        ],
        dtype=object,
    )
    households = np.array([25, 0, 25, 50])
    blocks = Blocks.of(shapes, np.zeros(4, np.int64), households=households)
    found = partition(blocks, draw_borders(shapes), np.array([False]))
    assert found.label[0] == found.label[1] == found.label[2]
    assert found.label[3] != found.label[0]
