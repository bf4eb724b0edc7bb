"""The made-up county at work: roads on its streets, everybody on duty, open cases, devices."""

import hashlib
import http.client
import multiprocessing
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import httpx2
import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text

from benchmarks._made_county import COUNTY, MadeCounty, _bent, make_county
from benchmarks._server import PASSWORD, SignedIn
from data.accounts import add_account
from data.database import Database
from routing.assembly import Roads, assemble

__all__ = ["Busy", "Console", "Devices", "make_busy", "some_places"]

STAFF, OPEN = 19_478, 20_000
_OTHERS = ("police", "mediator")
_SPEEDS = (10.0, 7.0, 1.3)
Float = NDArray[np.float64]


@dataclass(frozen=True)
class Busy:
    """What was made.

    Attributes
    ----------
    grids, staff, incidents : int
    columns, rows : int
        Of the lattice of streets.
    """

    grids: int
    staff: int
    incidents: int
    columns: int
    rows: int

    def places(self, count: int, seed: int) -> Float:
        """Random places within, lon and lat, shape (count, 2)."""
        return some_places(self, count, np.random.default_rng(seed))


def some_places(busy: Busy, count: int, rng: np.random.Generator) -> Float:
    """Random places within the county, lon and lat, shape (count, 2)."""
    margin = 0.3
    x = rng.uniform(margin, busy.columns - margin, count)
    y = rng.uniform(margin, busy.rows - margin, count)
    return _bent(x, y)


def make_busy(
    database: Database, folder: Path, *, side: int, part: float = 1.0, main: int = 1
) -> Busy:
    """Make it; `part` of the staff and of the open cases.

    Only every `main`-th street is a main street that goes through; between them all others are
    dead ends, as most are in a town. With 1 all go through, which no town has: the hierarchy over
    such roads is fifty times as large.

    The road network is written where a server with this folder as its home finds it.
    """
    county = MadeCounty(side)
    with database.session() as session:
        made = make_county(session, county)
    columns, rows = int(county.column.max()) + 1, int(county.row.max()) + 1
    network = assemble(_roads(columns, rows, main))
    target = folder / "networks" / f"{COUNTY}.arrow"
    target.parent.mkdir(parents=True, exist_ok=True)
    network.save(target)
    busy = Busy(made["grids"], 0, 0, columns, rows)
    staff = _staff(database, busy, max(round(STAFF * part), made["grids"]))
    incidents = _incidents(database, busy, round(OPEN * part))
    _accounts(database)
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    return Busy(made["grids"], staff, incidents, columns, rows)


