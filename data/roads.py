"""Closures and speeds as they are held: who closed what, until when, and what holds now."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import shapely
from geoalchemy2.shape import from_shape, to_shape
from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.orm import Session

from data.errors import NotFoundError, SourceError
from data.models import Closure, RoadSpeed
from data.scope import Scope

__all__ = [
    "MODES",
    "HeldClosure",
    "HeldSpeed",
    "RoadState",
    "close_roads",
    "forget_speeds",
    "held_closures",
    "read_speeds",
    "reopen",
    "road_state",
    "road_version",
    "store_speeds",
]

# As in the tables' checks.
MODES = ("car", "moped", "foot")
_CHUNK = 5000
# How far beyond the edge of their area somebody may close a road: roads run along edges.
_MARGIN_M = 100.0


@dataclass(frozen=True, slots=True)
class HeldClosure:
    """A closure; `geom` is a polygon or a line in EPSG:4326, `ends` None for no end known."""

    id: int
    geom: Any
    one_way: bool
    modes: tuple[str, ...]
    begins: datetime
    ends: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class HeldSpeed:
    """Speed on an OSM way, along it or back."""

    way: int
    backward: bool
    mode: str
    kph: float


@dataclass(frozen=True, slots=True)
class RoadState:
    """What holds on a county's roads at a moment.

    Attributes
    ----------
    version : str
        Of the county's closures and speeds.
    holds_until : datetime or None
        When the next closure begins or ends.
    """

    version: str
    closures: tuple[HeldClosure, ...]
    speeds: tuple[HeldSpeed, ...]
    holds_until: datetime | None


_VERSION = text("SELECT mark::text FROM road_version WHERE county = :county")
_NEXT = text(
    """
    SELECT min(at) FROM (
        SELECT lower(valid) AS at FROM closure WHERE county = :county AND lower(valid) > :now
        UNION ALL
        SELECT upper(valid) FROM closure WHERE county = :county AND upper(valid) > :now
    ) AS boundary
    """
)


def road_version(session: Session, county: str) -> str:
    """A mark of closures and speeds, another one after every change; ``""`` before any."""
    return str(session.scalar(_VERSION, {"county": county}) or "")


def road_state(session: Session, county: str, at: datetime) -> RoadState:
    """Everything that holds at a moment; read in the session's one transaction."""
    version = road_version(session, county)
    rows = session.execute(
        select(RoadSpeed.way, RoadSpeed.backward, RoadSpeed.mode, RoadSpeed.kph).where(
            RoadSpeed.county == county
        )
    ).all()
    return RoadState(
        version,
        tuple(held_closures(session, county, at=at)),
        tuple(HeldSpeed(*row) for row in rows),
        session.scalar(_NEXT, {"county": county, "now": at}),
    )


def held_closures(session: Session, county: str, *, at: datetime | None) -> list[HeldClosure]:
    """Closures that hold at a moment, or all that have not ended, by their numbers."""
    query = select(Closure).where(Closure.county == county).order_by(Closure.id)
    if at is None:
        query = query.where(func.coalesce(func.upper(Closure.valid) > func.now(), True))
    else:
        query = query.where(Closure.valid.contains(at))
    return [
        HeldClosure(
            row.id,
            to_shape(row.geom),
            row.one_way,
            tuple(row.modes),
            _known(row.valid.lower),
            row.valid.upper,
            row.reason,
        )
        for row in session.scalars(query)
    ]


def _known(begins: datetime | None) -> datetime:
    return begins or datetime.min.replace(tzinfo=UTC)


def close_roads(
    session: Session,
    scope: Scope,
    geom: Any,
    *,
    begins: datetime,
    ends: datetime | None,
    reason: str,
    author: str,
    modes: Sequence[str] = MODES,
    one_way: bool = False,
) -> int:
    """Close roads for a time; return the closure's number.

    Parameters
    ----------
    geom : shapely Polygon, MultiPolygon or LineString, EPSG:4326
        All roads that cross the area, or the roads that run along the line.

    Raises
    ------
    SourceError
        If the shape is of another kind, empty, invalid or outside the area, the time is none, or
        a mode unknown.
    """
    if geom.geom_type not in {"Polygon", "MultiPolygon", "LineString"}:
        raise SourceError(f"a {geom.geom_type} closes no road: give a polygon or a line")
    if geom.is_empty or not geom.is_valid:
        raise SourceError(f"the closed place is not valid: {shapely.is_valid_reason(geom)}")
    west, south, east, north = geom.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise SourceError("the closed place is not in degrees: give lon, lat in EPSG:4326")
    if ends is not None and ends <= begins:
        raise SourceError(f"the closure ends ({ends}) before it begins ({begins})")
    if not modes or set(modes) - set(MODES):
        raise SourceError(f"modes {', '.join(modes) or '(none)'}: choose of {', '.join(MODES)}")
    _require_own_ground(session, scope, geom)
    row = Closure(
        county=scope.county,
        geom=from_shape(geom, srid=4326),
        one_way=one_way,
        modes=list(modes),
        valid=Range(begins, ends, bounds="[)"),
        reason=reason,
        author=author,
    )
    session.add(row)
    session.flush()
    return row.id


