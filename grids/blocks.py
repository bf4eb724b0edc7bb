"""Blocks 地块: the ground of communities cut by streets, water, railways and zones; pure.

Bridges and tunnels are no barrier. Slivers, such as the strip of a dual carriageway, join
the neighbour of the same community and zone with which they share the longest edge.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.apportion import largest_remainder
from gis.coverage import adjacency, dissolve, polygonize_region

__all__ = ["Blocks", "count_households", "draw_blocks", "share_by_area"]

Int = NDArray[np.int64]

# An empty piece smaller than this is a sliver, not a block.
SLIVER_M2 = 400.0
# Average size of a household, census of 2020 (第七次全国人口普查公报).
PEOPLE_PER_HOUSEHOLD = 2.62


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of a city.

    Attributes
    ----------
    polygons : ndarray of shapely polygons, shape (n,), projected, metres
    community : ndarray of int64, shape (n,)
        Position of the community in the input.
    zone : ndarray of int64, shape (n,)
        Position of the dedicated zone in the input; -1 for none.
    households : ndarray of int64, shape (n,)
    people : ndarray of float64, shape (n,)
        Counted, or households times `PEOPLE_PER_HOUSEHOLD`.
    """

    polygons: NDArray[np.object_]
    community: Int
    zone: Int
    households: Int
    people: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        polygons: Any,
        community: Int,
        *,
        zone: Int | None = None,
        households: Any,
        people: Any = None,
    ) -> "Blocks":
        """Put blocks together; no zone and the usual size of a household where not told."""
        shapes = np.asarray(polygons, dtype=object)
        counts = np.asarray(households)
        nowhere = np.full(len(shapes), -1, np.int64)
        heads = counts * PEOPLE_PER_HOUSEHOLD if people is None else np.asarray(people, float)
        return cls(shapes, community, nowhere if zone is None else zone, counts, heads)

    def size_of(self, measure: str) -> NDArray[Any]:
        """Households or people of each block."""
        return self.people if measure == "people" else self.households


def draw_blocks(
    communities: Any,
    barriers: Any,
    zones: Any,
    dwellings: Any,
    households: Int,
) -> Blocks:
    """Cut communities into blocks and count the households in each.

    Parameters
    ----------
    communities : array of shapely polygons, shape (c,), projected, metres
    barriers : array of shapely lines, shape (b,)
        Streets, watercourses and shores, railways.
    zones : array of shapely polygons, shape (z,)
        Where they overlap, the first one has the ground.
    dwellings : array of shapely points, shape (d,)
        One inside each building that has households.
    households : ndarray of int64, shape (d,)
        A dwelling outside all communities goes to the nearest block: no household is lost.

    Returns
    -------
    Blocks
    """
    zone_shapes = np.asarray(zones, dtype=object)
    edges = [np.asarray(barriers, dtype=object), shapely.boundary(zone_shapes)]
    polygons, community = polygonize_region(communities, np.concatenate(edges))
    zone = _first_cover(zone_shapes, polygons)
    count = count_households(polygons, np.asarray(dwellings, dtype=object), households)
    label = _join_slivers(polygons, community, zone, count)
    joined = dissolve(polygons, label)
    _, first = np.unique(label, return_index=True)
    totals = np.zeros(len(joined), np.int64)
    np.add.at(totals, label, count)
    return Blocks.of(joined, community[first], zone=zone[first], households=totals)


def _first_cover(zones: NDArray[np.object_], polygons: NDArray[np.object_]) -> Int:
    found = np.full(len(polygons), len(zones), np.int64)
    if len(zones):
        inside, hit = shapely.STRtree(zones).query(shapely.point_on_surface(polygons), "within")
        np.minimum.at(found, inside, hit)
    found[found == len(zones)] = -1
    return found


def count_households(
    polygons: NDArray[np.object_], points: NDArray[np.object_], households: Int
) -> Int:
    """Sum the households of points by block; a point outside goes to the nearest block.

    Parameters
    ----------
    polygons : ndarray of shapely polygons, shape (n,), projected, metres
    points : ndarray of shapely points, shape (d,)
    households : ndarray of int64, shape (d,)

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    totals = np.zeros(len(polygons), np.int64)
    if len(points):
        tree = shapely.STRtree(polygons)
        point, hit = tree.query_nearest(points, all_matches=False)
        np.add.at(totals, hit, households[point])
    return totals


def _join_slivers(polygons: NDArray[np.object_], community: Int, zone: Int, households: Int) -> Int:
    """Label pieces so that each empty sliver has the label of its best neighbour."""
    graph = adjacency(polygons)
    area = shapely.area(polygons)
    sliver = (area < SLIVER_M2) & (households == 0)
    both = np.concatenate([graph.left, graph.right]), np.concatenate([graph.right, graph.left])
    length = np.concatenate([graph.length_m, graph.length_m])
    here, there = both
    fits = sliver[here] & (community[here] == community[there]) & (zone[here] == zone[there])
    order = np.lexsort((there[fits], -length[fits], here[fits]))
    here, there = here[fits][order], there[fits][order]
    source, first = np.unique(here, return_index=True)
    target = np.arange(len(polygons), dtype=np.int64)
    target[source] = there[first]
    return _roots(target)


def _roots(target: Int) -> Int:
    """Follow each piece to where its chain ends; two slivers that point at each other are one."""
    back = target[target] == np.arange(len(target))
    target = np.where(back, np.minimum(target, np.arange(len(target))), target)
    while not np.array_equal(target, target[target]):
        target = target[target]
    return np.unique(target, return_inverse=True)[1].reshape(-1).astype(np.int64)


def share_by_area(units: Any, households: Int, blocks: Any) -> Int:
    """Deal the households of units to blocks by shared area, each unit's sum kept exactly.

    Parameters
    ----------
    units : array of shapely polygons, shape (u,), projected, metres
    households : ndarray of int64, shape (u,)
    blocks : array of shapely polygons, shape (n,)

    Returns
    -------
    ndarray of int64, shape (n,)
        A unit that meets no block gives its households to the nearest one.
    """
    shapes, grounds = np.asarray(units, dtype=object), np.asarray(blocks, dtype=object)
    totals = np.zeros(len(grounds), np.int64)
    tree = shapely.STRtree(grounds)
    unit, block = tree.query(shapes, "intersects")
    shared = shapely.area(shapely.intersection(shapes[unit], grounds[block]))
    unit, block, shared = unit[shared > 0], block[shared > 0], shared[shared > 0]
    order = np.argsort(unit, kind="stable")
    start = np.searchsorted(unit[order], np.arange(len(shapes) + 1))
    for position in np.flatnonzero(households > 0):
        mine = order[start[position] : start[position + 1]]
        if mine.size:
            totals[block[mine]] += largest_remainder(int(households[position]), shared[mine])
        else:
            totals[tree.nearest(shapes[position])] += households[position]
    return totals