def _roads(columns: int, rows: int, main: int) -> Roads:
    """Streets of the lattice from crossing to crossing, both ways, for everybody."""
    x, y = np.meshgrid(np.arange(columns + 1.0), np.arange(rows + 1.0), indexing="ij")
    nodes = _bent(x.ravel(), y.ravel())
    number = np.arange(len(nodes)).reshape(columns + 1, rows + 1)
    across = np.column_stack([number[:-1].ravel(), number[1:].ravel()])
    up = np.column_stack([number[:, :-1].ravel(), number[:, 1:].ravel()])
    column, row = np.divmod(up[:, 0], rows + 1)
    across = across[across[:, 0] % (rows + 1) % main == 0]
    through = (column % main == 0) | (row % main != main - 1)
    up = up[through if main > 1 else slice(None)]
    ends = np.vstack([across, up]).astype(np.int32)
    scale = np.array([np.cos(np.radians(43.2)), 1.0]) * 111_320.0
    length = np.hypot(*((nodes[ends[:, 0]] - nodes[ends[:, 1]]) * scale).T)
    ms = np.array([np.maximum(np.rint(length / speed * 1000), 1) for speed in _SPEEDS], np.int32)
    street = np.concatenate([across[:, 0] % (rows + 1), rows + 1 + up[:, 0] // (rows + 1)])
    flat = ends.ravel()
    return Roads(
        node_lon=nodes[:, 0],
        node_lat=nodes[:, 1],
        tail=ends[:, 0],
        head=ends[:, 1],
        length_m=length,
        time_ms=np.repeat(ms, 2, axis=1),
        point_start=np.arange(0, 2 * len(ends) + 1, 2, dtype=np.int32),
        lon=nodes[flat, 0],
        lat=nodes[flat, 1],
        way=np.arange(len(ends), dtype=np.int64),
        kind=np.zeros(len(ends), np.int32),
        name=street.astype(np.int32),
        kinds=("road",),
        names=tuple(f"街{n}" for n in range(int(street.max()) + 1)),
    )


def _staff(database: Database, busy: Busy, wanted: int) -> int:
    """Fill the staff up with other roles, and put everybody on a street with a device."""
    with database.session() as session:
        held = session.scalar(text("SELECT count(*) FROM person")) or 0
        session.execute(
            text(
                "INSERT INTO person (county, source_ref, name, role, mode, duty_phone) "
                "SELECT :county, 'x' || n, '人' || n, (CAST(:roles AS text[]))[1 + n % 2], 'car', "
                "'0990-' || n FROM generate_series(CAST(:first AS int), :last) AS n"
            ),
            {"county": COUNTY, "roles": list(_OTHERS), "first": held + 1, "last": wanted},
        )
        session.execute(text("UPDATE person SET mode = 'moped' WHERE role = 'gridworker'"))
        people = session.scalars(text("SELECT id FROM person ORDER BY id")).all()
        places = busy.places(len(people), 5)
        rows = [
            {"id": one, "county": COUNTY, "x": x, "y": y, "hash": _hash(one)}
            for one, (x, y) in zip(people, places.tolist(), strict=True)
        ]
        session.execute(
            text(
                "INSERT INTO position (person_id, county, at, geom) "
                "VALUES (:id, :county, now(), ST_SetSRID(ST_MakePoint(:x, :y), 4326))"
            ),
            rows,
        )
        session.execute(
            text("INSERT INTO device (token_hash, county, person_id) VALUES (:hash, :county, :id)"),
            rows,
        )
    return len(people)


def _token(person: int) -> str:
    return f"device-{person}"


def _hash(person: int) -> str:
    return hashlib.sha256(_token(person).encode()).hexdigest()


def _incidents(database: Database, busy: Busy, count: int) -> int:
    """Open cases of the last days, placed in their grids."""
    places = shapely.points(busy.places(count, 6))
    with database.session() as session:
        session.execute(text("DELETE FROM incident"))
        session.execute(
            text(
                "INSERT INTO incident (county, source_ref, class_code, reported_at, raw_x, raw_y, "
                "raw_crs, geom, cell, grid_id, grid_count) SELECT :county, 'B' || n, "
                "(ARRAY['E01', 'E05', 'P01', 'D02', 'S02'])[1 + n % 5], "
                "now() - make_interval(mins => (n % 10000)::int), 0, 0, 'EPSG:4326', "
                "place.geom, 0, "
                "(SELECT id FROM grid WHERE ST_Covers(grid.geom, place.geom) "
                " AND upper_inf(valid) LIMIT 1), 1 "
                "FROM unnest(CAST(:wkb AS bytea[])) WITH ORDINALITY AS given (wkb, n), "
                "LATERAL (SELECT ST_SetSRID(ST_GeomFromWKB(wkb), 4326) AS geom) AS place"
            ),
            {"county": COUNTY, "wkb": [bytes(one) for one in shapely.to_wkb(places)]},
        )
    return count


def _accounts(database: Database) -> None:
    with database.session() as session:
        for login in ("one", "two"):
            add_account(session, COUNTY, login, login, PASSWORD, ("dispatcher",))


class Console(SignedIn):
    """A signed-in dispatcher over HTTP."""

    def get(self, path: str) -> httpx2.Response:
        """Ask the incidents' API."""
        return self.web.get(f"/api/v1/incidents{path}")

    def post(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        """Change something by the incidents' API."""
        headers = {"X-CSRF-Token": self.csrf}
        return self.web.post(f"/api/v1/incidents{path}", json=body, headers=headers)


class Devices:
    """Devices that tell new positions, some a second, from a process of their own."""

    def __init__(self, base: str, busy: Busy, per_s: float) -> None:
        self._told = multiprocessing.Value("q", 0)
        self._stop = multiprocessing.Event()
        what = (base.removeprefix("http://"), busy, per_s, self._told, self._stop)
        self._process = multiprocessing.Process(target=_tell, args=what, daemon=True)

    @property
    def told(self) -> int:
        """How many positions were taken."""
        return int(self._told.value)

    def __enter__(self) -> Self:
        """Begin."""
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._process.join(timeout=30)


def _tell(host: str, busy: Busy, per_s: float, told: Any, stop: Any) -> None:
    rng = np.random.default_rng(7)
    web = http.client.HTTPConnection(host, timeout=30)
    next_s = time.monotonic()
    while not stop.is_set():
        person = int(rng.integers(1, busy.staff + 1))
        lon, lat = some_places(busy, 1, rng)[0].tolist()
        asked = {"id": _token(person), "lon": lon, "lat": lat, "timestamp": time.time()}
        try:
            web.request("GET", f"/api/v1/positions?{urlencode(asked)}")
            answer = web.getresponse()
            answer.read()
            told.value += answer.status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):  # a server that is being killed
            web.close()
            time.sleep(0.2)
        next_s += 1.0 / per_s
        time.sleep(max(next_s - time.monotonic(), 0.0))
