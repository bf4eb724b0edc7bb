"""Shape measures of polygons in a projected system, and their form as it is held."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["as_multipolygon", "polsby_popper", "reock"]


def polsby_popper(polygons: Any) -> NDArray[np.float64]:
    """Compactness by Polsby and Popper (1991): 4π·area / perimeter², 1 for a disc.

    Parameters
    ----------
    polygons : array of shapely polygons, shape (n,), projected, metres

    Returns
    -------
    ndarray of float64, shape (n,), in [0, 1]; 0 for an empty polygon

    Examples
    --------
    >>> float(polsby_popper([shapely.box(0, 0, 1, 1)])[0].round(3))
    0.785
    """
    area = np.asarray(shapely.area(polygons), float)
    perimeter = np.asarray(shapely.length(polygons), float)
    out = np.zeros_like(area)
    np.divide(4 * np.pi * area, perimeter**2, out=out, where=perimeter > 0)
    return out


def reock(polygons: Any) -> NDArray[np.float64]:
    """Compactness by Reock (1961): area over that of the smallest circle around, 1 for a disc.

    Parameters
    ----------
    polygons : array of shapely polygons, shape (n,), projected, metres

    Returns
    -------
    ndarray of float64, shape (n,), in [0, 1]; 0 for an empty polygon

    Examples
    --------
    >>> float(reock([shapely.box(0, 0, 1, 1)])[0].round(3))
    0.637
    """
    area = np.asarray(shapely.area(polygons), float)
    circle = np.pi * np.asarray(shapely.minimum_bounding_radius(polygons), float) ** 2
    out = np.zeros_like(area)
    np.divide(area, circle, out=out, where=circle > 0)
    return out


def as_multipolygon(shape: Any) -> shapely.MultiPolygon:
    """A polygon or multipolygon as a multipolygon, which is what columns of areas take."""
    return shapely.MultiPolygon(list(shapely.get_parts(shape)))
