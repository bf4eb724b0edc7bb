"""Frames of a conversation: eight bytes that say how long, then the content."""

from typing import BinaryIO

import pyarrow as pa

__all__ = ["GEOMETRY", "MOST_ROWS", "add_frame", "packed"]

# Rows of cells in a frame.
MOST_ROWS = 20_000

# The column that carries a chunk's shapes as WKB.
GEOMETRY = "__geometry__"


def packed(table: pa.Table) -> memoryview:
    """A table as an Arrow stream; it is held once more, not twice."""
    sink = pa.BufferOutputStream()
    # Not as a context: closing what ran out of memory would hide that it did.
    writer = pa.ipc.new_stream(sink, table.schema)
    writer.write_table(table)
    writer.close()
    return memoryview(sink.getvalue())


def add_frame(target: BinaryIO, content: bytes | memoryview) -> None:
    """Write one frame."""
    target.write(len(content).to_bytes(8, "big"))
    target.write(content)
