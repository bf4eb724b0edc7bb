"""The locator: place → area, exact on every place, ties reported."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gis.errors import GeometryError
from gis.locator.build import build
from gis.locator.edges import edges_of
from gis.locator.query import covering, locate_many, locate_one

__all__ = ["Located", "Locator"]

Int = NDArray[np.int64]


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

    area: Int
    count: Int


class Locator:
    """Exact place → area look-up over polygons.

    Parameters
    ----------
    polygons : array of shapely polygons or multipolygons, shape (n,), EPSG:4326
        Valid; a coverage, or areas that overlap.
    codes : sequence of str, length n
        Ties on shared edges go to the smallest code.

    Raises
    ------
    GeometryError
        If the lengths differ, a shape is no polygon or has a coordinate that is not finite.

    Examples
    --------
    >>> import shapely
    >>> squares = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    >>> found = Locator(squares, ["b", "a"]).locate([0.5, 1.0, 9.0], [0.5, 0.5, 0.5])
    >>> found.area.tolist(), found.count.tolist()
    ([0, 1, -1], [1, 2, 0])
    """

    def __init__(self, polygons: Any, codes: Sequence[str]) -> None:
        shapes = np.asarray(polygons, dtype=object)
        self.codes = np.asarray(codes, dtype=object)
        if len(shapes) != len(self.codes):
            raise GeometryError(f"{len(shapes)} polygons but {len(self.codes)} codes")
        rank = np.empty(len(shapes), np.int64)
        rank[np.argsort(self.codes.astype(str), kind="stable")] = np.arange(len(shapes))
        self._words = build(edges_of(shapes, np.arange(len(shapes))), rank)

    def __len__(self) -> int:
        """Count the areas."""
        return len(self.codes)

    @property
    def nbytes(self) -> int:
        """Memory of the raster in bytes."""
        return self._words.nbytes

    def find(self, lon: float, lat: float) -> int:
        """Position of the area with the smallest code that covers one point; -1 for none."""
        found: int = locate_one(self._words, lon, lat)
        return found

    def candidates(self, lon: float, lat: float) -> Int:
        """Every area that covers one point, smallest code first."""
        found = np.empty(16, np.int64)
        total = covering(self._words, float(lon), float(lat), found)
        if total > len(found):
            found = np.empty(total, np.int64)
            covering(self._words, float(lon), float(lat), found)
        return found[:total]

    def locate(self, lon: ArrayLike, lat: ArrayLike, *, threads: int = 1) -> Located:
        """Locate points; a constant number of steps for each, however many areas there are.

        Parameters
        ----------
        lon, lat : array_like of float, shape (n,), degrees, EPSG:4326
        threads : int
            How many threads share the work.

        Raises
        ------
        GeometryError
            If the lengths differ, or a coordinate is NaN or infinite; the position is named.
        """
        x = np.ascontiguousarray(np.atleast_1d(np.asarray(lon, np.float64)))
        y = np.ascontiguousarray(np.atleast_1d(np.asarray(lat, np.float64)))
        if x.shape != y.shape:
            raise GeometryError(f"{len(x)} longitudes but {len(y)} latitudes")
        area, count = np.empty(len(x), np.int64), np.empty(len(x), np.int64)
        cuts = np.linspace(0, len(x), max(threads, 1) + 1).astype(int)

        def run(part: int) -> int:
            here = slice(cuts[part], cuts[part + 1])
            bad = locate_many(self._words, x[here], y[here], area[here], count[here])
            return int(cuts[part]) + bad if bad >= 0 else -1

        if threads <= 1:
            bad = [run(0)]
        else:
            with ThreadPoolExecutor(threads) as pool:
                bad = list(pool.map(run, range(threads)))
        for at in bad:
            if at >= 0:
                raise GeometryError(f"point {at} has no finite coordinates: ({x[at]}, {y[at]})")
        return Located(area, count)
