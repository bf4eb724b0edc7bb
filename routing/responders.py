"""Who of a role is where now: the fleet follows the table of positions, one reading for many."""

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from data.positions import KEEP_MINUTES
from routing.errors import NetworkError
from routing.fleet import Fleet
from routing.network import MODES

__all__ = ["Responders", "Whereabouts"]

# Read as binary: fifteen thousand rows take a few milliseconds, and no Python object each.
_READ = (
    "COPY (SELECT person.id, ST_X(position.geom), ST_Y(position.geom), "
    "array_position(ARRAY['car', 'moped', 'foot'], person.mode::text) - 1 FROM position "
    "JOIN person ON person.id = position.person_id "
    "WHERE person.county = %s AND person.role = %s "
    "AND position.at >= now() - make_interval(mins => %s) ORDER BY person.id"
    ") TO STDOUT (FORMAT binary)"
)
_HEAD = 19  # signature, flags, length of an extension that is none
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        *(("id_size", ">i4"), ("id", ">i8")),
        *(("lon_size", ">i4"), ("lon", ">f8")),
        *(("lat_size", ">i4"), ("lat", ">f8")),
        *(("mode_size", ">i4"), ("mode", ">i4")),
    ]
)


@dataclass(frozen=True)
class Whereabouts:
    """Positions of a role that are not too old, by person.

    Attributes
    ----------
    person : ndarray of int64, shape (n,), ascending
    lon, lat : ndarray of float64, shape (n,), degrees, EPSG:4326
    mode : ndarray of int32, shape (n,), positions in `MODES`
    """

    person: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    mode: NDArray[np.int32]

    @classmethod
    def parsed(cls, content: bytes) -> "Whereabouts":
        """Of PostgreSQL's binary COPY.

        Raises
        ------
        NetworkError
            If it is laid out otherwise: a column was null, say.
        """
        body = content[_HEAD:-2]
        rows = np.frombuffer(body[: len(body) // _ROW.itemsize * _ROW.itemsize], _ROW)
        if (
            len(body) != rows.nbytes
            or (rows["fields"] != 4).any()
            or (rows["mode_size"] != 4).any()
        ):
            raise NetworkError("positions are laid out in an unknown way: is a person's mode null?")
        return cls(
            rows["id"].astype(np.int64),
            rows["lon"].astype(np.float64),
            rows["lat"].astype(np.float64),
            rows["mode"].astype(np.int32),
        )

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


_NOBODY = Whereabouts(*(np.empty(0, kind) for kind in (np.int64, float, float, np.int32)))


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
        self._began_s = -np.inf
        self._following = threading.Lock()

    def follow(self, session: Session, county: str, role: str) -> Whereabouts:
        """Bring the fleet up to whatever was committed before the call.

        Those who ask while somebody reads wait, and share the next reading.
        """
        asked_s = time.monotonic()
        with self._following:
            if self._began_s <= asked_s:
                began_s = time.monotonic()
                now = Whereabouts.parsed(_read(session, county, role))
                self._move(now)
                self._held, self._began_s = now, began_s
            return self._held

    def _move(self, now: Whereabouts) -> None:
        moved = np.flatnonzero(~now.same_as(self._held))
        for i in moved.tolist():
            place = float(now.lon[i]), float(now.lat[i])
            self.fleet.put(int(now.person[i]), *place, MODES[now.mode[i]])
        for person in np.setdiff1d(self._held.person, now.person).tolist():
            self.fleet.remove(person)


def _read(session: Session, county: str, role: str) -> bytes:
    connection = session.connection().connection.driver_connection
    assert connection is not None  # noqa: S101 - a session that has begun has one
    with connection.cursor() as cursor, cursor.copy(_READ, (county, role, KEEP_MINUTES)) as copy:
        return b"".join(bytes(part) for part in copy)
