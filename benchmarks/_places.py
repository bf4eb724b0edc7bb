"""Places to locate, and what other programs say of them: the peers of `benchmarks.locator`."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyogrio
import shapely
from numpy.typing import NDArray

from benchmarks._cases import shared_data, spare_database
from gis.cells import cells_of_points, cover_polygons

__all__ = [
    "ADVERSARIAL",
    "JOINS",
    "Areas",
    "Places",
    "PostGis",
    "covering_by_fractions",
    "duckdb_seconds",
    "kaohsiung_units",
    "lattice_areas",
    "places",
    "postgis",
]

Float = NDArray[np.float64]
Places = tuple[Float, Float]
Areas = tuple[NDArray[np.object_], list[str]]

ADVERSARIAL = ("vertices", "edges", "1 ulp off", "1e-9 off")
_RESOLUTION = 10


def kaohsiung_units() -> Areas:
    """The 17,387 official units of Kaohsiung as grids, and their codes."""
    path = shared_data() / "households" / "kaohsiung_units.gpkg"
    frame = pyogrio.read_dataframe(path, columns=["CODEBASE"])
    return shapely.force_2d(frame.geometry.to_numpy()), frame.CODEBASE.astype(str).tolist()


def lattice_areas(side: int, seed: int = 0) -> Areas:
    """Bent quadrangles over one degree, side² of them; each outline has 16 vertices."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(side + 1.0), np.arange(side + 1.0), indexing="ij")
    x, y = x + rng.uniform(-0.25, 0.25, x.shape), y + rng.uniform(-0.25, 0.25, y.shape)
    corner = np.stack([120 + x / side, 22 + y / side], axis=-1)
    ring = [corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]]
    shapes = shapely.polygons(np.stack([*ring, ring[0]], axis=2).reshape(-1, 5, 2))
    dense = shapely.segmentize(shapes, 0.3 / side)
    return dense, [f"{number:06d}" for number in rng.permutation(side * side)]


def places(kind: str, areas: Areas, count: int, seed: int = 1) -> Places:
    """Places over areas: uniform, clustered, or where rounding is hard.

    Clustered ones scatter about the middles of the areas by as much as an area is wide, as
    people do where grids hold equally many of them.
    """
    shapes, _ = areas
    rng = np.random.default_rng(seed)
    west, south, east, north = shapely.total_bounds(shapes)
    if kind == "uniform":
        return rng.uniform(west, east, count), rng.uniform(south, north, count)
    if kind == "clustered":
        home = shapely.get_coordinates(shapely.centroid(shapes))
        home = home[rng.integers(0, len(home), count)]
        spread = float(np.median(np.sqrt(shapely.area(shapes))))
        return home[:, 0] + rng.normal(0, spread, count), home[:, 1] + rng.normal(0, spread, count)
    xy, ring = shapely.get_coordinates(
        shapely.get_rings(shapely.get_parts(shapes)), return_index=True
    )
    start = np.flatnonzero(ring[1:] == ring[:-1])[
        rng.integers(0, (np.diff(ring) == 0).sum(), count)
    ]
    if kind == "vertices":
        return xy[start, 0].copy(), xy[start, 1].copy()
    share = np.where(rng.random((count, 1)) < 0.3, 0.0, rng.random((count, 1)))
    on = xy[start] + (xy[start + 1] - xy[start]) * share
    sign = rng.choice([-1.0, 1.0], on.shape)
    if kind == "1 ulp off":
        on = np.where(rng.random(on.shape) < 0.7, np.nextafter(on, sign * np.inf), on)
    elif kind == "1e-9 off":
        on = on + sign * 1e-9
    return on[:, 0].copy(), on[:, 1].copy()


def covering_by_fractions(areas: Areas, places: Places) -> list[list[int]]:
    """Areas that cover each place, by rational arithmetic: slow, and without any rounding."""
    shapes, _ = areas
    tree = shapely.STRtree(shapes)
    boxes = shapely.box(*(np.column_stack(places) - 1e-7).T, *(np.column_stack(places) + 1e-7).T)
    near: list[list[int]] = [[] for _ in boxes]
    for place, area in tree.query(boxes).T.tolist():
        near[place].append(area)
    rings: dict[int, list[list[tuple[float, float]]]] = {}
    found = []
    for (lon, lat), candidates in zip(np.column_stack(places).tolist(), near, strict=True):
        for area in set(candidates) - set(rings):
            parts = shapely.get_rings(shapely.get_parts(shapes[area]))
            rings[area] = [list(map(tuple, shapely.get_coordinates(one).tolist())) for one in parts]
        found.append([area for area in candidates if _covers(rings[area], lon, lat)])
    return found


def _covers(rings: list[list[tuple[float, float]]], lon: float, lat: float) -> bool:
    x, y, odd = Fraction(lon), Fraction(lat), False
    for ring in rings:
        for a, b in pairwise(ring):
            if not min(a[1], b[1]) <= lat <= max(a[1], b[1]):
                continue
            ax, ay, bx, by = map(Fraction, (*a, *b))
            turn = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
            if turn == 0 and min(ax, bx) <= x <= max(ax, bx):
                return True
            odd ^= (ay <= y) != (by <= y) and (turn > 0) == (by > ay)
    return odd


JOINS = {
    "ST_Covers": "SELECT place.id, area.id FROM place JOIN area "
    "ON ST_Covers(area.geom, place.geom)",
    "ST_Subdivide": "SELECT DISTINCT place.id, piece.id FROM place JOIN piece "
    "ON ST_Covers(piece.geom, place.geom)",
    "H3 cells": "SELECT place.id, cell.id FROM place JOIN cell ON cell.cell = place.cell "
    "JOIN area ON area.id = cell.id "
    "WHERE cell.whole OR ST_Covers(area.geom, place.geom)",
}


