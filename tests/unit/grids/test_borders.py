import numpy as np
import shapely

from grids.blocks import Blocks
from grids.borders import BorderLines, draw_borders, with_ferries
from grids.checks import check_plan
from grids.partition import partition

# West bank, river, east bank; a lane ends at the river, a bridge may cross it.
BANKS = [shapely.box(0, 0, 100, 100), shapely.box(100, 0, 120, 100), shapely.box(120, 0, 220, 100)]
RIVER = shapely.boundary(BANKS[1])
BRIDGE = shapely.LineString([(50, 50), (170, 50)])


def test_a_river_is_crossed_only_by_a_bridge() -> None:
    dry = draw_borders(BANKS, BorderLines(streets=[], barriers=[RIVER], crossings=[]))
    assert dry.passable.tolist() == [False, False]
    assert dry.off_street_m.tolist() == [0, 0], "a bank is a boundary that people see"
    wet = draw_borders(BANKS, BorderLines(streets=[], barriers=[RIVER], crossings=[BRIDGE]))
    assert wet.passable.tolist() == [True, True]


def test_a_border_along_no_street_is_off_street() -> None:
    street = shapely.LineString([(100, -10), (100, 110)])
    borders = draw_borders(BANKS, BorderLines(streets=[street], barriers=[], crossings=[]))
    assert borders.length_m.tolist() == [100, 100]
    assert borders.off_street_m.tolist() == [0, 100]
    assert borders.off_street_of(np.array([0, 1, 2])).tolist() == [0, 100, 100]


def test_grids_keep_to_their_bank_without_a_bridge() -> None:
    cells = [shapely.box(x, y, x + 1, y + 1) for x in range(6) for y in range(2)]
    blocks = Blocks.of(cells, np.zeros(12, int), households=np.full(12, 100))
    bank = shapely.LineString([(3, -1), (3, 3)])
    borders = draw_borders(cells, BorderLines(streets=[], barriers=[bank], crossings=[]))
    found = partition(blocks, borders, np.array([True]))
    west = np.array([cell.centroid.x < 3 for cell in cells])
    assert set(found.label[west]).isdisjoint(found.label[~west])


def test_an_empty_islet_goes_with_the_nearest_shore_and_an_inhabited_one_alone() -> None:
    ground = [
        shapely.box(0, 0, 1, 1),
        shapely.box(1, 0, 2, 1),
        shapely.box(5, 0, 6, 1),
        shapely.box(9, 0, 10, 1),
        shapely.box(11, 0, 12, 1),
    ]
    households, town = np.array([300, 300, 0, 0, 60]), np.zeros(5, int)
    blocks = Blocks.of(ground, town, households=households)
    found = partition(blocks, draw_borders(ground), np.array([True]))
    label = found.label.tolist()
    assert label[2] == label[1]
    assert label[3] == label[4]
    assert len(set(label)) == 3
    assert check_plan(ground, town, found.label, households) == []
    assert {fault.rule for fault in check_plan(ground, town, found.label)} == {"contiguous"}
    joined = with_ferries(draw_borders(ground), blocks.polygons, town, households)
    assert joined.length_m.tolist() == [1.0, 0.0, 0.0]
