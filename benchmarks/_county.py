"""A made-up county of any size, in the database: communities, streets, water, buildings.

Square tiles of 2.4 km on a lattice that one smooth map bends. The middle sixth of the rows and
columns is town: 16 communities to a tile, streets every 150 and 200 m, apartment blocks and one
park. Every other tile is one village of three hamlets amid fields. A river and a railway cross
it, and roads cross them. With 38 tiles a side it has about the grids of Tongliao
(18,174, 内蒙古通辽).
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from data.communities import allocate_codes
from data.demo.lattice import Point, footprint, rectangle, stretch
from data.store import upsert

__all__ = ["TONGLIAO_SIDE", "make_county"]

Float = NDArray[np.float64]
Row = dict[str, Any]
# Corners, households and use.
_Building = tuple[list[Point], int, str]

TONGLIAO_SIDE = 38
TILE = 2400
_COLUMN, _ROW = 200, 150
_URBAN_SIDE = 600
_LON, _LAT = 122.26, 43.62


def make_county(session: Session, county: str, side: int, seed: int) -> dict[str, int]:
    """Write a county of side × side tiles; return how many rows of each kind."""
    rng = np.random.default_rng(seed)
    first = round(side * 5 / 12)
    town = range(first, first + max(1, round(side / 6)))
    tiles = [(i, j, i in town and j in town) for i in range(side) for j in range(side)]
    places = [place for i, j, urban in tiles for place in _communities(i, j, urban=urban)]
    allocate_codes(session, county, places)
    streets: list[Row] = []
    buildings: list[_Building] = []
    zones: list[Row] = []
    for i, j, urban in tiles:
        x, y = i * TILE, j * TILE
        (_town if urban else _village)(x, y, rng, streets, buildings)
        if urban:
            park = _area(x + 1000, y + 900, x + 1200, y + 1050)
            zones.append({"kind": "park", "name": f"公园{i}-{j}", "owner": None, "geom": park})
    tables = {
        "street": streets,
        "zone": zones,
        "water": _river(side),
        "railway": _railway(side),
        "building": _building_rows(buildings),
    }
    for table, rows in tables.items():
        own = [{"county": county, "source_ref": f"made/{n}", **row} for n, row in enumerate(rows)]
        upsert(session, table, own)
    return {"communities": len(places)} | {table: len(rows) for table, rows in tables.items()}


def _bend(points: list[Point]) -> Float:
    """Lattice metres to lon, lat (EPSG:4326); what met before still meets."""
    x, y = np.array(points, float).T
    east = x + 60 * np.sin(y / 900) + 25 * np.sin(x / 500 + y / 700)
    north = y + 70 * np.sin(x / 1100 + 0.6) + 20 * np.sin(y / 600)
    lat = _LAT + north / 111_100
    lon = _LON + east / (111_320 * np.cos(np.radians(_LAT)))
    return np.round(np.column_stack([lon, lat]), 7)


def _line(start: Point, end: Point) -> Any:
    return shapely.linestrings(_bend(stretch(start, end)))


def _area(west: float, south: float, east: float, north: float) -> Any:
    ring = _bend(rectangle(west, south, east, north))
    return shapely.MultiPolygon([shapely.polygons(ring)])


def _communities(i: int, j: int, *, urban: bool) -> list[Row]:
    side = _URBAN_SIDE if urban else TILE
    found = []
    for n, x in enumerate(range(i * TILE, (i + 1) * TILE, side)):
        for m, y in enumerate(range(j * TILE, (j + 1) * TILE, side)):
            name = f"{i}-{j}-{n}-{m}{'社区' if urban else '村'}"
            ground = _area(x, y, x + side, y + side)
            ur_code = "111" if urban else "220"
            found.append({"source_ref": name, "name": name, "ur_code": ur_code, "geom": ground})
    return found


def _street(kind: str, start: Point, end: Point) -> Row:
    row = {"kind": kind, "name": None, "oneway": False, "bridge": False, "tunnel": False}
    return row | {"geom": _line(start, end)}


def _town(
    x: int, y: int, rng: np.random.Generator, streets: list[Row], buildings: list[_Building]
) -> None:
    for north in range(y, y + TILE, _ROW):
        kind = "secondary" if (north - y) % _URBAN_SIDE == 0 else "residential"
        streets += [
            _street(kind, (west, north), (west + _COLUMN, north))
            for west in range(x, x + TILE, _COLUMN)
        ]
    for west in range(x, x + TILE, _COLUMN):
        kind = "secondary" if (west - x) % _URBAN_SIDE == 0 else "residential"
        streets += [
            _street(kind, (west, north), (west, north + _ROW)) for north in range(y, y + TILE, _ROW)
        ]
    for west in range(x, x + TILE, _COLUMN):
        for north in range(y, y + TILE, _ROW):
            if (west - x, north - y) == (1000, 900):  # the park
                continue
            homes = 4 + rng.gamma(4.0, 34.0 / 4, 6)
            for n, households in enumerate(homes.astype(int).tolist()):
                corner = (west + 18 + n % 3 * 60, north + 25 + n // 3 * 60)
                buildings.append((footprint(*corner, 45, 13), households, "apartments"))


def _village(
    x: int, y: int, rng: np.random.Generator, streets: list[Row], buildings: list[_Building]
) -> None:
    """Three hamlets of four lanes, joined by roads that lead on to the next villages."""
    across = y + 1200
    streets.append(_street("tertiary", (x, across), (x + TILE, across)))
    streets.append(_street("tertiary", (x + 1200, y), (x + 1200, y + TILE)))
    for west, south in ((x + 300, y + 1200), (x + 1200, y + 1800), (x + 1700, y + 500)):
        for lane in range(4):
            north = south + lane * 60
            streets += [
                _street("residential", (west + n * 200, north), (west + n * 200 + 200, north))
                for n in range(2)
            ]
        streets += [
            _street("residential", (west + n * 200, south), (west + n * 200, south + 180))
            for n in range(3)
        ]
        spots = [
            (west + 8 + 12 * n, south + lane * 60 + off)
            for lane in range(4)
            for n in range(32)
            for off in (10, 40)
            if not 180 < 8 + 12 * n < 202
        ]
        chosen = rng.choice(len(spots), 153, replace=False)
        buildings += [(footprint(*spots[n], 8.5, 9), 1, "house") for n in chosen.tolist()]
    streets.append(_street("unclassified", (x + 1700, y + 500), (x + 1200, y + 500)))


def _building_rows(buildings: list[_Building]) -> list[Row]:
    corners = [corner for ring, _, _ in buildings for corner in ring]
    bent = _bend(corners).reshape(len(buildings), 5, 2)
    shapes = shapely.multipolygons(shapely.polygons(bent)[:, None])
    return [
        {
            "use": use,
            "name": None,
            "levels": 6 if use == "apartments" else 1,
            "units": None,
            "households": households,
            "households_source": "counted",
            "geom": shape,
        }
        for (_, households, use), shape in zip(buildings, shapes, strict=True)
    ]


def _river(side: int) -> list[Row]:
    y = side * TILE // 2 + 400
    ground = _area(0, y, side * TILE, y + 40)
    return [{"kind": "river", "name": "大河", "geom": ground}]


def _railway(side: int) -> list[Row]:
    x = side * TILE // 2 + 300
    track = _line((x, 0), (x, side * TILE))
    return [{"kind": "rail", "bridge": False, "tunnel": False, "geom": track}]
