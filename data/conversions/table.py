"""A whole table of cells: the rows of a workbook or a packed CSV as one Arrow stream."""

from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from data.conversions.cells import load_fully, rows_of
from data.conversions.frames import MOST_ROWS, add_frame, packed

__all__ = ["prepare", "run"]


def prepare() -> None:
    """Use the library once: it loads parts of itself only then."""
    load_fully()


def run(options: dict[str, Any], _source: BinaryIO, target: BinaryIO) -> None:
    """Read the file that `path` names: a frame for each lot of rows.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    lot: list[list[str]] = []
    for line in rows_of(Path(options["path"]), options["name"]):
        lot.append(line)
        if len(lot) == MOST_ROWS:
            add_frame(target, _packed(lot))
            lot = []
    if lot:
        add_frame(target, _packed(lot))


def _packed(lot: list[list[str]]) -> memoryview:
    table = pa.table({"cells": pa.array(lot, pa.list_(pa.string()))})
    return packed(table)
