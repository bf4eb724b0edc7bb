"""Blocks 地块: the ground of communities cut by streets, water, railways and zones; pure.

Bridges and tunnels are no barrier. Slivers, such as the strip of a dual carriageway, join
the neighbour of the same community and zone with which they share the longest edge.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.coverage import adjacency, dissolve, polygonize_region
from grids.batches import in_batches
from grids.counting import count_households
from grids.cutting import cuts_between, paths_inside
from grids.rules import PEOPLE_PER_HOUSEHOLD, SizeRange

__all__ = ["Blocks", "draw_blocks"]

Int = NDArray[np.int64]

# An empty piece smaller than this is a sliver, not a block.
SLIVER_M2 = 400.0
# Buildings sent to a worker at once: enough to outweigh the sending.
_BATCH_BUILDINGS = 2000


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
    estate : ndarray of int64, shape (n,)
        Number of the estate 小区 that the block belongs to; -1 for none.
    """

    polygons: NDArray[np.object_]
    community: Int
    zone: Int
    households: Int
    people: NDArray[np.float64]
    estate: Int

    @classmethod
    def of(
        cls,
        polygons: Any,
        community: Int,
        *,
        zone: Int | None = None,
        households: Any,
        people: Any = None,
        estate: Int | None = None,
    ) -> "Blocks":
        """Put blocks together; no zone, no estate, the usual household where not told."""
        shapes = np.asarray(polygons, dtype=object)
        counts = np.asarray(households)
        nowhere = np.full(len(shapes), -1, np.int64)
        heads = counts * PEOPLE_PER_HOUSEHOLD if people is None else np.asarray(people, float)
        zones, estates = (nowhere if one is None else one for one in (zone, estate))
        return cls(shapes, community, zones, counts, heads, estates)

    def size_of(self, measure: str) -> NDArray[Any]:
        """Households or people of each block."""
        return self.people if measure == "people" else self.households


def draw_blocks(
    communities: Any,
    barriers: Any,
    zones: Any,
    buildings: Any,
    households: Int,
    *,
    paths: Any = (),
    atoms: Sequence[SizeRange] | None = None,
    seed: int = 0,
    executor: Executor | None = None,
) -> Blocks:
    """Cut communities into blocks and count the households in each.

    Parameters
    ----------
    communities : array of shapely polygons, shape (c,), projected, metres
    barriers : array of shapely lines, shape (b,)
        Streets, watercourses and shores, railways.
    zones : array of shapely polygons, shape (z,)
        Where they overlap, the first one has the ground.
    buildings : array of shapely polygons or points, shape (d,)
        Those with households.
    households : ndarray of int64, shape (d,)
        A building outside all communities goes to the nearest block: no household is lost.
    paths : array of shapely lines
        Inner paths, along which a crowded block is cut first.
    atoms : sequence of SizeRange, length c
        For each community, the size of the parts that a block with more than its most is
        cut into, between buildings and down to single ones. Without it nothing is cut.
    seed : int
    executor : concurrent.futures.Executor, optional
        Cuts crowded blocks in parallel, to the same blocks; in this process without one.

    Returns
    -------
    Blocks
    """
    zone_shapes, shapes = np.asarray(zones, dtype=object), np.asarray(buildings, dtype=object)
    edges = np.concatenate([np.asarray(barriers, dtype=object), shapely.boundary(zone_shapes)])
    polygons, community = polygonize_region(communities, edges)
    points = shapely.point_on_surface(shapes)
    if atoms is not None:
        cutters: list[Callable[[_Crowd], NDArray[np.object_]]] = [
            lambda crowd: paths_inside(crowd.polygons[crowd.crowded], paths),
            lambda crowd: _cut_by_buildings(crowd, seed, executor),
        ]
        for cut in cutters:
            crowded = _crowded(polygons, community, points, households, atoms)
            crowd = _Crowd(polygons, community, crowded, shapes, points, households, atoms)
            if (lines := cut(crowd)).size:
                edges = np.concatenate([edges, lines])
                polygons, community = polygonize_region(communities, edges)
    zone = _first_cover(zone_shapes, polygons)
    count = count_households(polygons, points, households)
    label = _join_slivers(polygons, community, zone, count)
    joined = dissolve(polygons, label)
    _, first = np.unique(label, return_index=True)
    totals = np.zeros(len(joined), np.int64)
    np.add.at(totals, label, count)
    return Blocks.of(joined, community[first], zone=zone[first], households=totals)


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Blocks with too many households, and the buildings to cut them between."""

    polygons: NDArray[np.object_]
    community: Int
    crowded: Int
    buildings: NDArray[np.object_]
    points: NDArray[np.object_]
    households: Int
    atoms: Sequence[SizeRange]


def _crowded(
    polygons: NDArray[np.object_],
    community: Int,
    points: NDArray[np.object_],
    households: Int,
    atoms: Sequence[SizeRange],
) -> Int:
    most = np.array([size.most for size in atoms])[community]
    return np.flatnonzero(count_households(polygons, points, households) > most)


Task = tuple[Any, NDArray[np.object_], Int, SizeRange, int]


def _cut_by_buildings(crowd: _Crowd, seed: int, executor: Executor | None) -> NDArray[np.object_]:
    run = map if executor is None else executor.map
    batches = in_batches(_tasks(crowd, seed), lambda task: len(task[1]), _BATCH_BUILDINGS)
    found: Iterable[list[NDArray[np.object_]]] = run(_cut_batch, batches)
    lines = [one for batch in found for one in batch]
    return np.concatenate([np.empty(0, dtype=object), *lines])


def _cut_batch(tasks: list[Task]) -> list[NDArray[np.object_]]:
    return [cuts_between(*task) for task in tasks]


def _tasks(crowd: _Crowd, seed: int) -> Iterator[Task]:
    """Each crowded block with its buildings, as `cuts_between` takes them."""
    tree = shapely.STRtree(crowd.polygons)
    building, block = tree.query_nearest(crowd.points, all_matches=False)
    order = np.argsort(block, kind="stable")
    start = np.searchsorted(block[order], np.arange(len(crowd.polygons) + 1))
    for position in crowd.crowded.tolist():
        mine = building[order[start[position] : start[position + 1]]]
        mine = mine[shapely.get_dimensions(crowd.buildings[mine]) == 2]
        size = crowd.atoms[int(crowd.community[position])]
        polygon, shapes = crowd.polygons[position], crowd.buildings[mine]
        yield polygon, shapes, crowd.households[mine], size, seed


def _first_cover(zones: NDArray[np.object_], polygons: NDArray[np.object_]) -> Int:
    found = np.full(len(polygons), len(zones), np.int64)
    if len(zones):
        inside, hit = shapely.STRtree(zones).query(shapely.point_on_surface(polygons), "within")
        np.minimum.at(found, inside, hit)
    found[found == len(zones)] = -1
    return found


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
