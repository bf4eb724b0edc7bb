"""Positions that devices tell: the latest one only, only of staff on duty, only if it is newer."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.errors import NotFoundError, StateError
from data.models import Device, Person
from data.positions import KEEP_MINUTES
from routing.errors import DeviceError, ReportError

__all__ = ["Fix", "disable_devices", "enrol_device", "forget_position", "take_fix"]

_AHEAD = timedelta(minutes=1)
# One statement, since devices ask most of all. Hours of a roster may run past midnight: they belong
# to the day on which they began. Who is on no roster is on duty unless on leave.
_KEEP = text("""
    WITH clock AS (SELECT now() AT TIME ZONE 'Asia/Shanghai' AS t),
    told AS (
        SELECT coalesce(CAST(:person AS bigint), (SELECT person_id FROM device
               WHERE token_hash = :hash AND disabled_at IS NULL)) AS person_id
    ),
    who AS (
        SELECT person.id, person.county, NOT EXISTS (
            SELECT 1 FROM leave WHERE leave.person_id = person.id AND leave.valid @> now())
        AND coalesce((SELECT bool_or(
            (weekdays IS NULL OR extract(isodow FROM clock.t
                - CASE WHEN starts >= ends AND clock.t::time < ends THEN interval '1 day'
                       ELSE interval '0' END)::int = ANY (weekdays))
            AND (starts IS NULL OR CASE WHEN starts < ends
                 THEN clock.t::time >= starts AND clock.t::time < ends
                 ELSE clock.t::time >= starts OR clock.t::time < ends END))
            FROM duty_roster, clock
            WHERE duty_roster.person_id = person.id AND valid @> now()), true) AS on_duty
        FROM person JOIN told ON told.person_id = person.id
    ),
    kept AS (
        INSERT INTO position (person_id, county, at, geom)
        SELECT id, county, :at, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326) FROM who WHERE on_duty
        ON CONFLICT (person_id) DO UPDATE SET at = excluded.at, geom = excluded.geom
        WHERE position.at < excluded.at RETURNING 1
    )
    SELECT who.id, who.on_duty, EXISTS (SELECT 1 FROM kept) AS kept FROM who
""")


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a device is: lon and lat in EPSG:4326, and when it was there."""

    lon: float
    lat: float
    at: datetime


def take_fix(session: Session, fix: Fix, *, token: str = "", person: int | None = None) -> int:
    """Keep a position in place of the one before; return whose it is.

    Parameters
    ----------
    token : str
        Of the device that tells it.
    person : int, optional
        Instead of a token: who is signed in.

    Raises
    ------
    DeviceError
        If nobody has such a device, or they are not on duty: nothing is kept.
    ReportError
        If it is no place, has not come yet, or is too old to say where somebody is.
    StateError
        If a newer one is held: it was told before, or out of order.
    """
    now = datetime.now(UTC)
    _check(fix, now)
    key: dict[str, object] = {"person": person, "hash": _hash(token)}
    key |= {"at": fix.at, "lon": fix.lon, "lat": fix.lat}
    found = session.execute(_KEEP, key).one_or_none()
    if found is None:
        raise DeviceError("this device is not known here, or was disabled")
    if not found.on_duty:
        raise DeviceError("not on duty: positions are kept on duty only")
    if not found.kept:
        raise StateError("a position of this time or a later one was told before")
    return int(found.id)


def _check(fix: Fix, now: datetime) -> None:
    if not (abs(fix.lon) <= 180 and abs(fix.lat) <= 90):  # not so for a NaN either
        raise ReportError("place", f"({fix.lon}, {fix.lat}) is no place on earth in EPSG:4326")
    if (fix.lon, fix.lat) == (0.0, 0.0):
        raise ReportError("place", "(0, 0) is what a device tells that does not know its place")
    if fix.at > now + _AHEAD:
        raise ReportError("timestamp", f"the time {fix.at.isoformat()} has not come yet")
    if fix.at < now - timedelta(minutes=KEEP_MINUTES):
        raise ReportError("timestamp", f"older than {KEEP_MINUTES} minutes says where nobody is")


def enrol_device(session: Session, county: str, person: int) -> str:
    """Give a person a device; return its token, which is told once and held as a hash only.

    Raises
    ------
    NotFoundError
        If the county has no such person.
    """
    held = session.get(Person, person)
    if held is None or held.county != county:
        raise NotFoundError(f"county {county} has no person {person}")
    token = secrets.token_urlsafe(18)
    session.add(Device(county=county, token_hash=_hash(token), person_id=person))
    session.flush()
    return token


def disable_devices(session: Session, county: str, person: int) -> int:
    """Take a person's devices away, and their position with them; return how many."""
    gone = session.execute(
        text(
            "UPDATE device SET disabled_at = now() WHERE person_id = :person "
            "AND county = :county AND disabled_at IS NULL RETURNING 1"
        ),
        {"person": person, "county": county},
    ).all()
    forget_position(session, person)
    return len(gone)


def forget_position(session: Session, person: int) -> None:
    """Delete where somebody is: they went off duty."""
    session.execute(text("DELETE FROM position WHERE person_id = :person"), {"person": person})


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
