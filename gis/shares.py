"""Shapes and uncertain places to areas, each with its share; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.crs import LocalProjection
from gis.errors import GeometryError

__all__ = ["Share", "Shares"]

# Segments of a quarter of the circle about an uncertain place: its area is 0.2 % short.
_QUARTER = 16
# The lattice of coordinates in degrees is finer; what two areas share by rounding is no share.
_TOUCH_M = 1e-6


@dataclass(frozen=True, slots=True)
class Share:
    """An area that a shape may lie in.

    Attributes
    ----------
    area : int
        Its position.
    share : float
        Part of the shape inside it, 0 to 1: of its surface, of its length, of its points. What
        lies on a shared edge counts for each of the areas.
    distance_m : float
        From the shape (of an uncertain place: from its centre) to the area; 0 where they meet.
    edge_m : float
        From the shape or centre to the area's edge.
    """

    area: int
    share: float
    distance_m: float
    edge_m: float


class Shares:
    """Which areas a shape lies in, and how much of it in each.

    Parameters
    ----------
    polygons : array of shapely polygons or multipolygons, shape (n,), EPSG:4326
    codes : sequence of str, length n
        Equal shares go by the smallest code.

    Raises
    ------
    GeometryError
        If the lengths differ.

    Examples
    --------
    >>> squares = shapely.box([120.0, 120.01], 24.0, [120.01, 120.02], 24.01)
    >>> found = Shares(squares, ["a", "b"]).of_place(120.0099, 24.005, 50.0)
    >>> [(one.area, round(one.share, 2), round(one.distance_m)) for one in found]
    [(0, 0.63, 0), (1, 0.37, 10)]
    """

    def __init__(self, polygons: Any, codes: Sequence[str]) -> None:
        shapes = np.asarray(polygons, dtype=object)
        if len(shapes) != len(codes):
            raise GeometryError(f"{len(shapes)} polygons but {len(codes)} codes")
        self._codes = list(codes)
        self._polygons = shapes

    # Projected when first asked for: whoever asks for exact places only never needs it.
    @cached_property
    def _local(self) -> LocalProjection:
        some = len(self._polygons)
        return LocalProjection.around(self._polygons) if some else LocalProjection(0.0, 0.0)

    @cached_property
    def _tree(self) -> Any:
        return shapely.STRtree(self._local.forward(self._polygons))

    def of_place(self, lon: float, lat: float, radius_m: float) -> list[Share]:
        """Areas that a place may lie in that is known to a radius, largest share first.

        Parameters
        ----------
        lon, lat : float, degrees, EPSG:4326
        radius_m : float
            At least 0; with 0 the areas that cover the place.

        Raises
        ------
        GeometryError
            If the radius is negative or a number is not finite.
        """
        if not (np.isfinite([lon, lat, radius_m]).all() and radius_m >= 0):
            raise GeometryError(f"no place within {radius_m} m of ({lon}, {lat})")
        x, y = self._local.xy(lon, lat)
        centre = shapely.Point(float(x), float(y))
        circle = centre.buffer(radius_m, quad_segs=_QUARTER) if radius_m > 0 else centre
        return self._shares(circle, centre)

    def of_shape(self, shape: Any) -> list[Share]:
        """Areas that a point, line or polygon lies in, largest share first.

        Raises
        ------
        GeometryError
            If the shape is empty or not valid; says why.
        """
        if shapely.is_empty(shape) or not shapely.is_valid(shape):
            raise GeometryError(f"this shape lies nowhere: {shapely.is_valid_reason(shape)}")
        moved = self._local.forward(np.array([shape], dtype=object))[0]
        return self._shares(moved, moved)

    def _shares(self, shape: Any, centre: Any) -> list[Share]:
        hits = np.asarray(self._tree.query(shape, "dwithin", distance=_TOUCH_M), np.int64)
        areas = self._tree.geometries[hits]
        measured = _measure(shapely.intersection(areas, shape), shape)
        whole = _measure(np.array([shape], dtype=object), shape)[0]
        distance = shapely.distance(areas, centre)
        distance[distance <= _TOUCH_M] = 0.0
        edge = shapely.distance(shapely.boundary(areas), centre)
        found = [
            Share(int(area), float(min(part / whole, 1.0)), float(far), float(near))
            for area, part, far, near in zip(hits, measured, distance, edge, strict=True)
        ]
        if shapely.get_dimensions(shape) > 0:
            found = [one for one in found if one.share > 0]
        return sorted(found, key=lambda one: (-one.share, self._codes[one.area]))


def _measure(parts: NDArray[np.object_], shape: Any) -> NDArray[np.float64]:
    """Surface, length or number of points, by what the shape is."""
    dimension = int(shapely.get_dimensions(shape))
    if dimension == 0:
        return np.asarray(shapely.get_num_coordinates(parts), float)
    measured = shapely.area(parts) if dimension == 2 else shapely.length(parts)
    return np.asarray(measured, float)
