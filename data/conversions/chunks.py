"""A table or vector file read in chunks: each is told as facts and as an Arrow stream.

The first frame tells the coordinate system that the file states. One line then says with how many
rows and from where to go on; two frames for each chunk follow.
"""

import io
import json
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import shapely

from data.conversions.cells import load_fully
from data.conversions.frames import GEOMETRY, add_frame, packed
from data.conversions.plain import plain_table
from data.conversions.reading import Chunk, read_source
from data.errors import SourceError
from data.gdal import READERS

__all__ = ["prepare", "run"]


def prepare() -> None:
    """Use each library once: some load parts of themselves only then."""
    load_fully()
    sample = io.BytesIO()
    pq.write_table(pa.table({"x": [1]}), sample)
    list(pq.ParquetFile(sample, pre_buffer=False).iter_batches(use_threads=False))
    if not set(pyogrio.list_drivers()) <= set(READERS.values()):
        raise SourceError("this GDAL has drivers that are not switched off: see data.gdal")
    shapely.from_wkb(shapely.to_wkb(shapely.Point(0, 0)))


def run(options: dict[str, Any], source: BinaryIO, target: BinaryIO) -> None:
    """Read the file that `path` names.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    opened = read_source(
        Path(options["path"]),
        options["columns"],
        encoding=options["encoding"],
        name=options["name"],
    )
    add_frame(target, json.dumps({"crs": opened.crs and opened.crs.name}).encode())
    target.flush()
    asked = json.loads(source.readline() or b"null")
    if asked is None:
        return
    for chunk in opened.chunks(asked["rows"], asked["skip"]):
        facts = {"first": chunk.first, "fraction": opened.fraction, "broken": chunk.broken}
        add_frame(target, json.dumps(facts | {"rows": _length(chunk)}).encode())
        add_frame(target, _packed(chunk, options["name"], asked["most_bytes"]))
        target.flush()


def _length(chunk: Chunk) -> int:
    return len(chunk.table) if chunk.geometry is None else len(chunk.geometry)


def _packed(chunk: Chunk, name: str, most_bytes: int) -> memoryview:
    table = chunk.table
    if chunk.geometry is not None:
        shapes = pa.array(shapely.to_wkb(np.asarray(chunk.geometry, dtype=object)), pa.binary())
        columns = [*table.columns, shapes]
        table = pa.table(columns, [*table.column_names, GEOMETRY])
    table = plain_table(table, name=name, most_bytes=most_bytes, shapes=GEOMETRY)
    return packed(table)
