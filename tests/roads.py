"""Small made-up road networks for tests."""

import numpy as np
import shapely

from gis.crs import LocalProjection
from routing.assembly import Roads
from routing.hierarchy import INFINITE

LOCAL = LocalProjection(120.6, 24.18)
# Metres a second by car, moped and on foot.
SPEEDS = (10.0, 7.0, 1.3)


def lonlat(x: float, y: float) -> tuple[float, float]:
    """A place in metres around Taichung as lon, lat."""
    return tuple(shapely.get_coordinates(LOCAL.inverse(shapely.points([(x, y)])))[0].tolist())


def roads_of(
    points: list[tuple[float, float]],
    roads: list[tuple[int, int, bool]],
    bans: dict[tuple[int, ...], int] | None = None,
) -> Roads:
    """Roads (from, to, one-way for vehicles) between points in metres; names by their number."""
    ll = shapely.get_coordinates(LOCAL.inverse(shapely.points(np.array(points, float))))
    tail = np.array([a for a, _, _ in roads], np.int32)
    head = np.array([b for _, b, _ in roads], np.int32)
    one_way = np.array([one for _, _, one in roads], bool)
    xy = np.array(points, float)
    length = np.hypot(*(xy[tail] - xy[head]).T)
    ms = np.array([np.maximum(np.rint(length / speed * 1000), 1) for speed in SPEEDS], np.int32)
    both = np.repeat(ms, 2, axis=1)
    both[:2, 1::2][:, one_way] = INFINITE
    ends = np.column_stack([tail, head]).ravel()
    number = np.arange(len(tail), dtype=np.int32)
    return Roads(
        node_lon=ll[:, 0],
        node_lat=ll[:, 1],
        tail=tail,
        head=head,
        length_m=length,
        time_ms=both,
        point_start=np.arange(0, 2 * len(tail) + 1, 2),
        lon=ll[ends, 0],
        lat=ll[ends, 1],
        way=number + 1000,
        kind=np.zeros(len(tail), np.int32),
        name=number,
        kinds=("road",),
        names=tuple(f"road {i}" for i in range(len(tail))),
        bans=bans or {},
    )


def random_roads(seed: int, *, side: int = 5, bans: int = 6) -> Roads:
    """A lumpy lattice with gaps, one-ways and turn bans of two and three arcs."""
    rng = np.random.default_rng(seed)
    points = [
        (x * 100 + rng.uniform(-20, 20), y * 100 + rng.uniform(-20, 20))
        for x in range(side)
        for y in range(side)
    ]
    roads = []
    for x in range(side):
        for y in range(side):
            here = x * side + y
            if x + 1 < side and rng.random() < 0.85:
                roads.append((here, here + side, bool(rng.random() < 0.3)))
            if y + 1 < side and rng.random() < 0.85:
                roads.append((here, here + 1, bool(rng.random() < 0.3)))
    ends = np.array([road[:2] for road in roads])
    tail, head = ends.ravel(), ends[:, ::-1].ravel()
    banned: dict[tuple[int, ...], int] = {}
    for _ in range(bans):
        course = [int(rng.integers(0, len(tail)))]
        for _ in range(int(rng.integers(1, 3))):
            course.append(int(rng.choice(np.flatnonzero(tail == head[course[-1]]))))
        banned[tuple(course)] = int(rng.integers(1, 4))
    return roads_of(points, roads, banned)
