"""Tables: CSV (UTF-8 or GB18030) and XLSX, every cell as text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa

from data.conversions.cells import rows_of
from data.conversions.headings import distinct
from data.errors import SourceError
from data.sandbox import OWN_TABLE, ConversionError, conversing
from gis.crs import SourceCrs

__all__ = ["SourceTable", "read_table", "read_table_frame"]


@dataclass(frozen=True, slots=True)
class SourceTable:
    """Rows as a source gives them.

    Attributes
    ----------
    rows : list of dict
        One mapping from heading to value for each row; missing values are ``""`` or None.
    geometries : list
        A shapely geometry or None (broken) for each row; empty for a plain table.
    crs : SourceCrs or None
        What the file itself states, None where it does not.
    """

    rows: list[dict[str, Any]]
    geometries: list[Any] = field(default_factory=list)
    crs: SourceCrs | None = None


def read_table(
    path: Path,
    columns: Mapping[str, str] | None = None,
    *,
    headings: Sequence[str] | None = None,
) -> SourceTable:
    """Read a CSV (also .gz) or XLSX file.

    Parameters
    ----------
    path : Path
    columns : mapping, optional
        Heading in the file → name wanted, applied before any recognition.
    headings : sequence of str, optional
        What the columns are where the file has no headings: its first cell is a number.

    Raises
    ------
    SourceError
        If the file is missing, has no heading row, or is neither UTF-8 nor GB18030.
    """
    if not path.is_file():
        raise SourceError(f"no file {path}")
    lines = _rows(path)
    first = [cell.strip() for cell in next(lines, [])]
    if not any(first):
        raise SourceError(f"{path} has no heading row")
    if headings is not None and first[0].isdigit():
        lines, first = chain([first], lines), list(headings)
    names = distinct([(columns or {}).get(name, name) for name in first])
    filled = (line for line in lines if any(line))
    return SourceTable(
        [dict(zip_longest(names, line[: len(names)], fillvalue="")) for line in filled]
    )


def _rows(path: Path) -> Iterator[list[str]]:
    """Rows of a file; what is packed is read by a converter."""
    if path.suffix.lower() not in {".xlsx", ".gz"}:
        yield from rows_of(path, str(path))
        return
    options = {"name": str(path)}
    with conversing("table", path, options, limits=OWN_TABLE, in_place=True) as conversation:
        while (frame := conversation.hear()) is not None:
            yield from read_table_frame(frame).column("cells").to_pylist()


def read_table_frame(frame: bytes) -> pa.Table:
    """The table of an Arrow stream that a converter wrote, looked through before it is believed.

    Raises
    ------
    ConversionError
        If it is none.
    """
    try:
        table = pa.ipc.open_stream(frame).read_all()
        table.validate(full=True)
    except pa.ArrowException as error:
        raise ConversionError(f"what was read is no table: {error}") from error
    return table
