"""Columns of numbers and texts in one Arrow file that all processes map: it is held once."""

import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from gis.errors import ColumnsError
from gis.whole_file import whole_file

__all__ = ["Column", "checksum_of", "map_columns", "write_columns"]

# An array of numbers of any shape, or a pyarrow array of texts.
Column = Any
_KEY = b"onegrid"


def write_columns(path: Path, columns: Mapping[str, Column], about: Mapping[str, Any]) -> None:
    """Write an Arrow file; a reader sees the old one or the whole new one.

    Parameters
    ----------
    path : Path
        Its folder is made where it is wanting.
    columns : mapping of str to ndarray or pyarrow.Array of large_string
        Of any length each.
    about : mapping
        Facts beside them, as JSON has them; not under the names ``checksum``, ``shapes`` and
        ``about_checksum``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = {
        key: column.shape for key, column in columns.items() if isinstance(column, np.ndarray)
    }
    told = {**about, "checksum": checksum_of(columns), "shapes": shapes}
    told["about_checksum"] = _checksum(told)
    table = pa.table([_one_row(column) for column in columns.values()], names=list(columns))
    table = table.replace_schema_metadata({_KEY: json.dumps(told)})
    with whole_file(path) as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def map_columns(path: Path) -> tuple[dict[str, Column], dict[str, Any]]:
    """Map a file of columns: the columns, which nobody can write to, and what is told about them.

    Raises
    ------
    ColumnsError
        If it is none, or damaged.
    """
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        table = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped))).read_all()
        about = json.loads(table.schema.metadata[_KEY])
        shapes, checksum = about["shapes"], about["checksum"]
        # Files of earlier versions have none.
        told = about.pop("about_checksum", None)
        columns = {key: _column(table, key, shapes.get(key)) for key in table.column_names}
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise ColumnsError(f"{path.name} is no file of columns ({error})") from error
    if checksum_of(columns) != checksum or told not in {None, _checksum(about)}:
        raise ColumnsError(f"{path.name} is damaged")
    # Each page was looked at once; what is asked for comes back, and the rest takes no memory.
    mapped.madvise(mmap.MADV_DONTNEED)
    return columns, about


def checksum_of(columns: Mapping[str, Column]) -> str:
    """A checksum of columns by their names: against damage, not against malice."""
    digest = xxhash.xxh3_128()
    for key in sorted(columns):
        digest.update(key.encode())
        column = columns[key]
        if isinstance(column, np.ndarray):
            digest.update(np.ascontiguousarray(column).view(np.uint8).data)
        else:
            for buffer in column.buffers()[1:]:
                digest.update(buffer)
    return digest.hexdigest()


def _checksum(about: Mapping[str, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(about).encode())


def _one_row(column: Column) -> pa.Array:
    """A column as one row of a table whose columns have all lengths."""
    values = pa.array(column.ravel()) if isinstance(column, np.ndarray) else column
    return pa.LargeListArray.from_arrays([0, len(values)], values)


def _column(table: pa.Table, key: str, shape: list[int] | None) -> Column:
    values = table.column(key).chunk(0).values
    if shape is None:
        return values
    numbers: NDArray[Any] = values.to_numpy(zero_copy_only=True).reshape(shape)
    return numbers
