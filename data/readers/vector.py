"""Vector files by GDAL (GPKG, GeoJSON, Shapefile, zipped), keeping broken rows in sight."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely

from data.errors import SourceError
from data.readers.table import SourceTable
from gis.crs import parse_crs

__all__ = ["read_vector"]


def read_vector(path: Path, columns: Mapping[str, str] | None = None) -> SourceTable:
    """Read the first layer of a vector file.

    Parameters
    ----------
    path : Path
    columns : mapping, optional
        Field in the file → name wanted.

    Raises
    ------
    SourceError
        If GDAL cannot read the file.
    """
    if not path.is_file():
        raise SourceError(f"no file {path}")
    source = f"/vsizip/{path}" if path.suffix.lower() == ".zip" else str(path)
    try:
        meta, _, wkb, values = pyogrio.raw.read(source)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise SourceError(f"{path} is no vector file that GDAL reads: {error}") from error
    renames = columns or {}
    names = [renames.get(name, name) for name in meta["fields"]]
    cells = [[_plain(value) for value in column] for column in values]
    rows: list[dict[str, Any]] = [
        dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)
    ]
    if wkb is None:
        return SourceTable(rows)
    geometries = list(shapely.from_wkb(wkb, on_invalid="ignore"))
    crs = parse_crs(meta["crs"]) if meta["crs"] else None
    rows = rows or [{} for _ in geometries]
    return SourceTable(rows, geometries, crs)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value
