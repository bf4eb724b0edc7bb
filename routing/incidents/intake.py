"""Intake: a report from any source becomes an incident with its grid, people and deadlines."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from data.errors import StateError
from data.importing.columns import LOCAL_ZONE
from data.importing.sources import INCIDENT_RESOLUTION
from data.models import Incident, IncidentClass, Reporter
from gis.cells import cells_of_points
from gis.crs import parse_crs, to_wgs84
from gis.errors import GeometryError
from grids.address_book import AddressBook
from grids.assign import name_people
from grids.who import Directory
from routing.errors import ReportError, SeveralPlacesError
from routing.incidents.course import record
from routing.incidents.notices import DESK, notify
from routing.incidents.rules import load_rules
from routing.incidents.timing import follow_state

__all__ = ["CHANNELS", "LONGEST_WORDS", "KnownPlace", "Report", "known_address", "report_incident"]

LONGEST_WORDS = 4000
LONGEST_KEY = 100
CHANNELS = ("import", "console", "phone", "worker", "public", "open311", "csv", "video")
# A report's clock may be a little fast; what is said to come later than that is refused.
_AHEAD = timedelta(minutes=5)
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that is taken for another
_CODE_TRIES = 5
# Whoever reports by these may be anywhere; at the edge of the county a place may be meant within.
_STRANGERS, _FAR_M = frozenset({"public", "open311"}), 2000.0
_SEVERITIES = frozenset({"general", "difficult", "major"})


class KnownPlace(NamedTuple):
    """The place of a known address (degrees, EPSG:4326), and the address as it is known."""

    lon: float
    lat: float
    address: str


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody tells.

    Attributes
    ----------
    channel : str
        One of `CHANNELS`.
    x, y : float
        Easting or longitude, and northing or latitude, in `crs`.
    crs : str
        ``EPSG:n``, ``GCJ-02`` or ``BD-09``; never guessed.
    receipt_key : str or None
        The same for a report that the same sender sends again: it is one incident.
    address : str
        The known address that the place was taken from: its grid may be known by itself.
    name, phone : str
        Of who reports, with their consent, to call them back.
    """

    channel: str
    class_code: str
    x: float
    y: float
    crs: str
    description: str = ""
    severity: str = "general"
    reported_at: datetime | None = None
    receipt_key: str | None = None
    address: str = ""
    name: str = ""
    phone: str = ""


def report_incident(
    session: Session,
    county: str,
    report: Report,
    directory: Directory,
    *,
    actor: str,
    at: datetime | None = None,
) -> tuple[Incident, bool]:
    """Take a report; return the incident, and whether it is new.

    Raises
    ------
    CrsError, GeometryError
        If the place is not one.
    ReportError
        If there is no such class, it comes from the future, is too long, or is a stranger's and
        lies far outside the county.
    """
    now = at or datetime.now(UTC)
    lon, lat = _place(report)
    said = _moment(report, now)
    _check_words(session, report)
    answer = directory.answer(
        lon, lat, class_code=report.class_code, address=report.address or None
    )
    grid = answer.grid
    if (
        grid is None
        and report.channel in _STRANGERS
        and not directory.places.is_near(lon, lat, _FAR_M)
    ):
        raise ReportError("outside", f"{lon:.4f}, {lat:.4f} lies far outside county {county}")
    values = {
        "county": county,
        "class_code": report.class_code,
        "severity": report.severity,
        "reported_at": said,
        "description": report.description.strip(),
        "raw_x": report.x,
        "raw_y": report.y,
        "raw_crs": report.crs,
        "geom": f"SRID=4326;POINT({lon!r} {lat!r})",
        "grid_id": None if grid is None else grid.id,
        "grid_count": 0 if grid is None else 1 + len(answer.on_boundary),
        "cell": int(cells_of_points([lon], [lat], INCIDENT_RESOLUTION)[0]),
        "channel": report.channel,
        # A login may be called as a partner is; no account reports by a partner's channel.
        "sender": f"{report.channel}:{actor}",
        "receipt_key": report.receipt_key,
        "changed_at": now,
    }
    incident, fresh = _insert(session, values, said)
    if fresh:
        _follow(session, incident, report, directory, actor, now)
    return incident, fresh


