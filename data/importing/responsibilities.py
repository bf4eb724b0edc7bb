"""Importers of responsibilities, of who is asked, and of memberships of buildings."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Session

from data.importing.columns import CellError, hours, period, text, weekdays, whole
from data.importing.names import Names, classes_by_name
from data.importing.report import ImportReport
from data.importing.rows import Row, check_rows, place_text
from data.models import IncidentClass
from data.posts import PostChange, PostKey, record_changes
from data.readers import read_table
from data.roles import roles_by_name
from data.store import upsert

__all__ = ["import_memberships", "import_responsibilities", "import_rules"]

Columns = dict[str, str] | None
_HOLDERS = {"": "A", "A": "A", "B": "B", "A岗": "A", "B岗": "B", "主": "A", "副": "B"}
_OPEN = sql_text(
    "SELECT coalesce(person_id, -unit_id) AS who, role, grid_id, micro_grid, division, "
    "service_area_id, class_scope, holder FROM responsibility "
    "WHERE county = :county AND valid @> CAST(:at AS timestamptz)"
)
_ADD_MEMBER = sql_text(
    "INSERT INTO membership (county, building_id, address_id, grid_id, valid) "
    "SELECT :county, :building, :address, :grid, tstzrange(:at, NULL) "
    "WHERE NOT EXISTS (SELECT 1 FROM membership WHERE grid_id = :grid AND upper_inf(valid) "
    "AND building_id IS NOT DISTINCT FROM :building AND address_id IS NOT DISTINCT FROM :address) "
    "RETURNING 1"
)
_MOVE_ADDRESS = sql_text(
    "UPDATE membership SET valid = tstzrange(lower(valid), :at) WHERE address_id = :address "
    "AND grid_id <> :grid AND upper_inf(valid) AND lower(valid) < :at"
)


def import_responsibilities(
    session: Session,
    path: Path,
    *,
    county: str,
    columns: Columns = None,
    author: str = "import",
    now: datetime | None = None,
) -> ImportReport:
    """Import who holds which role where, from when to when, as A or B holder.

    Each row adds dated changes; nothing is overwritten, and files may come in any order. A row
    that says no beginning begins now, unless the post is held already.
    """
    moment = now or datetime.now(UTC)
    table = read_table(path, columns)
    report = ImportReport(path.name)
    names, roles, scopes = Names(session, county), roles_by_name(session), _scopes(session)
    held = _held(session, county, moment)
    changes: list[PostChange] = []

    def check(row: Row, cols: dict[str, str], _geometry: Any, line: int) -> Row:
        role = text(row, cols.get("role"), "role")
        if role not in roles:
            raise CellError(f"role {role!r} is unknown; see onegrid staff roles")
        holder = text(row, cols.get("holder")).upper()
        if holder not in _HOLDERS:
            raise CellError(f"holder {holder!r} is not A or B")
        scope = text(row, cols.get("scope"))
        if scope and scope not in scopes:
            raise CellError(f"class {scope!r} is not in the class table")
        begins, ends = period(row, cols.get("from"), cols.get("to"))
        key = _post(row, cols, names, roles[role], scopes.get(scope), begins or ends or moment)
        state = _HOLDERS[holder]
        if begins is None and ends is None and held.get(key) != state:
            begins = moment
        if begins is not None:
            changes.append(PostChange(key, begins, state))
        if ends is not None:
            changes.append(PostChange(key, ends, "ended"))
        return {"source_ref": str(line)}

    wanted = ("person", "unit", "role", "area", "holder", "scope", "from", "to")
    check_rows(report, table, wanted, check)
    report.changed = record_changes(session, county, changes, author=author)
    return report


def _post(
    row: Row,
    cols: dict[str, str],
    names: Names,
    role: str,
    scope: str | None,
    at: datetime,
) -> PostKey:
    person, unit = place_text(row, cols, "person"), place_text(row, cols, "unit")
    if (person is None) == (unit is None):
        raise CellError("either a person or a unit is responsible")
    column, area = names.area(text(row, cols.get("area"), "area"), at)
    return PostKey(
        None if person is None else names.person(person),
        None if unit is None else names.unit(unit),
        role,
        class_scope=scope,
        **{column: area},  # type: ignore[arg-type]  # the column decides the type
    )


def _held(session: Session, county: str, at: datetime) -> dict[PostKey, str]:
    return {
        PostKey(
            r.who if r.who > 0 else None,
            -r.who if r.who < 0 else None,
            r.role,
            r.grid_id,
            r.micro_grid,
            r.division,
            r.service_area_id,
            r.class_scope,
        ): r.holder
        for r in session.execute(_OPEN, {"county": county, "at": at})
    }


def _scopes(session: Session) -> dict[str, str]:
    """Codes, names and groups of incident classes → code or group."""
    groups = session.scalars(select(IncidentClass.group).distinct())
    return {group: group for group in groups} | classes_by_name(session)


def import_rules(
    session: Session, path: Path, *, county: str, columns: Columns = None
) -> ImportReport:
    """Import the county's own rules of who is asked; they take the place of the presets.

    What the file does not name is not asked any more.
    """
    table = read_table(path, columns)
    report = ImportReport(path.name)
    roles = roles_by_name(session) | {"class": "class", "类别": "class"}
    names, scopes = Names(session, county), _scopes(session)

    def check(row: Row, cols: dict[str, str], _geometry: Any, line: int) -> Row:
        to_role, to_unit = text(row, cols.get("to_role")), place_text(row, cols, "to_unit")
        if to_role and to_role not in roles:
            raise CellError(f"role {to_role!r} is unknown; see onegrid staff roles")
        scope = text(row, cols.get("scope"))
        if scope and scope not in scopes:
            raise CellError(f"class {scope!r} is not in the class table")
        to_owner = to_unit in {"owner", "权属单位"}
        if bool(to_role) + (to_unit is not None) != 1:
            raise CellError("a rule names either a role or a unit to ask")
        if to_unit is not None and not to_owner:
            names.unit(to_unit)
        division, day = place_text(row, cols, "division"), hours(row, cols.get("hours"))
        code = text(row, cols.get("id"), "id")
        return {
            "county": county,
            "source_ref": code,
            "code": code,
            "position": whole(row, cols.get("position"), "position") or line,
            "name": text(row, cols.get("name"), "name"),
            "grid_kind": place_text(row, cols, "grid_kind"),
            "division": None if division is None else _prefix(names.division(division)),
            "class_scope": scopes.get(scope),
            "owner": place_text(row, cols, "owner"),
            "weekdays": weekdays(row, cols.get("weekdays")),
            "starts": None if day is None else day[0],
            "ends": None if day is None else day[1],
            "to_role": roles.get(to_role),
            "to_unit": None if to_owner else to_unit,
            "to_owner": to_owner,
            "source": text(row, cols.get("source")) or report.source,
            "verified": False,
        }

    wanted = ("id", "position", "name", "grid_kind", "division", "scope", "owner", "weekdays")
    rows = check_rows(report, table, (*wanted, "hours", "to_role", "to_unit", "source"), check)
    stored = [{k: v for k, v in row.items() if k != "source_ref"} for row in rows]
    if stored and not report.refused:
        codes = [row["code"] for row in stored]
        session.execute(
            sql_text(
                "DELETE FROM responsibility_rule WHERE county = :county AND code <> ALL(:codes)"
            ),
            {"county": county, "codes": codes},
        )
    report.changed = upsert(session, "responsibility_rule", stored, key=("county", "code"))
    return report


def _prefix(division: str) -> str:
    """The digits that the codes below a division begin with."""
    if division.endswith("000000"):
        return division[:6]
    return division[:9] if division.endswith("000") else division


def import_memberships(
    session: Session,
    path: Path,
    *,
    county: str,
    columns: Columns = None,
    now: datetime | None = None,
) -> ImportReport:
    """Import which grid a building or an address belongs to, whatever the polygons say.

    A building may belong to several grids; an address belongs to one, and moves to another.
    """
    moment = now or datetime.now(UTC)
    table = read_table(path, columns)
    report = ImportReport(path.name)
    names = Names(session, county)
    buildings = names.numbered("building")
    addresses = names.numbered("address", "text")

    def check(row: Row, cols: dict[str, str], _geometry: Any, line: int) -> Row:
        building, address = place_text(row, cols, "building"), place_text(row, cols, "address")
        if (building is None) == (address is None):
            raise CellError("either a building or an address belongs to a grid")
        grid = names.grid(text(row, cols.get("grid"), "grid"), moment)
        stored: Row = {"source_ref": str(line), "county": county, "grid": grid, "at": moment}
        stored["building"] = _known(buildings, building, "building")
        stored["address"] = _known(addresses, address, "address")
        return stored

    for row in check_rows(report, table, ("building", "address", "grid"), check):
        if row["address"] is not None:
            session.execute(_MOVE_ADDRESS, row)
        report.changed += len(session.execute(_ADD_MEMBER, row).all())
    return report


def _known(held: dict[str, set[int]], name: str | None, what: str) -> int | None:
    if name is None:
        return None
    found = held.get(name, set())
    if not found:
        raise CellError(f"no {what} has the number or text {name!r}")
    if len(found) > 1:
        raise CellError(
            f"{len(found)} have the number or text {name!r}: give what only one {what} has"
        )
    return next(iter(found))
