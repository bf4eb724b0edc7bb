"""Assigning incidents: in the database by spatial join, and for a table in process."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.importing.columns import CellError, recognise
from data.importing.report import ImportReport
from data.importing.rows import located, stated_crs
from data.importing.sources import INCIDENT_RESOLUTION, read_any
from gis.cells import cells_of_points
from grids.who import Directory, GridFacts, WhoAnswer

__all__ = ["AssignReport", "assign_incidents", "assign_table"]

_SQL = Path(__file__).parent / "sql"
ROLES = ("gridworker", "police", "mediator")


@dataclass(frozen=True, slots=True)
class AssignReport:
    """What a run of the database assignment did."""

    assigned: int
    on_boundary: int
    outside: int
    responsible: int


def assign_incidents(session: Session, county: str) -> AssignReport:
    """Give every waiting incident its grid and its responsible people; idempotent.

    An incident keeps the grid that it was given, whatever is published later.
    """
    key = {"county": county}
    done = session.execute(
        text(
            _statement("assign_incidents") + " RETURNING (found.grid_count > 0)::int AS inside, "
            "(found.grid_count > 1)::int AS tied"
        ),
        key,
    ).all()
    people = session.execute(text(_statement("assign_responsible") + " RETURNING 1"), key).all()
    inside = sum(row.inside for row in done)
    return AssignReport(inside, sum(row.tied for row in done), len(done) - inside, len(people))


def _statement(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8").rstrip()


def assign_table(
    directory: Directory,
    source: Path,
    target: Path,
    *,
    crs: str | None = None,
    columns: dict[str, str] | None = None,
) -> ImportReport:
    """Add grid, tie count, H3 cell and the responsible people to every row of a table.

    Rows that cannot be placed are in the report with the reason; the others are written to
    `target` as CSV with the columns ``grid_code``, ``micro_grid``, ``community``,
    ``grid_count``, ``ambiguous``, ``by``, ``h3_cell`` and a name and duty phone for each role.
    The place columns keep what they held.
    """
    table = read_any(source, columns)
    system = stated_crs(table, crs)
    report = ImportReport(source.name)
    cols = recognise(table.rows[0], ("lon", "lat")) if table.rows and table.rows[0] else {}
    placed: list[_Placed] = []
    for index, row in enumerate(table.rows):
        report.read += 1
        shape = table.geometries[index] if table.geometries else None
        try:
            place = located(row, cols, shape, system, None)
        except CellError as error:
            report.refuse(index + 1, str(error), row)
            continue
        answer = directory.answer(place.lon, place.lat)
        if answer.grid is None:
            report.refuse(index + 1, answer.reason, row)
            continue
        placed.append(_Placed(row, place.lon, place.lat, answer.grid, answer))
    report.stored = report.changed = len(placed)
    _write(placed, target)
    return report


@dataclass(frozen=True, slots=True)
class _Placed:
    """A row, its place in EPSG:4326, and the answer for it."""

    row: dict[str, Any]
    lon: float
    lat: float
    grid: GridFacts
    answer: WhoAnswer

    def cells(self) -> list[Any]:
        """What is added to the row, but for the H3 cell and the people."""
        count = 1 + len(self.answer.on_boundary)
        ambiguous = "1" if self.answer.ambiguous else "0"
        micro = self.answer.micro_grid or ""
        return [self.grid.code, micro, self.grid.community, count, ambiguous, "polygon"]


def _write(placed: list[_Placed], target: Path) -> None:
    added = ["grid_code", "micro_grid", "community", "grid_count", "ambiguous", "by", "h3_cell"]
    added += [f"{role}_{part}" for role in ROLES for part in ("name", "phone")]
    own = list(placed[0].row) if placed else []
    points = np.array([(one.lon, one.lat) for one in placed], float).reshape(-1, 2)
    cells = cells_of_points(points[:, 0], points[:, 1], INCIDENT_RESOLUTION).tolist()
    partial = target.with_name(target.name + ".part")
    with partial.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow([*own, *added])
        for one, cell in zip(placed, cells, strict=True):
            people = [one.answer.first(role) for role in ROLES]
            names = [part for p in people for part in ((p.name, p.duty_phone) if p else ("", ""))]
            writer.writerow([*one.row.values(), *one.cells(), f"{cell:x}", *names])
    partial.replace(target)
