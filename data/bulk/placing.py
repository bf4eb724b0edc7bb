"""The places of a chunk's rows, at once; what cannot be placed says why, as an import does."""

from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from data.conversions.reading import Chunk
from data.importing.columns import CellError
from data.importing.rows import located
from gis.crs import SourceCrs, to_wgs84

__all__ = ["Placed", "place"]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placed:
    """Places in EPSG:4326.

    Attributes
    ----------
    lon, lat : ndarray of float, shape (n,), degrees
        NaN where the row has no place.
    refused : dict of int to str
        Position → why it has none.
    """

    lon: Float
    lat: Float
    refused: dict[int, str] = field(default_factory=dict)


def place(chunk: Chunk, columns: dict[str, str], crs: SourceCrs) -> Placed:
    """Place every row of a chunk.

    Parameters
    ----------
    columns : dict
        Wanted name → heading; ``lon`` and ``lat`` are not used where there are geometries.
    """
    x, y = _raw(chunk, columns)
    lon, lat = np.full(len(x), np.nan), np.full(len(x), np.nan)
    finite = np.isfinite(x) & np.isfinite(y)
    lon[finite], lat[finite] = to_wgs84(x[finite], y[finite], crs)
    with np.errstate(invalid="ignore"):
        good = (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
    refused = dict(chunk.broken)
    for at in np.flatnonzero(~good).tolist():
        refused.setdefault(at, _why(chunk, columns, crs, at))
    for at in refused:
        lon[at] = lat[at] = np.nan
    return Placed(lon, lat, refused)


def _raw(chunk: Chunk, columns: dict[str, str]) -> tuple[Float, Float]:
    if chunk.geometry is not None:
        # The coordinate of what is no point is NaN.
        return (
            np.asarray(shapely.get_x(chunk.geometry), float),
            np.asarray(shapely.get_y(chunk.geometry), float),
        )
    count = len(chunk.table)
    missing = np.full(count, np.nan)
    return tuple(  # type: ignore[return-value]  # two
        _numbers(chunk.table.column(columns[name]).to_pylist()) if name in columns else missing
        for name in ("lon", "lat")
    )


def _numbers(cells: list[object]) -> Float:
    """Numbers of cells at once; NaN where a cell is none."""
    try:
        return np.array(cells, dtype=float)
    except (ValueError, TypeError):
        return np.array([_number(cell) for cell in cells], dtype=float)


def _number(cell: object) -> float:
    try:
        return float(str(cell).strip())
    except ValueError:
        return float("nan")


def _why(chunk: Chunk, columns: dict[str, str], crs: SourceCrs, at: int) -> str:
    spots = [columns[name] for name in ("lon", "lat") if name in columns]
    row = {name: chunk.table.column(name)[at].as_py() for name in spots}
    shape = None if chunk.geometry is None else chunk.geometry[at]
    if chunk.geometry is not None and shape is None:
        return "the geometry is broken or missing"
    try:
        located(row, columns, shape, crs, None)
    except CellError as error:
        return str(error)
    return "there is no such place"
