"""Importers of people, units, leave and duty rosters."""

from pathlib import Path
from typing import Any

from sqlalchemy import text as sql_text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from data.importing.columns import CellError, hours, period, text, weekdays
from data.importing.names import Names
from data.importing.report import ImportReport
from data.importing.rows import Row, check_rows, place_text
from data.readers import read_table
from data.roles import MODES, roles_by_name
from data.store import upsert

__all__ = ["import_leave", "import_people", "import_rosters", "import_units"]

Columns = dict[str, str] | None
_UNIT_KINDS = {
    "centre": "centre",
    "police_station": "police_station",
    "department": "department",
    "中心": "centre",
    "网格中心": "centre",
    "网格化服务中心": "centre",
    "派出所": "police_station",
    "部门": "department",
}
_PRESENCE = {"常驻": "resident", "轮驻": "rotating", "随驻": "on_call", "随叫随到": "on_call"}
_PRESENCE |= {kind: kind for kind in ("resident", "rotating", "on_call")}
_CUT_LEAVE = sql_text(
    "DELETE FROM leave WHERE county = :county AND person_id = :person AND valid && "
    "tstzrange(:begins, :ends) AND NOT (valid = tstzrange(:begins, :ends) "
    "AND deputy_id IS NOT DISTINCT FROM :deputy AND note = :note)"
)
_ADD_LEAVE = sql_text(
    "INSERT INTO leave (county, person_id, deputy_id, valid, note) "
    "SELECT :county, :person, :deputy, tstzrange(:begins, :ends), :note "
    "WHERE NOT EXISTS (SELECT 1 FROM leave WHERE person_id = :person "
    "AND valid && tstzrange(:begins, :ends))"
)


def import_people(
    session: Session, path: Path, *, county: str, columns: Columns = None
) -> ImportReport:
    """Import staff: name, role, duty phone, way of moving, area and unit."""
    table = read_table(path, columns)
    report = ImportReport(path.name)
    roles, names = roles_by_name(session), Names(session, county)

    def check(row: Row, cols: dict[str, str], _geometry: Any, _line: int) -> Row:
        role = text(row, cols.get("role"), "role")
        if role not in roles:
            raise CellError(f"role {role!r} is unknown; see onegrid staff roles")
        mode = text(row, cols.get("mode")) or "foot"
        if (mode := MODES.get(mode, mode)) not in MODES.values():
            raise CellError(f"way of moving {mode!r} is unknown")
        name = text(row, cols.get("name"), "name")
        unit = place_text(row, cols, "unit")
        return {
            "county": county,
            "source_ref": text(row, cols.get("id")) or f"{roles[role]}:{name}",
            "name": name,
            "role": roles[role],
            "mode": mode,
            "duty_phone": place_text(row, cols, "duty_phone"),
            "area_ref": place_text(row, cols, "area"),
            "unit_id": None if unit is None else names.unit(unit),
        }

    wanted = ("id", "name", "role", "duty_phone", "mode", "area", "unit")
    rows = check_rows(report, table, wanted, check)
    report.changed = upsert(session, "person", rows)
    return report


def import_units(
    session: Session, path: Path, *, county: str, columns: Columns = None
) -> ImportReport:
    """Import centres, police stations and departments with their duty telephones."""
    table = read_table(path, columns)
    report = ImportReport(path.name)
    names = Names(session, county)

    def check(row: Row, cols: dict[str, str], _geometry: Any, _line: int) -> Row:
        name = text(row, cols.get("name"), "name")
        kind = text(row, cols.get("kind"), "kind")
        if kind not in _UNIT_KINDS:
            raise CellError(f"kind {kind!r} is not centre, police_station or department")
        division = place_text(row, cols, "division")
        return {
            "county": county,
            "source_ref": text(row, cols.get("id")) or name,
            "kind": _UNIT_KINDS[kind],
            "name": name,
            "duty_phone": text(row, cols.get("duty_phone"), "duty phone"),
            "division": None if division is None else names.division(division),
        }

    rows = check_rows(report, table, ("id", "name", "kind", "duty_phone", "division"), check)
    report.changed = upsert(session, "unit", rows)
    return report


def import_leave(
    session: Session, path: Path, *, county: str, columns: Columns = None
) -> ImportReport:
    """Import who is away from when to when, and who stands in.

    A row takes the place of what was recorded for the person and overlaps it.
    """
    table = read_table(path, columns)
    report = ImportReport(path.name)
    names = Names(session, county)

    def check(row: Row, cols: dict[str, str], _geometry: Any, line: int) -> Row:
        person = names.person(text(row, cols.get("person"), "person"))
        deputy = place_text(row, cols, "deputy")
        stands_in = None if deputy is None else names.person(deputy)
        if stands_in == person:
            raise CellError("nobody stands in for themselves")
        begins, ends = period(row, cols.get("from"), cols.get("to"))
        if begins is None:
            raise CellError("from is missing")
        return {
            "source_ref": str(line),
            "county": county,
            "person": person,
            "deputy": stands_in,
            "begins": begins,
            "ends": ends,
            "note": text(row, cols.get("note"))[:400],
        }

    rows = check_rows(report, table, ("person", "deputy", "from", "to", "note"), check)
    for row in rows:
        session.execute(_CUT_LEAVE, row)
        report.changed += len(session.execute(sql_text(f"{_ADD_LEAVE} RETURNING 1"), row).all())
    return report


def import_rosters(
    session: Session, path: Path, *, county: str, columns: Columns = None
) -> ImportReport:
    """Import when units are on duty and by whom: resident, rotating or on call."""
    table = read_table(path, columns)
    report = ImportReport(path.name)
    names = Names(session, county)

    def check(row: Row, cols: dict[str, str], _geometry: Any, _line: int) -> Row:
        unit = text(row, cols.get("unit"), "unit")
        presence = text(row, cols.get("presence"), "presence")
        if presence not in _PRESENCE:
            raise CellError(f"presence {presence!r} is not resident, rotating or on_call")
        person = place_text(row, cols, "person")
        begins, ends = period(row, cols.get("from"), cols.get("to"))
        days, day = weekdays(row, cols.get("weekdays")), hours(row, cols.get("hours"))
        parts = (unit, presence, person, begins, ends, days, day)
        return {
            "county": county,
            "source_ref": text(row, cols.get("id")) or "|".join(map(str, parts))[:200],
            "unit_id": names.unit(unit),
            "person_id": None if person is None else names.person(person),
            "presence": _PRESENCE[presence],
            "valid": Range(begins, ends),
            "weekdays": days,
            "starts": None if day is None else day[0],
            "ends": None if day is None else day[1],
        }

    wanted = ("id", "unit", "presence", "person", "from", "to", "weekdays", "hours")
    rows = check_rows(report, table, wanted, check)
    report.changed = upsert(session, "duty_roster", rows)
    return report
