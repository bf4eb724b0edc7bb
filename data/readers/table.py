"""Tables: CSV (UTF-8 or GB18030) and XLSX, every cell as text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from data.conversions.cells import rows_of
from data.conversions.frames import MOST_ROWS
from data.conversions.headings import distinct
from data.errors import SourceError
from data.readers.frames import Frames
from data.sandbox import OWN_TABLE, ConversionError, Limits, conversing
from gis.crs import SourceCrs

__all__ = ["SourceTable", "read_table"]


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
    name: str = "",
    limits: Limits | None = None,
) -> SourceTable:
    """Read a CSV (also .gz) or XLSX file.

    Parameters
    ----------
    path : Path
    columns : mapping, optional
        Heading in the file → name wanted, applied before any recognition.
    headings : sequence of str, optional
        What the columns are where the file has no headings: its first cell is a number.
    name : str
        What its author calls it, for messages.
    limits : Limits, optional
        Of a file that was sent: a converter reads it, whatever its kind. Without them whoever runs
        the program named it.

    Raises
    ------
    SourceError
        If the file is missing, has no heading row, or is neither UTF-8 nor GB18030.
    """
    called = name or str(path)
    if not path.is_file():
        raise SourceError(f"no file {called}")
    lines = _rows(path, called, limits)
    first = [cell.strip() for cell in next(lines, [])]
    if not any(first):
        raise SourceError(f"{called} has no heading row")
    if headings is not None and first[0].isdigit():
        lines, first = chain([first], lines), list(headings)
    names = distinct([(columns or {}).get(name, name) for name in first])
    rows: list[dict[str, Any]] = []
    most = len(names) + (limits or OWN_TABLE).output_cells
    for line in filter(any, lines):
        # A short row under a wide heading is as wide.
        if len(names) * (len(rows) + 1) > most:
            raise ConversionError(
                f"{called} has more than {most - len(names):,} cells (rows times columns)"
            )
        rows.append(dict(zip_longest(names, line[: len(names)], fillvalue="")))
    return SourceTable(rows)


def _rows(path: Path, name: str, limits: Limits | None) -> Iterator[list[str]]:
    """Rows of a file; what is packed, or was sent, is read by a converter."""
    if limits is None and path.suffix.lower() not in {".xlsx", ".gz"}:
        yield from rows_of(path, name)
        return
    bounds = limits or OWN_TABLE
    frames = Frames(bounds)
    with conversing(
        "table", path, {"name": name}, limits=bounds, in_place=limits is None
    ) as conversation:
        while (frame := conversation.hear()) is not None:
            yield from frames.cells(frame, most_rows=MOST_ROWS)
