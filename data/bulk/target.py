"""Writing parts as one CSV, Parquet, GPKG or GeoJSON file: whole or not at all."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyogrio
import shapely
from numpy.typing import NDArray

from data.errors import SourceError
from data.private_files import folder_beside
from data.safe_cells import safe_cell, safe_cells

__all__ = [
    "GEOMETRY",
    "SUFFIXES",
    "point_wkb",
    "require_size",
    "too_large",
    "write_refused",
    "write_target",
]

Float = NDArray[np.float64]

# The column of a part that holds the place as WKB (EPSG:4326).
GEOMETRY = "geometry"
# Rows that are made text at once.
_LOT = 5000
_SIGNS = np.frombuffer(b',"\r\n', np.uint8)
# Little-endian, a point, x, y.
_POINT = np.dtype([("order", "u1"), ("type", "<u4"), ("x", "<f8"), ("y", "<f8")])
_GEO = {
    "version": "1.1.0",
    "primary_column": GEOMETRY,
    "columns": {GEOMETRY: {"encoding": "WKB", "geometry_types": ["Point"]}},
}


def write_target(parts: Iterable[Path], target: Path, *, most_bytes: int | None = None) -> None:
    """Write parts to a file by its suffix.

    Vector files carry points in EPSG:4326; a CSV keeps the columns that it had.

    Parameters
    ----------
    most_bytes : int, optional
        How large it may become; it is looked at after each part.

    Raises
    ------
    SourceError
        If the suffix is none of `SUFFIXES`, it becomes too large, or the disk is full.
    """
    write = SUFFIXES.get(target.suffix.lower())
    if write is None:
        raise SourceError(f"{target} is none of {', '.join(SUFFIXES)}")
    try:
        with folder_beside(target) as folder:
            partial = Path(folder) / f"part{target.suffix}"
            write(_within(_tables(parts), partial, most_bytes), partial)
            require_size(partial, most_bytes)
            partial.replace(target)
    except (OSError, pyogrio.errors.DataSourceError) as error:
        raise SourceError(
            f"{target} was not written ({error}); make room and run the same command again: "
            "the parts are kept"
        ) from error


def require_size(path: Path, most_bytes: int | None) -> None:
    """Refuse a result that is larger than it may be.

    Raises
    ------
    SourceError
        If it is.
    """
    if most_bytes is not None and path.exists() and path.stat().st_size > most_bytes:
        raise SourceError(too_large(most_bytes))


def too_large(most_bytes: int) -> str:
    """What is said of a result that is larger than it may be."""
    return (
        f"what comes of the table has more than {most_bytes / 1e6:,.0f} MB, which is all that it "
        "may have: send it in parts, with fewer columns, or delete older results"
    )


def _within(
    tables: Iterator[pa.Table], partial: Path, most_bytes: int | None
) -> Iterator[pa.Table]:
    for table in tables:
        require_size(partial, most_bytes)
        yield table


def write_refused(parts: Iterable[Path], target: Path) -> None:
    """Write refused rows as CSV, where there are any; formulas are made harmless."""
    tables = (table for table in _tables(parts) if len(table))
    first = next(tables, None)
    if first is None:
        target.unlink(missing_ok=True)
        return
    with folder_beside(target) as folder:
        partial = Path(folder) / "part.csv"
        with partial.open("w", encoding="utf-8-sig", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(map(safe_cell, first.column_names))
            for table in (first, *tables):
                for lot in table.to_batches(max_chunksize=_LOT):
                    for row in zip(*(column.to_pylist() for column in lot.columns), strict=True):
                        writer.writerow([row[0], *map(safe_cell, row[1:])])
        partial.replace(target)


def point_wkb(lon: Float, lat: Float) -> pa.Array:
    """Points as the bytes that a vector file holds, without an object for each."""
    wkb = np.zeros(len(lon), dtype=_POINT)
    wkb["order"], wkb["type"], wkb["x"], wkb["y"] = 1, 1, lon, lat
    buffers = [None, pa.py_buffer(wkb.tobytes())]
    width = pa.binary(_POINT.itemsize)
    return pa.Array.from_buffers(width, len(wkb), buffers).cast(pa.binary())


def _tables(parts: Iterable[Path]) -> Iterator[pa.Table]:
    for part in parts:
        yield pq.read_table(part)


def _csv(tables: Iterator[pa.Table], path: Path) -> None:
    with path.open("wb") as handle:
        handle.write("\ufeff".encode())
        for number, table in enumerate(tables):
            plain = table.drop_columns([GEOMETRY])
            if not number:
                names = [pa.array([name]) for name in plain.column_names]
                handle.write(_lines(pa.record_batch(names, plain.column_names)))
            for lot in plain.to_batches(max_chunksize=_LOT):
                handle.write(_lines(lot))


def _lines(table: pa.RecordBatch) -> bytes:
    """Rows as CSV: columns are quoted and joined at once, not cell by cell."""
    if not len(table):
        return b""
    columns = [_quoted(column) for column in table.columns]
    rows = pc.binary_join_element_wise(*columns, ",")
    whole = pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)
    text: str = pc.binary_join(whole, "\r\n")[0].as_py()
    return f"{text}\r\n".encode()


def _quoted(column: pa.Array) -> pa.Array:
    """Cells as CSV has them: no formulas, quoted where they hold a comma, quote or new line."""
    cells = pc.fill_null(_as_text(column), "")
    if pa.types.is_string(column.type):
        cells = safe_cells(cells)
    data = cells.buffers()[2]
    signs = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    if not np.isin(signs, _SIGNS).any():
        return cells
    doubled = pc.replace_substring(cells, '"', '""')
    held = pc.match_substring_regex(cells, '[",\r\n]')
    return pc.if_else(held, pc.binary_join_element_wise('"', doubled, '"', ""), cells)


def _as_text(column: pa.Array) -> pa.Array:
    """Cells as text; bytes that are none, in hexadecimal."""
    try:
        return pc.cast(column, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        cells = column.to_pylist()
        said = [cell.hex() if isinstance(cell, bytes) else cell and str(cell) for cell in cells]
        return pa.array(said, pa.string())


def _parquet(tables: Iterator[pa.Table], path: Path) -> None:
    writer: pq.ParquetWriter | None = None
    try:
        for table in tables:
            if writer is None:
                schema = table.schema.with_metadata({b"geo": json.dumps(_GEO).encode()})
                writer = pq.ParquetWriter(path, schema, compression="zstd")
            writer.write_table(table.cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()


def _gpkg(tables: Iterator[pa.Table], path: Path) -> None:
    path.unlink(missing_ok=True)
    for number, table in enumerate(tables):
        pyogrio.write_arrow(
            table,
            path,
            layer="assigned",
            driver="GPKG",
            geometry_name=GEOMETRY,
            geometry_type="Point",
            crs="EPSG:4326",
            append=number > 0,
        )


def _geojson(tables: Iterator[pa.Table], path: Path) -> None:
    with path.open("w", encoding="utf-8") as handle:
        handle.write('{"type": "FeatureCollection", "features": [')
        before = "\n"
        for table in tables:
            wkb = table.column(GEOMETRY).to_numpy()
            shapes = shapely.to_geojson(np.asarray(shapely.from_wkb(wkb), dtype=object))
            facts = table.drop_columns([GEOMETRY]).to_batches(max_chunksize=_LOT)
            rows = (row for lot in facts for row in lot.to_pylist())
            for shape, row in zip(shapes, rows, strict=True):
                properties = json.dumps(row, ensure_ascii=False, default=str)
                handle.write(f'{before}{{"type": "Feature", "geometry": {shape}, ')
                handle.write(f'"properties": {properties}}}')
                before = ",\n"
        handle.write("\n]}\n")


SUFFIXES: dict[str, Callable[[Iterator[pa.Table], Path], Any]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".gpkg": _gpkg,
    ".geojson": _geojson,
}
