"""Coordinate reference systems: named by the source, never guessed, always lon, lat inside.

Storage is EPSG:4326; lengths and areas are computed in a `LocalProjection`, a transverse
Mercator of the city's own meridian, in metres, never in degrees.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import ArrayLike, NDArray

from gis import gcj02
from gis.errors import CrsError

__all__ = ["WGS84", "LocalProjection", "SourceCrs", "parse_crs", "to_wgs84"]

Float = NDArray[np.float64]
Geometries = NDArray[np.object_]

# Also ² is a digit to Python, and a number of five thousand digits an error. PROJ's own reading of
# names is not used: ``+init=FILE:…`` and files of grids open what the sender names.
_NAMED = re.compile(
    r"(?:(?:urn:(?:x-)?ogc:def:crs:)?(?P<authority>EPSG|ESRI|OGC):(?:[0-9.]*:)?)?(?P<code>[0-9]{1,9}|CRS84)"
    r"|https?://www\.opengis\.net/def/crs/(?P<at>EPSG|OGC)/[0-9.]+/(?P<number>[0-9]{1,9}|CRS84)",
    re.IGNORECASE,
)
_WKT = re.compile(
    r"\s*(?:PROJCS|GEOGCS|COMPD_CS|(?:PROJ|PROJECTED|GEOG|GEOGRAPHIC|GEOD|BOUND|COMPOUND)CRS)\s*[\[(]",
    re.IGNORECASE,
)
# A text of PROJ's within a WKT: it may name files, and PROJ follows it.
_WITHIN = re.compile(
    r"EXTENSION|PROJ-based|PROJ CRS string|\+\w+\s*=|grids|init\s*=", re.IGNORECASE
)
_PROJ = re.compile(
    r"(?:\+?(?:proj|lat_0|lat_1|lat_2|lat_ts|lon_0|lonc|alpha|gamma|k|k_0|x_0|y_0|a|b|f|rf|R|ellps|datum"
    r"|towgs84|units|to_meter|pm|zone|south|no_uoff|no_defs|type|approx)(?:=[\w.,+-]*)?(?:\s+|$))+",
    re.ASCII,
)
_LONGEST = 10_000
_OFFSET_NAMES = {"GCJ-02": "GCJ-02", "GCJ02": "GCJ-02", "BD-09": "BD-09", "BD09": "BD-09"}
_SHORT_NAMES = {"WGS84": "EPSG:4326", "WGS 84": "EPSG:4326", "CGCS2000": "EPSG:4490"}


@dataclass(frozen=True, slots=True)
class SourceCrs:
    """The coordinate system that a file or a caller states: ``EPSG:n``, ``GCJ-02`` or ``BD-09``."""

    name: str

    @property
    def is_offset(self) -> bool:
        """Whether this is one of the offset systems that PROJ does not know."""
        return self.name in {"GCJ-02", "BD-09"}


WGS84 = SourceCrs("EPSG:4326")


def parse_crs(text: str | None) -> SourceCrs:
    """Read the name of a coordinate system.

    Parameters
    ----------
    text : str or None
        ``EPSG:4490``, ``4490``, ``GCJ-02``, ``BD-09``, or WKT, PROJ or PROJJSON text that names
        no file.

    Raises
    ------
    CrsError
        If nothing is stated, or the name is unknown: a shift of 100 m crosses grids, so a
        coordinate system is never guessed; or if it leads to a file, such as one of grids.

    Examples
    --------
    >>> parse_crs("gcj02").name, parse_crs("4490").name
    ('GCJ-02', 'EPSG:4490')
    """
    if text is None or not text.strip():
        raise CrsError("the coordinate system (crs) is not stated: give EPSG:n, GCJ-02 or BD-09")
    name = text.strip()
    if (offset := _OFFSET_NAMES.get(name.upper())) is not None:
        return SourceCrs(offset)
    try:
        crs = _known(_SHORT_NAMES.get(name.upper(), name))
        if not (crs.is_geographic or crs.is_projected):
            raise CrsError(f"{name[:60]!r} gives no places on a map: give EPSG:n, GCJ-02 or BD-09")
        authority = crs.to_authority(min_confidence=70)
        if authority is not None:
            return SourceCrs(":".join(authority))
        _require_no_file(name, crs)
        return SourceCrs(crs.to_wkt())
    except (pyproj.exceptions.ProjError, ValueError, RecursionError) as error:
        raise CrsError(
            f"unknown coordinate system {name[:60]!r}: give EPSG:n, GCJ-02 or BD-09"
        ) from error


def _known(name: str) -> pyproj.CRS:
    """What a name, a WKT or a PROJ text says; nothing that it names is opened."""
    if (named := _NAMED.fullmatch(name)) is not None:
        code = (named["code"] or named["number"]).upper()
        authority = (named["authority"] or named["at"] or "EPSG").upper()
        return pyproj.CRS.from_authority("OGC" if code == "CRS84" else authority, code)
    if len(name) <= _LONGEST:
        if _WKT.match(name):
            return pyproj.CRS.from_wkt(name)
        if _PROJ.fullmatch(name):
            return pyproj.CRS.from_string(name)
        if name.startswith("{"):
            return pyproj.CRS.from_json(name)
    raise ValueError("neither a name nor a text of a coordinate system")


def _require_no_file(text: str, crs: pyproj.CRS) -> None:
    """Refuse what is measured by a file, such as one of grids: whoever sent it names the file."""
    within = not text.lstrip().startswith("+") and _WITHIN.search(f"{text} {crs.to_wkt()}")
    if within or _names_file(crs.to_json_dict()):
        raise CrsError("the coordinate system leads to a file: give EPSG:n, GCJ-02 or BD-09")


def _names_file(facts: Any) -> bool:
    """Whether a parameter (PROJJSON) is no number."""
    if isinstance(facts, list):
        return any(map(_names_file, facts))
    if not isinstance(facts, dict):
        return False
    return isinstance(facts.get("value"), str) or any(map(_names_file, facts.values()))


def to_wgs84(x: ArrayLike, y: ArrayLike, crs: SourceCrs) -> tuple[Float, Float]:
    """Transform coordinates to EPSG:4326.

    Parameters
    ----------
    x, y : array_like of float, shape (n,)
        Easting/longitude and northing/latitude in `crs`, in that order whatever the
        authority's axis order is. China's CGCS2000 (EPSG:4490) is one of them.

    Returns
    -------
    tuple of ndarray, shape (n,), degrees lon and lat, EPSG:4326

    Examples
    --------
    >>> lon, lat = to_wgs84([40500000.0], [4800000.0], parse_crs("EPSG:4528"))
    >>> float(lon[0].round(3)), float(lat[0].round(3))
    (120.0, 43.336)
    """
    x_values, y_values = np.asarray(x, float), np.asarray(y, float)
    if crs.name == "GCJ-02":
        return gcj02.gcj02_to_wgs84(x_values, y_values)
    if crs.name == "BD-09":
        return gcj02.gcj02_to_wgs84(*gcj02.bd09_to_gcj02(x_values, y_values))
    if crs == WGS84:
        return x_values, y_values
    try:
        transformer = pyproj.Transformer.from_crs(crs.name, "EPSG:4326", always_xy=True)
        lon, lat = transformer.transform(x_values, y_values)
    except pyproj.exceptions.ProjError as error:
        raise CrsError(f"no way leads from {crs.name[:60]!r} to EPSG:4326") from error
    return np.asarray(lon, float), np.asarray(lat, float)


def geometries_to_wgs84(geometries: Geometries, crs: SourceCrs) -> Geometries:
    """Transform geometries to EPSG:4326, dropping any Z.

    Parameters
    ----------
    geometries : ndarray of shapely geometries, shape (n,), in `crs`, x = lon or easting

    Returns
    -------
    ndarray of shapely geometries, shape (n,), EPSG:4326

    Examples
    --------
    >>> moved = geometries_to_wgs84(np.array([shapely.Point(116.404, 39.915)]), SourceCrs("BD-09"))
    >>> float(round(moved[0].x, 2))
    116.39
    """

    def move(xy: Float) -> Float:
        return np.column_stack(to_wgs84(xy[:, 0], xy[:, 1], crs))

    flat: Geometries = shapely.force_2d(geometries)
    moved: Geometries = shapely.transform(flat, move)
    return moved


@dataclass(frozen=True)
class LocalProjection:
    """Metres around a place: a transverse Mercator of its own meridian on WGS84.

    Within 100 km of the meridian lengths are off by less than 1.3 in 10,000.

    Parameters
    ----------
    lon_deg, lat_deg : float
        Centre of the city, EPSG:4326.

    Examples
    --------
    >>> local = LocalProjection(120.6, 24.18)
    >>> point = local.forward(np.array([shapely.Point(120.6, 24.19)]))[0]
    >>> round(point.x, 3), round(point.y)
    (0.0, 1108)
    """

    lon_deg: float
    lat_deg: float

    @cached_property
    def crs(self) -> pyproj.CRS:
        """The projected system, in metres."""
        return pyproj.CRS.from_proj4(
            f"+proj=tmerc +lon_0={self.lon_deg} +lat_0={self.lat_deg} +ellps=WGS84 +units=m"
        )

    @classmethod
    def around(cls, geometries: Any) -> "LocalProjection":
        """Centre the projection on the bounds of `geometries` (EPSG:4326)."""
        west, south, east, north = shapely.total_bounds(geometries)
        if not np.isfinite([west, south, east, north]).all():
            raise CrsError("no geometry to centre a local projection on")
        return cls(round((west + east) / 2, 3), round((south + north) / 2, 3))

    def forward(self, geometries: Geometries) -> Geometries:
        """Project from EPSG:4326 to metres."""
        return self._apply(geometries, pyproj.enums.TransformDirection.FORWARD)

    def inverse(self, geometries: Geometries) -> Geometries:
        """Unproject from metres to EPSG:4326."""
        return self._apply(geometries, pyproj.enums.TransformDirection.INVERSE)

    def xy(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Float, Float]:
        """Project plain coordinates, degrees to metres."""
        x, y = self._transformer.transform(np.asarray(lon, float), np.asarray(lat, float))
        return np.asarray(x, float), np.asarray(y, float)

    @cached_property
    def _transformer(self) -> pyproj.Transformer:
        return pyproj.Transformer.from_crs("EPSG:4326", self.crs, always_xy=True)

    def _apply(
        self, geometries: Geometries, direction: pyproj.enums.TransformDirection
    ) -> Geometries:
        def move(xy: Float) -> Float:
            return np.column_stack(
                self._transformer.transform(xy[:, 0], xy[:, 1], direction=direction)
            )

        moved: Geometries = shapely.transform(geometries, move)
        return moved
