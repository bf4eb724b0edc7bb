from datetime import UTC, datetime

import numpy as np
import shapely

from data.roads import HeldClosure, HeldSpeed
from routing.assembly import assemble
from routing.blocking import effective_ms
from routing.hierarchy import INFINITE
from routing.network import MODES
from tests.roads import lonlat, roads_of

STREET = roads_of(
    [(0, 0), (100, 0), (200, 0), (100, 100)], [(0, 1, False), (1, 2, True), (1, 3, False)]
)


def closure(geom: object, *, one_way: bool = False, modes: tuple[str, ...] = MODES) -> HeldClosure:
    return HeldClosure(1, geom, one_way, modes, datetime.now(UTC), None, "flood")


def network():
    return assemble(STREET, whole=True)


def test_an_area_closes_all_roads_that_cross_it() -> None:
    net = network()
    area = shapely.Polygon([lonlat(x, y) for x, y in ((40, -10), (60, -10), (60, 10), (40, 10))])
    closed = effective_ms(net, [closure(area)], []) >= INFINITE
    assert closed[:, :2].all()
    assert (closed[:, 2:] == (net.time_ms[:, 2:] >= INFINITE)).all()


def test_a_line_closes_the_roads_along_it_in_one_direction_or_both() -> None:
    net = network()
    forward = closure(net.lines[0], one_way=True, modes=("car",))
    ms = effective_ms(net, [forward], [])
    assert ms[0, 0] >= INFINITE
    assert (ms[0, 1], ms[1, 0]) == (net.time_ms[0, 1], net.time_ms[1, 0])
    back = closure(shapely.reverse(net.lines[0]), one_way=True)
    assert (effective_ms(net, [back], [])[:, :2] >= INFINITE).tolist() == [[False, True]] * 3
    both = effective_ms(net, [closure(net.lines[0])], [])
    assert (both[:, :2] >= INFINITE).all()
    assert (both[:, 4:] == net.time_ms[:, 4:]).all()


def test_a_line_closes_all_pieces_of_its_street_and_no_crossing() -> None:
    net = network()
    line = shapely.LineString([lonlat(0, 0), lonlat(200, 0)])
    closed = effective_ms(net, [closure(line)], []) >= INFINITE
    assert closed[:, :4].all()
    assert not closed[:, 4:].any()


def test_speeds_change_what_a_mode_may_use_and_nothing_else() -> None:
    net = network()
    speeds = [
        HeldSpeed(1000, False, "car", 18.0),
        HeldSpeed(1001, True, "car", 18.0),
        HeldSpeed(77, False, "car", 5.0),
    ]
    ms = effective_ms(net, [], speeds)
    assert ms[0, 0] == round(100 / 5 * 1000)
    assert ms[0, 1] == net.time_ms[0, 1]
    assert ms[0, 3] >= INFINITE
    assert np.array_equal(ms[1:], net.time_ms[1:])
    assert (effective_ms(net, [closure(net.lines[0])], speeds)[0, :2] >= INFINITE).all()
