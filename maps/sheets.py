"""Sheets of a workbook: a heading that stays in view, and words that begin no formula."""

import io
from collections.abc import Iterable
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["add_sheet", "empty_workbook", "saved"]


def empty_workbook() -> Workbook:
    """A workbook without the sheet that openpyxl puts in."""
    book = Workbook()
    first = book.active
    if isinstance(first, Worksheet):
        book.remove(first)
    return book


def add_sheet(
    book: Workbook, title: str, rows: Iterable[list[Any]], *, stays: str = "A2"
) -> Worksheet:
    """Add rows, the first of which is the heading; what is above and left of `stays` stays."""
    sheet: Worksheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    for line in sheet.iter_rows():
        for cell in line:
            if isinstance(cell.value, str):
                cell.data_type = "s"
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = stays
    return sheet


def saved(book: Workbook) -> bytes:
    """The workbook as a file, XLSX."""
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