class PostGis:
    """A throw-away PostGIS that holds the areas; one process for each query."""

    def __init__(self, connection: psycopg.Connection[Any], areas: Areas) -> None:
        self._connection = connection
        shapes, codes = areas
        self._run('CREATE TABLE area (id int PRIMARY KEY, code text COLLATE "C", geom geometry)')
        with connection.cursor().copy("COPY area FROM STDIN") as copy:
            for number, shape in enumerate(shapes):
                copy.write_row((number, codes[number], shapely.to_wkb(shape, hex=True)))
        self._run("CREATE INDEX ON area USING gist (geom)")
        self._run("CREATE TABLE piece AS SELECT id, ST_Subdivide(geom, 64) AS geom FROM area")
        self._run("CREATE INDEX ON piece USING gist (geom)")
        index = cover_polygons(shapes, _RESOLUTION)
        self._run("CREATE TABLE cell (cell bigint, id int, whole bool)")
        with connection.cursor().copy("COPY cell FROM STDIN") as copy:
            rows = zip(index.cell.tolist(), index.area.tolist(), index.whole.tolist(), strict=True)
            for row in rows:
                copy.write_row(row)
        self._run("CREATE INDEX ON cell (cell)")
        self._run("SET max_parallel_workers_per_gather = 0; SET jit = off")
        self._run("CREATE TABLE place (id int, cell bigint, geom geometry)")
        self._run("ANALYZE")

    def _run(self, query: str) -> None:
        self._connection.execute(query)

    def hold(self, places: Places, *, cells: bool = False) -> None:
        """Put places into the table that the joins read."""
        self._run("TRUNCATE place")
        self._run("DROP TABLE IF EXISTS raw")
        self._run("CREATE TEMP TABLE raw (id int, cell bigint, x float8, y float8)")
        lon, lat = places
        cell = cells_of_points(lon, lat, _RESOLUTION) if cells else np.zeros(len(lon), np.int64)
        text = io.StringIO()
        rows = zip(cell.tolist(), lon.tolist(), lat.tolist(), strict=True)
        for number, (one, x, y) in enumerate(rows):
            text.write(f"{number}\t{one}\t{x!r}\t{y!r}\n")
        with self._connection.cursor().copy("COPY raw FROM STDIN") as copy:
            copy.write(text.getvalue())
        self._run("INSERT INTO place SELECT id, cell, ST_MakePoint(x, y) FROM raw ORDER BY id")
        self._run("ANALYZE place")

    def seconds(self, join: str) -> float:
        """Seconds of a join, its rows counted in the server; the better of two."""
        query = f"SELECT count(*) FROM ({JOINS[join]}) AS found (place, area)"  # noqa: S608
        return min(_timed(lambda: self._connection.execute(query).fetchall()) for _ in range(2))

    def pairs(self) -> NDArray[np.int64]:
        """Place and area of every pair where ST_Covers holds, ordered by place and code."""
        query = f"COPY ({JOINS['ST_Covers']} ORDER BY place.id, area.code) TO STDOUT"
        found = bytearray()
        with self._connection.cursor().copy(query) as copy:
            for data in copy:
                found += data
        return np.loadtxt(io.BytesIO(found), np.int64, ndmin=2).reshape(-1, 2)

    def one_seconds(self, places: Places) -> float:
        """Seconds of one prepared query for one place, over the Unix socket; the mean."""
        query = (
            "SELECT id FROM area WHERE ST_Covers(geom, ST_MakePoint(%b, %b)) ORDER BY code LIMIT 1"
        )
        lon, lat = (values.tolist() for values in places)
        cursor = self._connection.cursor()

        def run() -> None:
            for x, y in zip(lon, lat, strict=True):
                cursor.execute(query, (x, y), prepare=True).fetchone()

        run()
        return _timed(run) / len(lon)


@contextmanager
def postgis(areas: Areas) -> Iterator[PostGis]:
    """Start one and fill it."""
    with (
        spare_database() as database,
        psycopg.connect(
            database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        ) as connection,
    ):
        yield PostGis(connection, areas)


def duckdb_seconds(areas: Areas, places: Places) -> float:
    """Seconds of DuckDB's spatial join, one thread; the better of two.

    Raises
    ------
    ImportError
        If DuckDB or its extension is not installed.
    """
    import duckdb
    import duckdb_extension_spatial
    import pandas as pd

    folder = Path(duckdb_extension_spatial.__file__).parent
    extension = next(folder.rglob("*.duckdb_extension"))
    shapes, codes = areas
    area = pd.DataFrame({"code": codes, "wkb": list(shapely.to_wkb(shapes))})
    place = pd.DataFrame({"x": places[0], "y": places[1]})
    with duckdb.connect() as base:
        base.execute(f"LOAD '{extension}'; SET threads = 1")
        base.register("area_frame", area)
        base.register("place_frame", place)
        base.execute(
            "CREATE TABLE area AS SELECT code, ST_GeomFromWKB(wkb) AS geom FROM area_frame"
        )
        base.execute("CREATE TABLE place AS SELECT ST_Point(x, y) AS geom FROM place_frame")
        query = "SELECT count(*) FROM place JOIN area ON ST_Covers(area.geom, place.geom)"
        return min(_timed(lambda: base.execute(query).fetchall()) for _ in range(2))


def _timed(run: Any) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
