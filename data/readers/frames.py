"""Arrow streams that a converter wrote, looked through before they are believed.

A converter that was taken over writes what it likes: types that unpack, buffers that are
compressed, one buffer for a thousand columns, rows without number. Bounded is therefore what a
frame holds when it is read, not how long it is.
"""

import struct
from dataclasses import dataclass, field

import pyarrow as pa

from data.conversions.plain import is_plain
from data.sandbox import ConversionError, Limits

__all__ = ["CELLS", "Frames"]

# Rows of cells, of which each row has its own number.
CELLS = pa.schema([("cells", pa.list_(pa.string()))])
# Fields of a message of Arrow's format (Message.fbs), and of a batch of rows in it.
_HEADER, _COMPRESSION = 2, 3
_KINDS = {"schema", "record batch"}


@dataclass(slots=True)
class Frames:
    """The frames of one conversation, which hold so much together.

    Parameters
    ----------
    limits : Limits
        `frame_bytes`, `frame_cells` of each; `output_bytes`, `output_cells` of all.
    """

    limits: Limits
    _bytes: int = field(default=0, init=False)
    _cells: int = field(default=0, init=False)

    def table(self, packed: bytes, *, most_rows: int) -> pa.Table:
        """A table of plain columns.

        Raises
        ------
        ConversionError
            If it is none, or holds more than it may.
        """
        table = _read(packed, all_plain=True)
        if len(table) > most_rows:
            raise ConversionError(f"a part of it has more than {most_rows:,} rows")
        self._count(len(table) * table.num_columns, table.nbytes)
        return table

    def cells(self, packed: bytes, *, most_rows: int) -> list[list[str]]:
        """Rows of cells.

        Raises
        ------
        ConversionError
            As `table`.
        """
        table = _read(packed, all_plain=False)
        if len(table) > most_rows:
            raise ConversionError(f"a part of it has more than {most_rows:,} rows")
        column = table.column("cells")
        self._count(sum(len(chunk.flatten()) for chunk in column.chunks), table.nbytes)
        rows: list[list[str]] = column.to_pylist()
        return rows

    def _count(self, cells: int, size: int) -> None:
        limits = self.limits
        self._cells, self._bytes = self._cells + cells, self._bytes + size
        if cells > limits.frame_cells or self._cells > limits.output_cells:
            raise ConversionError(
                f"it has more than {min(limits.frame_cells, limits.output_cells):,} cells (rows "
                "times columns): leave out columns that are not needed, or send it in parts"
            )
        if size > limits.frame_bytes or self._bytes > limits.output_bytes:
            most = min(limits.frame_bytes, limits.output_bytes)
            raise ConversionError(
                f"it holds more than {most / 1e6:.0f} MB when it is unpacked: send it in parts"
            )


def _read(packed: bytes, *, all_plain: bool) -> pa.Table:
    try:
        _require_plain_messages(packed)
        with pa.ipc.open_stream(packed) as stream:
            schema = stream.schema
            fits = all(is_plain(kind) for kind in schema.types) if all_plain else schema == CELLS
            if not fits:
                raise ConversionError("what was read is no table of plain columns")
            table = stream.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, struct.error) as error:
        raise ConversionError(f"what was read is no table: {error}") from error
    return table


def _require_plain_messages(packed: bytes) -> None:
    """Refuse dictionaries, and buffers that the reader would unpack."""
    stream = pa.BufferReader(packed)
    while True:
        try:
            message = pa.ipc.read_message(stream)
        except EOFError:
            return
        if message.type not in _KINDS:
            raise ConversionError("what was read is no table of plain columns")
        if message.type == "record batch" and _is_compressed(message.metadata.to_pybytes()):
            raise ConversionError("what was read is packed")


def _is_compressed(metadata: bytes) -> bool:
    """Whether a batch of rows names a compression: looked up in its FlatBuffer.

    pyarrow tells it only by unpacking the batch.
    """
    root = _unsigned(metadata, 0)
    spot = _field(metadata, root, _HEADER)
    if not spot:
        raise ConversionError("what was read is no table")
    return bool(_field(metadata, spot + _unsigned(metadata, spot), _COMPRESSION))


def _field(metadata: bytes, table: int, number: int) -> int:
    """Where a field of a table lies; 0 where it has none."""
    names = table - int(struct.unpack_from("<i", metadata, table)[0])
    if names < 0:
        raise ConversionError("what was read is no table")
    spot = 4 + 2 * number
    if spot >= struct.unpack_from("<H", metadata, names)[0]:
        return 0
    (offset,) = struct.unpack_from("<H", metadata, names + spot)
    return table + int(offset) if offset else 0


def _unsigned(metadata: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", metadata, at)[0])
