"""Who of a role is where now: the fleet follows the table of positions."""

import threading
import time
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.positions import KEEP_MINUTES
from routing.fleet import Fleet
from routing.network import MODES

__all__ = ["Responders", "Whereabouts"]

# Whoever was heard since the reading before. A write is seen when it is committed, not when it is
# heard: what was heard a little before that reading is read again.
_AGAIN_S = 5.0
# Deletions are not heard, nor is a person's new role: now and then everything is read.
_WHOLE_S = 30.0
_ROWS = (
    "SELECT position.person_id AS person, ST_X(position.geom) AS lon, ST_Y(position.geom) AS lat, "
    "array_position(ARRAY['car', 'moped', 'foot'], person.mode::text) - 1 AS mode, "
    "extract(epoch FROM position.at)::float8 AS at_s FROM position "
    "JOIN person ON person.id = position.person_id "
    "WHERE position.county = :county AND person.role = :role"
)
_HEARD = text(f"{_ROWS} AND heard_at > to_timestamp(:since_s)")
# One value for all: eighteen thousand rows are no Python objects.
_WHOLE = text(
    "SELECT string_agg(int8send(person) || float8send(lon) || float8send(lat) "  # noqa: S608 - constants
    f"|| int4send(mode) || float8send(at_s), '') FROM ({_ROWS}) AS held"
)
_CLOCK = text("SELECT extract(epoch FROM clock_timestamp())::float8")
_PACKED = np.dtype(
    [("person", ">i8"), ("lon", ">f8"), ("lat", ">f8"), ("mode", ">i4"), ("at_s", ">f8")]
)


@dataclass(frozen=True)
class Whereabouts:
    """Positions of a role, by person.

    Attributes
    ----------
    person : ndarray of int64, shape (n,), ascending
    lon, lat : ndarray of float64, shape (n,), degrees, EPSG:4326
    mode : ndarray of int32, shape (n,), positions in `MODES`
    at_s : ndarray of float64, shape (n,), seconds since 1970
    """

    person: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    mode: NDArray[np.int32]
    at_s: NDArray[np.float64]

    @classmethod
    def of(
        cls, person: object, lon: object, lat: object, mode: object, at_s: object
    ) -> "Whereabouts":
        """Of columns in any order of rows."""
        number = np.asarray(person, np.int64)
        order = np.argsort(number, kind="stable")
        return cls(
            number[order],
            np.asarray(lon, float)[order],
            np.asarray(lat, float)[order],
            np.asarray(mode, np.int32)[order],
            np.asarray(at_s, float)[order],
        )

    @classmethod
    def unpacked(cls, content: bytes) -> "Whereabouts":
        """Of rows that the database packed, 36 bytes each."""
        rows = np.frombuffer(content, _PACKED)
        return cls.of(*(rows[name] for name in _PACKED.names or ()))

    def chosen(self, at: NDArray[np.bool_]) -> "Whereabouts":
        """Some of them."""
        return Whereabouts(*(getattr(self, one.name)[at] for one in fields(self)))

    def with_changed(self, newer: "Whereabouts") -> "Whereabouts":
        """The same with some people's rows replaced, or added."""
        kept = self.chosen(~np.isin(self.person, newer.person))
        columns = [
            np.concatenate([getattr(kept, one.name), getattr(newer, one.name)])
            for one in fields(self)
        ]
        return Whereabouts.of(*columns)

    def same_as(self, other: "Whereabouts") -> NDArray[np.bool_]:
        """Which of these are at the same place, moving the same way, in `other`; shape (n,)."""
        if not len(other.person):
            return np.zeros(len(self.person), bool)
        found = np.minimum(np.searchsorted(other.person, self.person), len(other.person) - 1)
        same: NDArray[np.bool_] = (
            (other.person[found] == self.person)
            & (other.lon[found] == self.lon)
            & (other.lat[found] == self.lat)
            & (other.mode[found] == self.mode)
        )
        return same


_NOBODY = Whereabouts.of([], [], [], [], [])


class Responders:
    """The fleet of a role, as the database has it.

    Parameters
    ----------
    fleet : Fleet
        Changed by nobody else.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._held = _NOBODY
        self._fresh = _NOBODY
        self._heard_s = 0.0
        self._whole_s = self._began_s = -np.inf
        self._following = threading.Lock()

    def follow(self, session: Session, county: str, role: str) -> Whereabouts:
        """Bring the fleet up to whatever was committed before the call; who is not too old.

        Those who ask while somebody reads wait, and share the next reading.
        """
        asked_s = time.monotonic()
        with self._following:
            if self._began_s <= asked_s:
                began_s = time.monotonic()
                self._read(session, county, role, began_s)
                self._began_s = began_s
            return self._fresh

    def _read(self, session: Session, county: str, role: str, began_s: float) -> None:
        now_s: float = session.execute(_CLOCK).scalar_one()
        key = {"county": county, "role": role}
        if began_s - self._whole_s > _WHOLE_S:
            self._held = Whereabouts.unpacked(session.scalar(_WHOLE, key) or b"")
            self._whole_s = began_s
        else:
            since = {"since_s": self._heard_s - _AGAIN_S}
            if rows := session.execute(_HEARD, key | since).all():
                self._held = self._held.with_changed(Whereabouts.of(*zip(*rows, strict=True)))
        self._heard_s = now_s
        fresh = self._held.chosen(self._held.at_s >= now_s - KEEP_MINUTES * 60.0)
        self._move(fresh)
        self._fresh = fresh

    def forget(self, people: list[int]) -> None:
        """Leave out whoever was found to have no position any more, until all is read again."""
        with self._following:
            self._held = self._held.chosen(~np.isin(self._held.person, people))
            fresh = self._fresh.chosen(~np.isin(self._fresh.person, people))
            self._move(fresh)
            self._fresh = fresh

    def _move(self, now: Whereabouts) -> None:
        for i in np.flatnonzero(~now.same_as(self._fresh)).tolist():
            place = float(now.lon[i]), float(now.lat[i])
            self.fleet.put(int(now.person[i]), *place, MODES[now.mode[i]])
        gone = self._fresh.person[~np.isin(self._fresh.person, now.person, assume_unique=True)]
        for person in gone.tolist():
            self.fleet.remove(person)