def known_address(book: AddressBook, words: str) -> KnownPlace:
    """The place that an address names.

    Raises
    ------
    ReportError
        If no known address fits, or it is not certain which: none is chosen silently.
    """
    found = book.look_up(words)
    if not found.is_certain:
        count = len(found.rows)
        kind = SeveralPlacesError if count else ReportError
        raise kind("place", f"{count} known addresses may be meant by it, not one")
    row = int(found.rows[0])
    return KnownPlace(*book.place(row), book.table.text(row))


def _follow(
    session: Session,
    incident: Incident,
    report: Report,
    directory: Directory,
    actor: str,
    now: datetime,
) -> None:
    if report.phone or report.name:
        session.add(
            Reporter(
                incident_id=incident.id,
                county=incident.county,
                name=report.name[:100],
                phone=report.phone[:40],
                consent_at=now,
            )
        )
    name_people(session, incident.county, directory, incident=incident.id)
    follow_state(session, load_rules(session, incident.county), incident, now)
    told = {"channel": report.channel}
    record(session, incident, "accept", actor, told, before="accepted", at=now)
    notify(session, incident, "accept", DESK)


def _place(report: Report) -> tuple[float, float]:
    if not np.isfinite([report.x, report.y]).all():
        raise GeometryError(f"{report.x}, {report.y} is no place")
    lon, lat = to_wgs84([report.x], [report.y], parse_crs(report.crs))
    place = float(lon[0]), float(lat[0])
    if not (np.isfinite(place).all() and abs(place[0]) <= 180 and abs(place[1]) <= 90):
        raise GeometryError(
            f"{report.x}, {report.y} is no place in {report.crs}; longitude or easting comes first"
        )
    return place


def _check_words(session: Session, report: Report) -> None:
    words = (report.description, report.name, report.phone, report.receipt_key or "")
    if any("\x00" in one for one in words):
        raise ReportError("description", "a report holds a character that is none (U+0000)")
    if len(report.receipt_key or "") > LONGEST_KEY:
        # Cut off, two keys would be one, and a report would be lost.
        raise ReportError("receipt_key", f"a receipt key has at most {LONGEST_KEY} characters")
    if len(report.description) > LONGEST_WORDS:
        raise ReportError("description", f"a description has at most {LONGEST_WORDS} characters")
    if report.severity not in _SEVERITIES:
        raise ReportError("severity", f"severity {report.severity!r} is unknown")
    if "\x00" in report.class_code or session.get(IncidentClass, report.class_code) is None:
        raise ReportError("class_code", f"no incident class {report.class_code!r}")


def _moment(report: Report, now: datetime) -> datetime:
    said = report.reported_at or now
    if said.tzinfo is None:
        raise ReportError("reported_at", f"the time {said.isoformat()} has no zone")
    if said > now + _AHEAD:
        raise ReportError("reported_at", f"the time {said.isoformat()} has not come yet")
    return said


def _insert(session: Session, values: dict[str, object], said: datetime) -> tuple[Incident, bool]:
    """Insert under a fresh case code, or find the incident of a report that was sent again."""
    key = {name: values[name] for name in ("county", "sender", "receipt_key")}
    for _ in range(_CODE_TRIES):
        code = _case_code(str(values["county"]), said)
        statement = insert(Incident).values(source_ref=code, **values).on_conflict_do_nothing()
        number = session.scalar(statement.returning(Incident.id))
        if number is not None:
            return session.get_one(Incident, number), True
        if key["receipt_key"] is not None:
            held = session.scalar(select(Incident).filter_by(**key))
            if held is not None:
                return held, False
    raise StateError("no free case code was found; send the report again")


def _case_code(county: str, said: datetime) -> str:
    """One case one code 一案一码: county, day, and what nobody guesses."""
    day = said.astimezone(LOCAL_ZONE)
    return f"{county}-{day:%y%m%d}-" + "".join(secrets.choice(_ALPHABET) for _ in range(7))
