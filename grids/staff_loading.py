"""Loading the staff of a county: people, units, posts, leave, rosters, classes and rules."""

from datetime import datetime, time
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.presets import ALL_COUNTIES
from grids.responsibility.records import (
    AreaKey,
    Away,
    Hours,
    IncidentKind,
    PersonFacts,
    Post,
    Rule,
    Shift,
    UnitFacts,
)
from grids.responsibility.staff import Staff

__all__ = ["load_staff"]

_PEOPLE = text(
    "SELECT id, name, duty_phone, mode, unit_id, "
    "CASE WHEN private_phone_consent_at <= now() THEN private_phone END AS private_phone, "
    "photo IS NOT NULL AND photo_consent_at <= now() AS has_photo "
    "FROM person WHERE county = :county ORDER BY id"
)
_UNITS = text(
    "SELECT id, name, kind, duty_phone, division FROM unit WHERE county = :county ORDER BY id"
)
_POSTS = text(
    "SELECT r.id, r.person_id, r.unit_id, r.role, r.holder, r.division, r.micro_grid, "
    "r.service_area_id, r.class_scope, lower(r.valid) AS begins, upper(r.valid) AS ends, "
    "grid.code AS grid, service_area.name AS service_area, division.name AS division_name "
    "FROM responsibility AS r LEFT JOIN grid ON grid.id = r.grid_id "
    "LEFT JOIN division ON division.code = r.division "
    "LEFT JOIN service_area ON service_area.id = r.service_area_id "
    "WHERE r.county = :county AND r.valid && tstzrange(:since, NULL)"
)
_LEAVE = text(
    "SELECT person_id, deputy_id, lower(valid) AS begins, upper(valid) AS ends FROM leave "
    "WHERE county = :county AND valid && tstzrange(:since, NULL)"
)
_SHIFTS = text(
    "SELECT unit_id, person_id, presence, weekdays, starts, ends AS until, "
    "lower(valid) AS begins, upper(valid) AS ends FROM duty_roster "
    "WHERE county = :county AND valid && tstzrange(:since, NULL) ORDER BY lower(valid) DESC, id"
)
_CLASSES = text('SELECT code, "group", responder_role FROM incident_class')
_RULES = text(
    "SELECT code, name, grid_kind, division, class_scope, owner, weekdays, starts, ends, to_role, "
    "to_unit, to_owner FROM responsibility_rule WHERE county = :county ORDER BY position, code"
)


def load_staff(session: Session, county: str, since: datetime) -> Staff:
    """Everything that holds at some time after a moment: a question's own time picks from it."""
    key = {"county": county, "since": since}
    staff = Staff()
    for r in session.execute(_PEOPLE, key):
        staff.people[r.id] = PersonFacts(
            r.id, r.name, r.duty_phone, r.mode, r.unit_id, r.private_phone, r.has_photo
        )
    staff.add_units(
        UnitFacts(r.id, r.name, r.kind, r.duty_phone, _short(r.division) if r.division else None)
        for r in session.execute(_UNITS, key)
    )
    staff.add_posts(_post(r) for r in session.execute(_POSTS, key))
    for r in session.execute(_LEAVE, key):
        away = Away(_from(r.begins), _until(r.ends), r.deputy_id)
        staff.leave.setdefault(r.person_id, []).append(away)
    for r in session.execute(_SHIFTS, key):
        hours = _hours(r.weekdays, r.starts, r.until)
        shift = Shift(r.person_id, r.presence, _from(r.begins), _until(r.ends), hours)
        staff.shifts.setdefault(r.unit_id, []).append(shift)
    for r in session.execute(_CLASSES):
        staff.classes[r.code] = IncidentKind(r.code, r.group, r.responder_role)
    own = session.execute(_RULES, key).all()
    rules = own or session.execute(_RULES, {"county": ALL_COUNTIES}).all()
    staff.rules = [_rule(r) for r in rules]
    return staff


def _post(row: Any) -> Post:
    area, name = _area(row)
    return Post(
        row.id,
        row.person_id,
        row.unit_id,
        row.role,
        row.holder,
        area,
        name,
        row.class_scope,
        _from(row.begins),
        _until(row.ends),
    )


def _area(row: Any) -> tuple[AreaKey, str]:
    if row.grid is not None:
        return ("grid", row.grid), row.grid
    if row.micro_grid is not None:
        return ("micro_grid", row.micro_grid), row.micro_grid
    if row.service_area_id is not None:
        return ("service_area", str(row.service_area_id)), row.service_area
    return _division(row.division), row.division_name


def _division(code: str) -> AreaKey:
    if code.endswith("000000"):
        return "county", code[:6]
    return ("town", code) if code.endswith("000") else ("community", code)


def _short(division: str) -> str:
    return _division(division)[1]


def _rule(row: Any) -> Rule:
    return Rule(
        row.code,
        row.name,
        row.grid_kind,
        row.division,
        row.class_scope,
        row.owner,
        _hours(row.weekdays, row.starts, row.ends),
        row.to_role,
        row.to_unit,
        row.to_owner,
    )


def _hours(weekdays: list[int] | None, starts: time | None, ends: time | None) -> Hours:
    return Hours(frozenset(weekdays or ()), _minute(starts), _minute(ends))


def _minute(value: time | None) -> int | None:
    return None if value is None else value.hour * 60 + value.minute


def _from(value: datetime | None) -> float:
    return float("-inf") if value is None else value.timestamp()


def _until(value: datetime | None) -> float:
    return float("inf") if value is None else value.timestamp()