def reopen(session: Session, scope: Scope, number: int, *, at: datetime) -> None:
    """End a closure; one that has not begun is taken back.

    Raises
    ------
    NotFoundError
        If the county has no such closure, or it has ended.
    SourceError
        If it lies outside the area.
    """
    row = session.get(Closure, number, with_for_update=True)
    ended = row is not None and row.valid.upper is not None and row.valid.upper <= at
    if row is None or row.county != scope.county or ended:
        raise NotFoundError(f"county {scope.county} has no closure {number} that still holds")
    _require_own_ground(session, scope, to_shape(row.geom))
    if _known(row.valid.lower) >= at:
        session.delete(row)
    else:
        row.valid = Range(row.valid.lower, at, bounds="[)")
    session.flush()


def _require_own_ground(session: Session, scope: Scope, geom: Any) -> None:
    """Keep who closes and opens roads to their own area, and what lies within 100 m of it.

    Parameters
    ----------
    geom : shapely geometry, EPSG:4326

    Raises
    ------
    SourceError
        If part of it lies elsewhere.
    """
    if scope.is_whole:
        return
    query = text(
        "SELECT ST_Covers(ST_Buffer(ST_Union(geom)::geography, :margin)::geometry, "
        "ST_GeomFromWKB(:shape, 4326)) FROM division "
        "WHERE county = :county AND level = 'village' AND code ^@ ANY (:prefixes)"
    )
    given = {"margin": _MARGIN_M, "shape": shapely.to_wkb(geom), **scope.parameters}
    if not session.scalar(query, given):
        raise SourceError("this place lies outside your area: ask the dispatcher of the county")


def read_speeds(path: Path) -> list[HeldSpeed]:
    """Read a CSV file of speeds: ``way,kph`` and optionally ``direction`` and ``mode``.

    The direction is ``forward``, ``backward`` or empty for both; the mode is ``car`` where it
    is not given.

    Raises
    ------
    SourceError
        If a column is missing or a row cannot be understood; nothing is read then.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if missing := {"way", "kph"} - set(rows.fieldnames or ()):
                raise SourceError(f"{path.name} has no column {', '.join(sorted(missing))}")
            return [speed for row in rows for speed in _speeds(path.name, rows.line_num, row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path.name} cannot be read: {error}") from error


def _speeds(name: str, line: int, row: dict[str, str]) -> Iterator[HeldSpeed]:
    direction, mode = row.get("direction") or "", row.get("mode") or "car"
    try:
        way, kph = int(row["way"]), float(row["kph"])
    except (TypeError, ValueError) as error:
        raise SourceError(f"{name}, line {line}: way or kph is no number: {row}") from error
    if not 0 < kph <= 200 or mode not in MODES or direction not in {"", "forward", "backward"}:
        raise SourceError(
            f"{name}, line {line}: kph must be above 0 and at most 200, mode one of "
            f"{', '.join(MODES)}, direction forward, backward or empty: {row}"
        )
    for backward in (False, True):
        if direction in {"", "backward" if backward else "forward"}:
            yield HeldSpeed(way, backward, mode, kph)


def store_speeds(session: Session, county: str, speeds: Iterable[HeldSpeed], *, author: str) -> int:
    """Store speeds; the last of a way, direction and mode holds. Return how many are new."""
    last = {(one.way, one.backward, one.mode): one for one in speeds}
    rows = [
        {
            "county": county,
            "way": one.way,
            "backward": one.backward,
            "mode": one.mode,
            "kph": one.kph,
            "author": author,
        }
        for one in last.values()
    ]
    for first in range(0, len(rows), _CHUNK):
        query = insert(RoadSpeed).values(rows[first : first + _CHUNK])
        changed = {"kph": query.excluded.kph, "author": author, "made_at": func.now()}
        session.execute(query.on_conflict_do_update(constraint="pk_road_speed", set_=changed))
    return len(rows)


def forget_speeds(session: Session, county: str) -> int:
    """Go back to the usual speeds; return how many were held."""
    gone = session.execute(
        delete(RoadSpeed).where(RoadSpeed.county == county).returning(RoadSpeed.way)
    )
    return len(gone.all())
