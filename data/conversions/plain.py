"""Tables as they leave a converter: columns of plain types only, each of a bounded size.

Arrow has types that are small where they lie and large where they are read: dictionaries, runs,
views, lists in lists. They are decoded here, where memory is bounded.
"""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from data.errors import SourceError

__all__ = ["LONGEST_CELL", "is_plain", "plain_table"]

# Bytes of a cell: four times what a cell of a spreadsheet holds. A longer one is a file in a cell,
# or a quote left open.
LONGEST_CELL = 1 << 17
_OF_FIXED_SIZE = (
    kinds.is_null,
    kinds.is_boolean,
    kinds.is_integer,
    kinds.is_floating,
    kinds.is_decimal,
    kinds.is_temporal,
    kinds.is_fixed_size_binary,
)
_OF_BYTES = (kinds.is_string, kinds.is_large_string, kinds.is_binary, kinds.is_large_binary)
_VIEWS = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}


def is_plain(kind: pa.DataType) -> bool:
    """Whether a value of a type takes no more room read than it takes where it lies."""
    return any(fits(kind) for fits in (*_OF_FIXED_SIZE, *_OF_BYTES))


def plain_table(table: pa.Table, *, name: str, most_bytes: int, shapes: str | None) -> pa.Table:
    """The same table in plain types: values of dictionaries and runs written out, lists as JSON.

    Parameters
    ----------
    name : str
        What the table's author calls it.
    most_bytes : int
        What it may hold when it is written out.
    shapes : str or None
        The column of shapes, which may be longer than a cell.

    Raises
    ------
    SourceError
        If it holds more, or has a longer cell than `LONGEST_CELL`.
    """
    columns, held = [], 0
    for heading, column in zip(table.column_names, table.columns, strict=True):
        longest = most_bytes if heading == shapes else LONGEST_CELL
        chunks = column.chunks or [pa.array([], column.type)]
        try:
            parts = [_plain(chunk, longest, most_bytes) for chunk in chunks]
            held += sum(part.nbytes for part in parts)
        except _TooLongError as error:
            raise SourceError(f"{name}, column {heading[:100]!r}: {error}") from error
        except (pa.ArrowException, TypeError) as error:
            raise SourceError(
                f"{name}, column {heading[:100]!r} cannot be read: {error}"
            ) from error
        if held > most_bytes:
            raise SourceError(
                f"{name}: {len(table):,} rows hold more than {most_bytes / 1e6:.0f} MB: leave out "
                "columns that are not needed"
            )
        columns.append(pa.chunked_array(parts))
    return pa.table(columns, table.column_names)


class _TooLongError(Exception):
    """A cell, or a column, that is longer than it may be."""


def _plain(array: pa.Array, longest: int, most_bytes: int) -> pa.Array:
    """A column of a plain type; what is packed is looked at before it is written out."""
    while isinstance(array, pa.ExtensionArray):
        array = array.storage
    if kinds.is_dictionary(array.type):
        values = _plain(array.dictionary, longest, most_bytes)
        _require_room(values, pc.value_counts(array.indices), most_bytes)
        return values.take(array.indices)
    if kinds.is_run_end_encoded(array.type):
        values = _plain(array.values, longest, most_bytes)
        if len(array) * _longest(values) > most_bytes:
            raise _TooLongError(f"{len(array):,} rows hold more than may be read at once")
        return _plain(pc.run_end_decode(array), longest, most_bytes)
    if array.type in _VIEWS:
        # Many views of one text are as many texts.
        if _seen(array) > most_bytes:
            raise _TooLongError(f"{len(array):,} rows hold more than may be read at once")
        array = array.cast(_VIEWS[array.type])
    if not is_plain(array.type):
        said = [None if cell is None else _as_text(cell) for cell in array.to_pylist()]
        array = pa.array(said, pa.string())
    if _longest(array) > longest:
        raise _TooLongError(f"a cell has at most {longest:,} bytes")
    return array


def _as_text(cell: object) -> str:
    return json.dumps(cell, ensure_ascii=False, default=str)


def _require_room(values: pa.Array, counts: pa.StructArray, most_bytes: int) -> None:
    """Whether the values of a dictionary may be written out as often as they are named."""
    if not any(fits(values.type) for fits in _OF_BYTES):
        return
    lengths = pc.binary_length(values).take(counts.field("values"))
    if _sum(pc.multiply(lengths.cast(pa.int64()), counts.field("counts"))) > most_bytes:
        raise _TooLongError("its dictionary, written out, is more than may be read at once")


def _seen(views: pa.Array) -> int:
    """Bytes of all texts that views show: the first of the four numbers of each is its length."""
    numbers = np.frombuffer(views.buffers()[1], np.int32).reshape(-1, 4)
    shown = numbers[views.offset : views.offset + len(views), 0]
    return int(shown[views.is_valid().to_numpy(zero_copy_only=False)].sum(dtype=np.int64))


def _longest(array: pa.Array) -> int:
    if not any(fits(array.type) for fits in _OF_BYTES):
        return 0
    return int(pc.max(pc.binary_length(array)).as_py() or 0)


def _sum(lengths: pa.Array) -> int:
    return int(pc.sum(lengths.cast(pa.int64())).as_py() or 0)
