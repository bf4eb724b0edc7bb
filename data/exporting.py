"""Exporting people and responsibilities as the importers read them: CSV or XLSX."""

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell import WriteOnlyCell
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import SourceError
from data.importing.columns import LOCAL_ZONE
from data.safe_cells import safe_cell

__all__ = ["KINDS", "export_table", "write_table"]

KINDS = {
    "people": "SELECT person.source_ref AS id, person.name, role, person.duty_phone, mode, "
    "area_ref AS area, unit.source_ref AS unit FROM person LEFT JOIN unit ON unit.id = unit_id "
    "WHERE person.county = :county ORDER BY person.id",
    "units": "SELECT source_ref AS id, name, kind, duty_phone, division FROM unit "
    "WHERE county = :county ORDER BY id",
    "responsibilities": "SELECT person.source_ref AS person, unit.source_ref AS unit, r.role, "
    "coalesce(grid.code, r.micro_grid, r.division, area.source_ref) AS area, r.holder, "
    'r.class_scope AS scope, lower(r.valid) AS "from", upper(r.valid) AS "to" '
    "FROM responsibility AS r LEFT JOIN person ON person.id = r.person_id "
    "LEFT JOIN unit ON unit.id = r.unit_id LEFT JOIN grid ON grid.id = r.grid_id "
    "LEFT JOIN service_area AS area ON area.id = r.service_area_id "
    "WHERE r.county = :county AND NOT isempty(r.valid) ORDER BY r.id",
    "leave": "SELECT person.source_ref AS person, deputy.source_ref AS deputy, "
    'lower(valid) AS "from", upper(valid) AS "to", note FROM leave '
    "JOIN person ON person.id = person_id LEFT JOIN person AS deputy ON deputy.id = deputy_id "
    "WHERE leave.county = :county ORDER BY leave.id",
    "rosters": "SELECT duty_roster.source_ref AS id, unit.source_ref AS unit, presence, "
    'person.source_ref AS person, lower(valid) AS "from", upper(valid) AS "to", '
    "array_to_string(weekdays, ',') AS weekdays, "
    "to_char(starts, 'HH24:MI') || '-' || to_char(ends, 'HH24:MI') AS hours "
    "FROM duty_roster JOIN unit ON unit.id = duty_roster.unit_id "
    "LEFT JOIN person ON person.id = person_id WHERE duty_roster.county = :county "
    "ORDER BY duty_roster.id",
    "rules": "SELECT code AS id, position, name, grid_kind, division, class_scope AS scope, owner, "
    "array_to_string(weekdays, ',') AS weekdays, "
    "to_char(starts, 'HH24:MI') || '-' || to_char(ends, 'HH24:MI') AS hours, "
    "to_role, CASE WHEN to_owner THEN 'owner' ELSE to_unit END AS to_unit, source "
    "FROM responsibility_rule AS rule WHERE county = (SELECT max(county) FROM "
    "responsibility_rule WHERE county IN (:county, '000000')) ORDER BY position, code",
}


def export_table(session: Session, county: str, kind: str, path: Path) -> int:
    """Write one kind of list to a file; importing it again changes nothing.

    Raises
    ------
    SourceError
        If the kind or the suffix is unknown.
    """
    if kind not in KINDS:
        raise SourceError(f"{kind!r} is none of {', '.join(KINDS)}")
    found = session.execute(text(KINDS[kind]), {"county": county})
    headings = list(found.keys())
    return write_table(path, headings, (tuple(map(_cell, row)) for row in found))


def write_table(path: Path, headings: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> int:
    """Write rows as CSV or XLSX by the suffix; no spreadsheet runs a cell as a formula.

    Raises
    ------
    SourceError
        If the suffix is neither.
    """
    write = {".csv": _csv, ".xlsx": _xlsx}.get(path.suffix.lower())
    if write is None:
        raise SourceError(f"{path} is neither .csv nor .xlsx")
    partial = path.with_name(f".{path.stem}.part{path.suffix}")
    count = write(partial, headings, rows)
    partial.replace(path)
    return count


def _csv(path: Path, headings: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(map(safe_cell, headings))
        for row in rows:
            writer.writerow(map(safe_cell, row))
            count += 1
    return count


def _xlsx(path: Path, headings: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> int:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    count = -1
    for row in chain([headings], rows):
        cells = [WriteOnlyCell(sheet, value="" if value is None else value) for value in row]
        for cell in cells:
            if isinstance(cell.value, str):
                cell.data_type = "s"
        sheet.append(cells)
        count += 1
    book.save(path)
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(LOCAL_ZONE).isoformat(sep=" ")
    return value
