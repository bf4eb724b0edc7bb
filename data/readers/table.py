"""Tables: CSV (UTF-8 or GB18030) and XLSX, every cell as text."""

import csv
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from data.errors import SourceError
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


def read_table(path: Path, columns: Mapping[str, str] | None = None) -> SourceTable:
    """Read a CSV (also .gz) or XLSX file.

    Parameters
    ----------
    path : Path
    columns : mapping, optional
        Heading in the file → name wanted, applied before any recognition.

    Raises
    ------
    SourceError
        If the file is missing, has no heading row, or is neither UTF-8 nor GB18030.
    """
    if not path.is_file():
        raise SourceError(f"no file {path}")
    rows = _read_xlsx(path) if path.suffix.lower() == ".xlsx" else _read_csv(path)
    renames = columns or {}
    return SourceTable([{renames.get(k, k): v for k, v in row.items()} for row in rows])


def _decode(raw: bytes, path: Path) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SourceError(f"{path} is neither UTF-8 nor GB18030")


def _read_csv(path: Path) -> list[dict[str, Any]]:
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError) as error:
        raise SourceError(f"{path} is no gzip file: {error}") from error
    reader = csv.DictReader(StringIO(_decode(raw, path)), restval="")
    if not reader.fieldnames:
        raise SourceError(f"{path} has no heading row")
    return [{str(k).strip(): v for k, v in row.items() if k is not None} for row in reader]


def _read_xlsx(path: Path) -> list[dict[str, Any]]:
    try:
        sheet = openpyxl.load_workbook(path, read_only=True, data_only=True).worksheets[0]
    except (BadZipFile, InvalidFileException, KeyError) as error:
        raise SourceError(f"{path} is no workbook: {error}") from error
    lines = sheet.iter_rows(values_only=True)
    headings = [str(cell).strip() if cell is not None else "" for cell in next(lines, ())]
    if not any(headings):
        raise SourceError(f"{path} has no heading row")
    return [
        {
            name: "" if cell is None else str(cell)
            for name, cell in zip(headings, line, strict=False)
        }
        for line in lines
        if any(cell is not None for cell in line)
    ]
