"""The report of a partition: figures per grid, and per community why the rule is not met; pure."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from gis.coverage import dissolve
from gis.shape import polsby_popper, reock
from grids.blocks import Blocks
from grids.borders import Borders, walk_graph
from grids.partition import Partition, Rules

__all__ = [
    "CommunityReport",
    "GridReport",
    "community_reports",
    "grid_reports",
    "longest_walks",
]

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GridReport:
    """Figures of one grid.

    Attributes
    ----------
    deviation : float
        Size over target less one; NaN for a dedicated grid, which has no target.
    street_share : float
        Share of the inner boundary along streets, rivers and railways.
    walk_m : float
        Longest walk between two blocks of the grid, along the middles of its blocks.
    people_per_worker : float
        People of the community for each of its gridworkers 网格员; NaN where it has none.
    polygon : shapely polygon or multipolygon, projected, metres
    """

    grid: int
    community: int
    dedicated: bool
    households: int
    people: float
    area_ha: float
    deviation: float
    polsby_popper: float
    reock: float
    street_share: float
    walk_m: float
    people_per_worker: float
    fits: bool
    polygon: shapely.Geometry


@dataclass(frozen=True, slots=True)
class CommunityReport:
    """How well the rule is met in one community, and why not.

    Attributes
    ----------
    reasons : tuple of str
        Of ``indivisible`` (a block with more than the most), ``few`` (too few households for
        the number of grids), ``barrier`` (parts that cannot reach each other), ``zone``
        (parts cut off by a dedicated zone), ``shape`` (none of these: the search found no
        better).
    """

    community: int
    grids: int
    dedicated: int
    households: int
    within: int
    reasons: tuple[str, ...]


def grid_reports(
    blocks: Blocks,
    borders: Borders,
    found: Partition,
    urban: NDArray[np.bool_],
    rules: Rules,
    workers: Int | None = None,
) -> list[GridReport]:
    """Figures of every grid of a partition, in the order of its labels.

    Parameters
    ----------
    blocks, borders, urban, rules
        As given to `partition`.
    found : Partition
    workers : ndarray of int64, shape (c,), optional
        Gridworkers of each community.
    """
    label = found.label
    count = len(found.community)
    shapes = dissolve(blocks.polygons, label)
    size = np.bincount(label, weights=blocks.size_of(rules.measure), minlength=count)
    people = np.bincount(label, weights=blocks.people, minlength=count)
    households = np.bincount(label, weights=blocks.households, minlength=count)
    street = _street_share(borders, label, count)
    walk = longest_walks(blocks, borders, label, count)
    staff = np.zeros(len(urban)) if workers is None else workers
    crowd = np.bincount(blocks.community, weights=blocks.people, minlength=len(urban))
    share: Float = np.full(len(urban), np.nan)
    np.divide(crowd, staff, out=share, where=staff > 0)
    compact, circle = polsby_popper(shapes), reock(shapes)
    reports = []
    for grid in range(count):
        dedicated = bool(found.zone[grid] >= 0)
        aim = rules.urban if urban[found.community[grid]] else rules.rural
        reports.append(
            GridReport(
                grid,
                int(found.community[grid]),
                dedicated,
                int(households[grid]),
                float(people[grid]),
                float(shapes[grid].area / 10_000),
                float("nan") if dedicated else float(size[grid] / aim.target - 1),
                float(compact[grid]),
                float(circle[grid]),
                float(street[grid]),
                float(walk[grid]),
                float(share[found.community[grid]]),
                dedicated or bool(aim.least <= size[grid] <= aim.most),
                shapes[grid],
            )
        )
    return reports


def _street_share(borders: Borders, label: Int, count: int) -> Float:
    inner = label[borders.left] != label[borders.right]
    total, off = np.zeros(count), np.zeros(count)
    for side in (borders.left[inner], borders.right[inner]):
        np.add.at(total, label[side], borders.length_m[inner])
        np.add.at(off, label[side], borders.off_street_m[inner])
    share: Float = np.ones(count)
    np.divide(total - off, total, out=share, where=total > 0)
    return share


def longest_walks(blocks: Blocks, borders: Borders, label: Int, count: int) -> Float:
    """Longest shortest path inside each grid; O(b² log b) for the b blocks of a grid."""
    middle = shapely.get_coordinates(shapely.point_on_surface(blocks.polygons))
    graph = walk_graph(borders, label[borders.left] == label[borders.right], middle)
    order = np.argsort(label, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(label, minlength=count))[:-1])
    longest: Float = np.zeros(count)
    for grid, mine in enumerate(members):
        if len(mine) > 1:
            reach = dijkstra(graph[mine][:, mine], directed=False)
            longest[grid] = reach[np.isfinite(reach)].max(initial=0.0)
    return longest


def community_reports(
    blocks: Blocks,
    found: Partition,
    grids: list[GridReport],
    urban: NDArray[np.bool_],
    rules: Rules,
) -> list[CommunityReport]:
    """Per community how many grids fit, and why the others do not."""
    size = blocks.size_of(rules.measure)
    of_community: dict[int, list[GridReport]] = {}
    for grid in grids:
        of_community.setdefault(grid.community, []).append(grid)
    parts: dict[int, int] = {}
    for piece in found.pieces:
        if piece.zone < 0:
            parts[piece.community] = parts.get(piece.community, 0) + 1
    reports = []
    for community, mine in sorted(of_community.items()):
        aim = rules.urban if urban[community] else rules.rural
        own = [grid for grid in mine if not grid.dedicated]
        missed = [grid for grid in own if not grid.fits]
        here = (blocks.community == community) & (blocks.zone < 0)
        reasons = []
        if missed and (size[here] > aim.most).any():
            reasons.append("indivisible")
        if missed and size[here].sum() < aim.least * len(own):
            reasons.append("few")
        if missed and parts.get(community, 0) > 1:
            zoned = any(grid.dedicated for grid in mine)
            reasons.append("zone" if zoned else "barrier")
        reports.append(
            CommunityReport(
                community,
                len(mine),
                len(mine) - len(own),
                sum(grid.households for grid in mine),
                len(own) - len(missed),
                tuple(reasons) if reasons or not missed else ("shape",),
            )
        )
    return reports
