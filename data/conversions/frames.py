"""Frames of a conversation: eight bytes that say how long, then the content."""

from typing import BinaryIO

__all__ = ["GEOMETRY", "MOST_ROWS", "add_frame"]

# Rows of cells in a frame.
MOST_ROWS = 20_000

# The column that carries a chunk's shapes as WKB.
GEOMETRY = "__geometry__"


def add_frame(target: BinaryIO, content: bytes) -> None:
    """Write one frame."""
    target.write(len(content).to_bytes(8, "big"))
    target.write(content)
