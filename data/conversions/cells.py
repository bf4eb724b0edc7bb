"""Rows of cells as a file holds them: CSV (UTF-8 or GB18030, also .gz) and XLSX.

Packed files unpack to many times their size: a converter reads them (`data.readers.table`).
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from data.errors import SourceError

__all__ = ["load_fully", "rows_of", "rows_of_workbook"]


def load_fully() -> None:
    """Read a small workbook: openpyxl, and the codecs, load parts of themselves only then."""
    book, packed = openpyxl.Workbook(write_only=True), io.BytesIO()
    book.create_sheet().append(["网"])
    book.save(packed)
    for line in openpyxl.load_workbook(packed, read_only=True, data_only=True).worksheets[0]:
        str(line[0].value).encode("gb18030").decode("gb18030").encode("utf-8-sig")


def rows_of(path: Path, name: str) -> Iterator[list[str]]:
    """Rows of a CSV or of the first sheet of an XLSX, as text.

    Parameters
    ----------
    name : str
        What the file is called in messages.

    Raises
    ------
    SourceError
        If it is neither, in no known encoding, or has a cell that is no cell.
    """
    if path.suffix.lower() == ".xlsx":
        yield from rows_of_workbook(path, name)
        return
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(f"{name} is no gzip file: {error}") from error
    table = csv.reader(io.StringIO(_decode(raw, name)))
    try:
        yield from table
    except csv.Error as error:
        raise SourceError(f"{name}, line {table.line_num}: {error}") from error


def _decode(raw: bytes, name: str) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SourceError(f"{name} is neither UTF-8 nor GB18030")


def rows_of_workbook(path: Path, name: str) -> Iterator[list[str]]:
    """Rows of the first sheet of an XLSX as text.

    Raises
    ------
    SourceError
        If the file is no workbook.
    """
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError) as error:
        raise SourceError(f"{name} is no workbook: {error}") from error
    try:
        for line in book.worksheets[0].iter_rows(values_only=True):
            yield ["" if cell is None else str(cell) for cell in line]
    finally:
        book.close()
