"""The locator: place → area, agreeing with ``ST_Covers``, ties reported.

First version: an STR-tree over prepared polygons. The interface is what the rest of the
house relies on; the inside is free to change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from gis.errors import GeometryError

__all__ = ["Located", "Locator"]


@dataclass(frozen=True, slots=True)
class Located:
    """Where each point lies.

    Attributes
    ----------
    area : ndarray of int64, shape (n,)
        Position of the area with the smallest code that covers the point; -1 for none.
    count : ndarray of int64, shape (n,)
        How many areas cover the point; more than one on a shared edge or an overlap.
    """

    area: NDArray[np.int64]
    count: NDArray[np.int64]


class Locator:
    """Exact place → area look-up over polygons.

    Parameters
    ----------
    polygons : array of shapely polygons, shape (n,), EPSG:4326
    codes : sequence of str, length n
        Ties on shared edges go to the smallest code.

    Raises
    ------
    GeometryError
        If the lengths differ.

    Examples
    --------
    >>> squares = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    >>> found = Locator(squares, ["b", "a"]).locate([0.5, 1.0, 9.0], [0.5, 0.5, 0.5])
    >>> found.area.tolist(), found.count.tolist()
    ([0, 1, -1], [1, 2, 0])
    """

    def __init__(self, polygons: Any, codes: Sequence[str]) -> None:
        self._polygons = np.asarray(polygons, dtype=object)
        self.codes = np.asarray(codes, dtype=object)
        if len(self._polygons) != len(self.codes):
            raise GeometryError(f"{len(self._polygons)} polygons but {len(self.codes)} codes")
        self._rank = np.empty(len(self.codes), np.int64)
        self._rank[np.argsort(self.codes.astype(str), kind="stable")] = np.arange(len(self.codes))
        shapely.prepare(self._polygons)
        self._tree = shapely.STRtree(self._polygons)

    def __len__(self) -> int:
        """Count the areas."""
        return len(self._polygons)

    def candidates(self, lon: float, lat: float) -> NDArray[np.int64]:
        """Every area that covers one point, smallest code first."""
        hits = np.asarray(self._tree.query(_points([lon], [lat])[0], "covered_by"), np.int64)
        return hits[np.argsort(self._rank[hits])]

    def locate(self, lon: ArrayLike, lat: ArrayLike) -> Located:
        """Locate points; O(n log m) for n points and m areas.

        Parameters
        ----------
        lon, lat : array_like of float, shape (n,), degrees, EPSG:4326

        Raises
        ------
        GeometryError
            If a coordinate is NaN or infinite; the position is named.
        """
        points = _points(lon, lat)
        point_index, hit = self._tree.query(points, "covered_by")
        count = np.bincount(point_index, minlength=len(points)).astype(np.int64)
        best = np.full(len(points), len(self), np.int64)
        np.minimum.at(best, point_index, self._rank[hit])
        by_rank = np.append(np.argsort(self._rank), -1)
        return Located(np.asarray(by_rank[best], np.int64), count)


def _points(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.object_]:
    x, y = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
    bad = np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))
    if bad.size:
        raise GeometryError(f"point {bad[0]} has no finite coordinates: ({x[bad[0]]}, {y[bad[0]]})")
    points: NDArray[np.object_] = shapely.points(x, y)
    return points
