"""Tables: CSV (UTF-8 or GB18030) and XLSX, every cell as text."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from data.errors import SourceError
from gis.crs import SourceCrs

__all__ = ["SourceTable", "distinct", "read_table", "rows_of_workbook"]


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
    lines = rows_of_workbook(path) if path.suffix.lower() == ".xlsx" else _read_csv(path)
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


def distinct(names: list[str]) -> list[str]:
    """Number headings that stand twice, so that no column hides another."""
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return distinct


def _decode(raw: bytes, path: Path) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SourceError(f"{path} is neither UTF-8 nor GB18030")


def _read_csv(path: Path) -> Iterator[list[str]]:
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError) as error:
        raise SourceError(f"{path} is no gzip file: {error}") from error
    yield from csv.reader(StringIO(_decode(raw, path)))


def rows_of_workbook(path: Path) -> Iterator[list[str]]:
    """Rows of the first sheet of an XLSX as text.

    Raises
    ------
    SourceError
        If the file is no workbook.
    """
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError) as error:
        raise SourceError(f"{path} is no workbook: {error}") from error
    try:
        for line in book.worksheets[0].iter_rows(values_only=True):
            yield ["" if cell is None else str(cell) for cell in line]
    finally:
        book.close()
