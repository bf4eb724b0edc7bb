"""GCJ-02 and BD-09: the offset coordinates of Chinese map services, both ways.

The forward formula is the widely published one (Krasovsky 1940 ellipsoid, sine series);
its inverse has no closed form and is found by fixed-point iteration. Both are arrays in,
arrays out. Outside mainland China's bounding box GCJ-02 equals WGS84.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["bd09_to_gcj02", "gcj02_to_bd09", "gcj02_to_wgs84", "wgs84_to_gcj02"]

Float = NDArray[np.float64]

_SEMI_MAJOR_M = 6378245.0
_ECCENTRICITY2 = 0.00669342162296594323
_BD_TURN = np.pi * 3000.0 / 180.0
# The forward map is a contraction with factor < 0.01: each round gains two digits.
_ROUNDS = 8


def _inside_china(lon: Float, lat: Float) -> NDArray[np.bool_]:
    return (lon >= 72.004) & (lon <= 137.8347) & (lat >= 0.8293) & (lat <= 55.8271)


def _waves(value: Float, *terms: tuple[float, float]) -> Float:
    total = np.zeros_like(value)
    for amplitude, wavelength in terms:
        total += amplitude * np.sin(value * np.pi / wavelength)
    return total * 2.0 / 3.0


def _offset_deg(lon: Float, lat: Float) -> tuple[Float, Float]:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    shared = _waves(x, (20.0, 1 / 6), (20.0, 0.5))
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + shared
    north += _waves(y, (20.0, 1.0), (40.0, 3.0), (160.0, 12.0), (320.0, 30.0))
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + shared
    east += _waves(x, (20.0, 1.0), (40.0, 3.0), (150.0, 12.0), (300.0, 30.0))
    phi = np.radians(lat)
    magic = 1.0 - _ECCENTRICITY2 * np.sin(phi) ** 2
    meridian_m = _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY2) / (magic * np.sqrt(magic))
    parallel_m = _SEMI_MAJOR_M / np.sqrt(magic) * np.cos(phi)
    inside = _inside_china(lon, lat)
    return (
        np.where(inside, np.degrees(east / parallel_m), 0.0),
        np.where(inside, np.degrees(north / meridian_m), 0.0),
    )


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Float, Float]:
    """Shift WGS84 coordinates to GCJ-02.

    Parameters
    ----------
    lon, lat : array_like of float, shape (n,), degrees, EPSG:4326

    Returns
    -------
    tuple of ndarray, shape (n,), degrees, GCJ-02

    Examples
    --------
    >>> lon, lat = wgs84_to_gcj02([116.391], [39.9075])
    >>> float(lon[0].round(4)), float(lat[0].round(4))
    (116.3972, 39.9089)
    """
    x, y = np.asarray(lon, float), np.asarray(lat, float)
    east, north = _offset_deg(x, y)
    return x + east, y + north


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Float, Float]:
    """Undo the GCJ-02 shift by fixed-point iteration, to better than 1e-9 degrees.

    Parameters
    ----------
    lon, lat : array_like of float, shape (n,), degrees, GCJ-02

    Returns
    -------
    tuple of ndarray, shape (n,), degrees, EPSG:4326

    Examples
    --------
    >>> lon, lat = gcj02_to_wgs84(*wgs84_to_gcj02([122.26], [43.61]))
    >>> float(lon[0].round(9)), float(lat[0].round(9))
    (122.26, 43.61)
    """
    target_x, target_y = np.asarray(lon, float), np.asarray(lat, float)
    x, y = target_x, target_y
    for _ in range(_ROUNDS):
        east, north = _offset_deg(x, y)
        x, y = target_x - east, target_y - north
    return x, y


def gcj02_to_bd09(lon: ArrayLike, lat: ArrayLike) -> tuple[Float, Float]:
    """Shift GCJ-02 coordinates to BD-09 (Baidu).

    Parameters
    ----------
    lon, lat : array_like of float, shape (n,), degrees, GCJ-02

    Returns
    -------
    tuple of ndarray, shape (n,), degrees, BD-09

    Examples
    --------
    >>> lon, lat = gcj02_to_bd09([116.404], [39.915])
    >>> float(lon[0].round(4)), float(lat[0].round(4))
    (116.4104, 39.9213)
    """
    x, y = np.asarray(lon, float), np.asarray(lat, float)
    radius = np.hypot(x, y) + 2e-5 * np.sin(y * _BD_TURN)
    angle = np.arctan2(y, x) + 3e-6 * np.cos(x * _BD_TURN)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def bd09_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Float, Float]:
    """Undo the BD-09 shift by fixed-point iteration.

    Parameters
    ----------
    lon, lat : array_like of float, shape (n,), degrees, BD-09

    Returns
    -------
    tuple of ndarray, shape (n,), degrees, GCJ-02

    Examples
    --------
    >>> lon, lat = bd09_to_gcj02(*gcj02_to_bd09([116.404], [39.915]))
    >>> float(lon[0].round(9)), float(lat[0].round(9))
    (116.404, 39.915)
    """
    target_x, target_y = np.asarray(lon, float), np.asarray(lat, float)
    x, y = target_x - 0.0065, target_y - 0.006
    for _ in range(_ROUNDS):
        forward_x, forward_y = gcj02_to_bd09(x, y)
        x, y = x + target_x - forward_x, y + target_y - forward_y
    return x, y
