"""Isochrones: the ground that is reached within some minutes, as polygons."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import ops

from gis.crs import LocalProjection
from routing.errors import NetworkError
from routing.reach import reach_from
from routing.travel import Snaps, TravelTimes

__all__ = ["Isochrone", "isochrone"]

# What lies so far beside a reached road counts as reached; gaps between roads up to twice
# the second, and holes smaller than the third, are closed.
_BESIDE_M, _GAP_M, _HOLE_M2 = 30.0, 60.0, 20_000.0
_WHOLE = 1e-9


@dataclass(frozen=True, slots=True)
class Isochrone:
    """What is reached within a time.

    Attributes
    ----------
    minutes : float
    polygon : shapely Polygon or MultiPolygon, EPSG:4326
    roads : shapely MultiLineString, EPSG:4326
        Reached pieces of road, cut where the time ends.
    length_m : float
        Of these roads.
    """

    minutes: float
    polygon: Any
    roads: Any
    length_m: float


def isochrone(
    travel: TravelTimes,
    place: tuple[float, float],
    minutes: float,
    mode: str,
    *,
    back: bool = False,
) -> Isochrone:
    """The ground within a time of a place.

    Parameters
    ----------
    place : tuple of float
        lon, lat; degrees, EPSG:4326.
    minutes : float
        Above 0, at most 180.
    back : bool
        From where the place can be reached, instead of what can be reached from it.

    Raises
    ------
    OffNetworkError
        If no road open to the mode is near the place.
    NetworkError
        If the minutes are out of range.

    Notes
    -----
    The polygon is what lies within 30 m of a reached piece of road, closed over gaps of up to
    120 m (a block's inside) by growing and shrinking with round corners: there are no spikes
    along single streets, and no corner that a street does not reach.
    """
    if not 0.0 < minutes <= 180.0:
        raise NetworkError(f"an isochrone of {minutes} minutes: give more than 0, at most 180")
    now = travel.conditions
    road, share = travel.snapped(place, mode, now)
    start = Snaps(np.array([road], np.int32), np.array([share]), np.zeros(1))
    found = reach_from(travel, start, mode, minutes * 60.0, now, back=back)
    pieces = found.pieces()
    lines = _lines(travel, *pieces)
    length_m = float((travel.network.length_m[pieces[0]] * (pieces[2] - pieces[1])).sum())
    local = LocalProjection(round(place[0], 3), round(place[1], 3))
    ground = local.inverse(np.array([_ground(local.forward(lines))], dtype=object))[0]
    return Isochrone(minutes, ground, shapely.multilinestrings(lines), length_m)


def _lines(
    travel: TravelTimes,
    road: NDArray[np.int32],
    begin: NDArray[np.float64],
    end: NDArray[np.float64],
) -> NDArray[np.object_]:
    """Lines of pieces of roads; those of no length are left out."""
    net = travel.network
    whole = (begin <= _WHOLE) & (end >= 1.0 - _WHOLE)
    lines = [net.lines[road[whole]]]
    parts = []
    for i in np.flatnonzero(~whole & (end - begin > _WHOLE)).tolist():
        part = ops.substring(net.lines[road[i]], begin[i], end[i], normalized=True)
        if part.geom_type == "LineString":
            parts.append(part)
    lines.append(np.array(parts, dtype=object))
    return np.concatenate(lines)


def _ground(lines_m: NDArray[np.object_]) -> Any:
    """Polygon around lines, in metres."""
    thin = shapely.simplify(lines_m, 2.0)
    grown = shapely.union_all(shapely.buffer(thin, _BESIDE_M + _GAP_M, quad_segs=3))
    ground = shapely.buffer(grown, -_GAP_M, quad_segs=6)
    return shapely.simplify(_filled(ground), 2.0)


def _filled(ground: Any) -> Any:
    """Without the small holes."""
    parts = []
    for part in shapely.get_parts(ground):
        holes = [ring for ring in part.interiors if shapely.Polygon(ring).area >= _HOLE_M2]
        parts.append(shapely.Polygon(part.exterior, holes))
    return parts[0] if len(parts) == 1 else shapely.multipolygons(parts)
