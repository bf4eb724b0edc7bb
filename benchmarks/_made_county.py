"""A made-up county of published grids with blocks, buildings, addresses, staff and incidents.

A lattice bent by one smooth map. Each community is 3 × 3 grids, each grid 3 × 2 blocks between
streets, each block two buildings with an address; every edge has a vertex between its corners.
45 × 45 communities make 18,225 grids, about as many as Tongliao's 18,174.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from data.presets import seed_presets
from data.store import upsert
from gis.coverage import dissolve
from gis.shape import as_multipolygon

__all__ = ["COUNTY", "MadeCounty", "make_county"]

Row = dict[str, Any]
Int = NDArray[np.int64]
COUNTY = "990300"
ACROSS, UP = 3, 3  # grids of a community
WIDE, HIGH = 3, 2  # blocks of a grid
_ALWAYS = "[2026-01-01T00:00:00+08:00,)"
_CELL_DEG = (0.0012, 0.0011)
_WEST, _SOUTH = 121.0, 43.0


class MadeCounty:
    """Blocks by position, the community and the grid of each."""

    def __init__(self, side: int, seed: int = 0) -> None:
        self.side = side
        columns, rows = side * ACROSS * WIDE, side * UP * HIGH
        column, row = np.meshgrid(np.arange(columns), np.arange(rows))
        self.column, self.row = column.reshape(-1), row.reshape(-1)
        self.polygons = _cells(self.column, self.row)
        self.community = self.row // (UP * HIGH) * side + self.column // (ACROSS * WIDE)
        down, right = self.row // HIGH, self.column // WIDE
        within = down % UP * ACROSS + right % ACROSS
        self.grid = self.community * ACROSS * UP + within
        rng = np.random.default_rng(seed)
        self.households = rng.integers(30, 70, len(self.polygons)).astype(np.int64)

    @property
    def codes(self) -> list[str]:
        """Codes of the communities."""
        return [f"{COUNTY}{n // 150 + 1:03d}{n % 150 + 1:03d}" for n in range(self.side**2)]

    def redrawn(self) -> Int:
        """Another cut of each community into nine grids: every grid is a new one."""
        return self.community * 9 + self.column % (ACROSS * WIDE)


def _bent(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    lon = _WEST + _CELL_DEG[0] * (x + 0.2 * np.sin(y / 3.1))
    lat = _SOUTH + _CELL_DEG[1] * (y + 0.2 * np.sin(x / 2.7))
    return np.round(np.stack([lon, lat], axis=-1), 7)


def _cells(column: Int, row: Int) -> NDArray[np.object_]:
    """Cells with a vertex in the middle of each edge."""
    corners = [(0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1), (0.5, 1), (0, 1), (0, 0.5), (0, 0)]
    around = np.array(corners)
    x = column[:, None] + around[None, :, 0]
    y = row[:, None] + around[None, :, 1]
    return np.asarray(shapely.polygons(_bent(x, y)), dtype=object)


def make_county(session: Session, county: MadeCounty) -> dict[str, int]:
    """Write the county and publish its grids; return how many rows of each kind."""
    seed_presets(session)
    codes = county.codes
    outlines = dissolve(county.polygons, county.community)
    towns = sorted({code[:9] + "000" for code in codes})
    divisions = [
        {"code": code, "name": f"社区{n}", "level": "village", "ur_code": "111", "geom": shape}
        for n, (code, shape) in enumerate(zip(codes, map(as_multipolygon, outlines), strict=True))
    ]
    empty = {"ur_code": "111", "geom": None}
    divisions += [{"code": code, "name": code, "level": "town", **empty} for code in towns]
    _add(session, "division", [row | {"source_ref": row["code"]} for row in divisions])
    _add(
        session,
        "generation",
        [{"state": "published", "author": "benchmark", "valid": _ALWAYS, "area": COUNTY}],
    )
    _add(
        session,
        "block",
        [
            {"community": codes[c], "households": h, "geom": shape}
            for c, h, shape in zip(
                county.community.tolist(), county.households.tolist(), county.polygons, strict=True
            )
        ],
    )
    grids = _grids(session, county, codes)
    buildings = _buildings(session, county)
    _streets(session, county)
    _staff(session, grids)
    incidents = _incidents(session, county)
    return {
        "communities": len(codes),
        "blocks": len(county.polygons),
        "grids": grids,
        "buildings": buildings,
        "incidents": incidents,
    }


def _add(session: Session, table: str, rows: list[Row]) -> None:
    upsert(session, table, [{"county": COUNTY, **row} for row in rows], key=())


def _grids(session: Session, county: MadeCounty, codes: list[str]) -> int:
    shapes = dissolve(county.polygons, county.grid)
    households = np.bincount(county.grid, weights=county.households).astype(int)
    per = ACROSS * UP
    rows = [
        {
            "generation_id": 1,
            "code": f"{codes[n // per]}{n % per + 1:03d}",
            "name": f"社区{n // per}第{n % per + 1}网格",
            "kind": "urban",
            "community": codes[n // per],
            "households": int(households[n]),
            "valid": _ALWAYS,
            "geom": as_multipolygon(shape),
        }
        for n, shape in enumerate(shapes)
    ]
    _add(session, "grid", rows)
    links = [
        {"grid_id": grid + 1, "block_id": block + 1}
        for block, grid in enumerate(county.grid.tolist())
    ]
    _add(session, "grid_block", links)
    return len(rows)


def _buildings(session: Session, county: MadeCounty) -> int:
    buildings: list[Row] = []
    addresses: list[Row] = []
    for n, (x, y, held) in enumerate(
        zip(county.column.tolist(), county.row.tolist(), county.households.tolist(), strict=True)
    ):
        for part, left in enumerate((0.15, 0.55)):
            corners = np.array([[left, 0.3], [left + 0.3, 0.3], [left + 0.3, 0.7], [left, 0.7]])
            shape = shapely.Polygon(_bent(x + corners[:, 0], y + corners[:, 1]))
            facts = {"use": "apartments", "households_source": "counted"}
            share = held // 2 + (held % 2 if part else 0)
            buildings.append(
                {
                    "source_ref": f"{n}/{part}",
                    "households": share,
                    "geom": as_multipolygon(shape),
                    **facts,
                }
            )
            lon, lat = shape.centroid.coords[0]
            place = {"raw_x": lon, "raw_y": lat, "raw_crs": "EPSG:4326", "geom": shape.centroid}
            addresses.append({"source_ref": f"{n}/{part}", "text": f"第{n}街{part + 1}号", **place})
    _add(session, "building", buildings)
    _add(session, "address", addresses)
    return len(buildings)


def _streets(session: Session, county: MadeCounty) -> None:
    columns, rows = int(county.column.max()) + 1, int(county.row.max()) + 1
    lines = []
    for x in range(columns + 1):
        ends = np.arange(0, rows + 0.1, 0.5)
        lines += _pieces(_bent(np.full(len(ends), float(x)), ends))
    for y in range(rows + 1):
        ends = np.arange(0, columns + 0.1, 0.5)
        lines += _pieces(_bent(ends, np.full(len(ends), float(y))))
    flags = {"oneway": False, "bridge": False, "tunnel": False}
    _add(
        session,
        "street",
        [
            {"source_ref": str(n), "kind": "residential", "name": f"街{n}", "geom": line, **flags}
            for n, line in enumerate(lines)
        ],
    )


def _pieces(xy: NDArray[np.float64]) -> list[Any]:
    """A street in pieces of a few blocks, as extracts have them."""
    return [shapely.LineString(xy[i : i + 13]) for i in range(0, len(xy) - 1, 12)]


def _staff(session: Session, grids: int) -> None:
    people = [
        {
            "source_ref": str(n),
            "name": f"人{n}",
            "role": "gridworker",
            "mode": "foot",
            "duty_phone": f"0990-{n:07d}",
        }
        for n in range(1, grids + 1)
    ]
    _add(session, "person", people)
    posts = [
        {"person_id": n, "role": "gridworker", "holder": "A", "valid": _ALWAYS, "grid_id": n}
        for n in range(1, grids + 1)
    ]
    _add(session, "responsibility", posts)
    begun = {"at": "2026-01-01T00:00:00+08:00", "state": "A", "author": "benchmark"}
    facts = ("person_id", "role", "grid_id")
    changes = [{name: post[name] for name in facts} | begun for post in posts]
    _add(session, "responsibility_change", changes)


def _incidents(session: Session, county: MadeCounty) -> int:
    rng = np.random.default_rng(1)
    count = len(county.polygons) // 6
    x = rng.uniform(0, county.column.max() + 1, count)
    y = rng.uniform(0, county.row.max() + 1, count)
    rows = [
        {
            "source_ref": str(n),
            "class_code": "E01",
            "state": "accepted" if n % 10 == 0 else "closed",
            "reported_at": "2026-11-01T00:00:00Z",
            "raw_x": lon,
            "raw_y": lat,
            "raw_crs": "EPSG:4326",
            "geom": shapely.Point(lon, lat),
            "cell": 0,
        }
        for n, (lon, lat) in enumerate(_bent(x, y).tolist())
    ]
    _add(session, "incident", rows)
    return len(rows)
