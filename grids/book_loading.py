"""Loading an address book from the database, some thousand rows at a time."""

from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.store import shapes_from_wkb
from gis.address import AddressTable, Areas, Entry, Numbers, TableBuilder, entry_of
from grids.address_book import AddressBook, areas_of
from grids.places import Places

__all__ = ["address_count", "book_version", "load_book"]

# Rows that are held as rows before they become columns.
_CHUNK = 4_000
# A footprint that lies in a second grid by this share is in both.
_STRADDLES = 0.05
_ADDRESSES = (
    "SELECT coalesce(components->>'text', text), "
    "components, ST_X(geom), ST_Y(geom), coalesce(building_id, 0), id "
    "FROM address WHERE county = %(county)s ORDER BY id"
)
_ALIASES = text("SELECT alias, name FROM place_alias WHERE county = :county ORDER BY id")
_VERSION = text("SELECT mark FROM address_version WHERE county = :county")
_COUNT = text(
    "SELECT count(*) FROM (SELECT 1 FROM address WHERE county = :county LIMIT :most) AS counted"
)
_BUILDINGS = (
    "SELECT id, ST_AsBinary(geom) FROM building WHERE county = %(county)s AND id IN "
    "(SELECT building_id FROM address WHERE county = %(county)s) ORDER BY id"
)
Float = NDArray[np.float64]
Int = NDArray[np.int64]


def book_version(session: Session, county: str) -> str:
    """A mark of what the county's addresses are, another one after every change."""
    mark = session.scalar(_VERSION, {"county": county})
    return "" if mark is None else str(mark)


def address_count(session: Session, county: str, most: int) -> int:
    """How many addresses the county has; they are not counted beyond so many."""
    return int(session.scalar(_COUNT, {"county": county, "most": most}) or 0)


def load_book(session: Session, places: Places) -> AddressBook:
    """Load the address book of a county; a million addresses take half a minute."""
    county = places.county
    version = book_version(session, county)
    builder = TableBuilder()
    lon, lat, buildings, ids = array("d"), array("d"), array("q"), array("q")
    for rows in _chunks(session, _ADDRESSES, county):
        for full, components, x, y, building, number in rows:
            builder.add(full, _entry(full, components))
            lon.append(x)
            lat.append(y)
            buildings.append(building)
            ids.append(number)
    x, y = _array(lon, np.float64), _array(lat, np.float64)
    straddling = _straddling(session, places, _array(buildings, np.int64), x, y)
    areas = areas_of(places, builder.texts(), x, y, straddling)
    communities, names = _communities(places, areas)
    aliases = [(row.alias, row.name) for row in session.execute(_ALIASES, {"county": county})]
    table = AddressTable(*builder.finish(communities, names, aliases))
    numbers = _array(ids, np.int64)
    return AddressBook(version, table, numbers, x, y, straddling, areas, places, places)


def _chunks(session: Session, query: str, county: str) -> Iterator[list[Any]]:
    """The rows of a query, some thousand at a time, from a cursor of the server."""
    connection: Any = session.connection().connection.driver_connection
    with connection.cursor("book", binary=True) as cursor:
        cursor.execute(query, {"county": county})
        while rows := cursor.fetchmany(_CHUNK):
            yield rows


def _array(values: "array[Any]", kind: Any) -> NDArray[Any]:
    return np.frombuffer(values, kind) if values else np.empty(0, kind)


def _entry(full: str, components: Any) -> Entry:
    if components is None:
        return entry_of(full)
    get = components.get
    numbers = Numbers(get("door", ""), get("building", ""), get("unit", ""), get("room", ""))
    return Entry(get("road", ""), get("estate", ""), numbers, tuple(get("localities", ())))


def _communities(places: Places, areas: Areas) -> tuple[NDArray[np.int32], list[str]]:
    """Index of each address's community, and their names."""
    index: dict[str, int] = {}
    names: list[str] = []
    of_grid: dict[int, int] = {-1: -1}
    for one, facts in places.facts.items():
        if facts.community not in index:
            index[facts.community] = len(names)
            names.append(facts.community_name)
        of_grid[one] = index[facts.community]
    grids, inverse = np.unique(areas.first, return_inverse=True)
    found = np.array([of_grid[int(one)] for one in grids], np.int32)
    return found[inverse], names


def _straddling(
    session: Session, places: Places, buildings: Int, lon: Float, lat: Float
) -> dict[int, tuple[str, ...]]:
    """Addresses whose building lies in several grids, with the codes of these."""
    of_address = places.grids.locator.locate(lon, lat).area
    by_building = np.argsort(buildings, kind="stable")
    ordered = buildings[by_building]
    found: dict[int, tuple[str, ...]] = {}
    for footprints in _chunks(session, _BUILDINGS, places.county):
        ids = np.array([one for one, _ in footprints], np.int64)
        shapes = shapes_from_wkb([wkb for _, wkb in footprints])
        begin, end = np.searchsorted(ordered, ids[0]), np.searchsorted(ordered, ids[-1], "right")
        rows = by_building[begin:end]
        at = np.searchsorted(ids, buildings[rows])
        housed = ids[at] == buildings[rows]
        _measure(places, shapes, at[housed], rows[housed], of_address, found)
    return found


def _measure(
    places: Places,
    shapes: NDArray[np.object_],
    at: Int,
    rows: Int,
    of_address: Int,
    found: dict[int, tuple[str, ...]],
) -> None:
    """Add addresses by the footprint of each (position in `shapes`).

    Only footprints with a corner in another grid than the address are measured.
    """
    corners, owner = shapely.get_coordinates(shapes, return_index=True)
    of_corner = places.grids.locator.locate(corners[:, 0], corners[:, 1]).area
    low, high = np.full(len(shapes), np.iinfo(np.int64).max), np.full(len(shapes), -2)
    np.minimum.at(low, owner, of_corner)
    np.maximum.at(high, owner, of_corner)
    crossing = (low[at] != of_address[rows]) | (high[at] != of_address[rows])
    measured: dict[int, tuple[str, ...]] = {}
    for one, row in zip(at[crossing].tolist(), rows[crossing].tolist(), strict=True):
        if one not in measured:
            shares = places.shares(shapes[one])
            measured[one] = tuple(each.code for each in shares if each.share >= _STRADDLES)
        if len(measured[one]) > 1:
            found[row] = measured[one]
