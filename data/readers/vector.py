"""Vector files (GPKG, GeoJSON, Shapefile, also zipped), keeping broken rows in sight."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.errors import SourceError
from data.gdal import READERS
from data.readers.source import open_source
from data.readers.table import SourceTable
from data.sandbox import Limits

__all__ = ["read_vector"]

# Polygons of a plan have up to some thousand vertices each.
_CHUNK_ROWS = 5_000


def read_vector(
    path: Path,
    columns: Mapping[str, str] | None = None,
    *,
    name: str = "",
    limits: Limits | None = None,
) -> SourceTable:
    """Read the first layer of a vector file, by the one driver that its suffix names.

    Parameters
    ----------
    path : Path
    columns : mapping, optional
        Field in the file → name wanted.
    name : str
        What its author calls it, for messages.
    limits : Limits, optional
        As in `data.readers.source.open_source`.

    Raises
    ------
    SourceError
        If it is missing, of another kind, or cannot be read.
    """
    if not path.is_file():
        raise SourceError(f"no file {name or path}")
    if path.suffix.lower() not in READERS:
        raise SourceError(f"{name or path} is none of {', '.join(READERS)}")
    rows: list[dict[str, Any]] = []
    geometries: list[Any] = []
    with open_source(path, columns, name=name, limits=limits) as source:
        for chunk in source.chunks(_CHUNK_ROWS):
            if chunk.geometry is not None:
                geometries.extend(chunk.geometry)
            names = chunk.table.column_names
            cells = [[_plain(value) for value in column.to_pylist()] for column in chunk.table]
            rows.extend(dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True))
        crs = source.crs
    return SourceTable(rows or [{} for _ in geometries], geometries, crs if geometries else None)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 - NaN
