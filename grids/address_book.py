"""The address book of a county: its known addresses, and in which grid each lies."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.store import shapes_from_wkb
from gis.address import AddressTable, Areas, Entry, Lookup, Numbers, entry_of, look_up
from grids.places import Places

__all__ = ["AddressBook", "book_version", "load_book", "renewed_book"]

# A footprint that lies in a second grid by this share is in both.
_STRADDLES = 0.05
_ADDRESSES = (
    "SELECT coalesce(components->>'text', text), "
    "components, ST_X(geom), ST_Y(geom), coalesce(building_id, 0), id "
    "FROM address WHERE county = %(county)s ORDER BY id"
)
_ALIASES = text("SELECT alias, name FROM place_alias WHERE county = :county ORDER BY id")
_VERSION = text("SELECT coalesce(max(version), 0) FROM address_version WHERE county = :county")
_BUILDINGS = (
    "SELECT id, ST_AsBinary(geom) FROM building WHERE county = %(county)s AND id IN "
    "(SELECT building_id FROM address WHERE county = %(county)s) ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class AddressBook:
    """Known addresses, their places, and their grids in one generation of the plan.

    Attributes
    ----------
    version : int
        Of the addresses in the database.
    ids : ndarray of int64, shape (n,)
        Numbers in the database.
    lon, lat : ndarray of float64, shape (n,)
        Degrees, EPSG:4326.
    straddling : dict of int to tuple of str
        Row → codes of the grids that its building lies in, where there are several.
    areas : Areas
        By the grid's id.
    places : Places
        The areas are these grids'.
    is_measured : bool
        Whether `straddling` was measured with these grids.
    """

    version: int
    table: AddressTable
    ids: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    straddling: dict[int, tuple[str, ...]]
    areas: Areas
    places: Places
    is_measured: bool = True

    def look_up(self, typed: str) -> Lookup:
        """Look a typed address up; its areas are ids of grids, -1 outside all of them."""
        return look_up(self.table, self.areas, typed)

    def rows_of_grid(self, code: str) -> NDArray[np.int32]:
        """Known addresses of one grid alone, by the grid's code; empty for no such grid."""
        grid = self.places.grid_of_code(code)
        if grid is None:
            return np.empty(0, np.int32)
        rows = np.flatnonzero(self.areas.first == grid.id)
        return np.array([row for row in rows if row not in self.areas.more], np.int32)

    def place(self, row: int) -> tuple[float, float]:
        """Where a known address is (lon, lat; EPSG:4326)."""
        return float(self.lon[row]), float(self.lat[row])


def book_version(session: Session, county: str) -> int:
    """How often the county's addresses have changed."""
    return int(session.scalar(_VERSION, {"county": county}) or 0)


def load_book(session: Session, places: Places) -> AddressBook:
    """Load the address book of a county; a million addresses take ten to twenty seconds."""
    county = places.county
    version = book_version(session, county)
    connection: Any = session.connection().connection.driver_connection
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_ADDRESSES, {"county": county}).fetchall()
        footprints = cursor.execute(_BUILDINGS, {"county": county}).fetchall()
    texts = [row[0] for row in rows]
    lon = np.array([row[2] for row in rows], float)
    lat = np.array([row[3] for row in rows], float)
    buildings = np.array([row[4] for row in rows], np.int64)
    straddling = _straddling(places, buildings, lon, lat, footprints)
    areas = _areas(places, texts, lon, lat, straddling)
    communities, names = _communities(places, areas)
    table = AddressTable.build(
        texts,
        _entries(rows),
        communities=communities,
        community_names=names,
        aliases=[(row.alias, row.name) for row in session.execute(_ALIASES, {"county": county})],
    )
    ids = np.array([row[5] for row in rows], np.int64)
    return AddressBook(version, table, ids, lon, lat, straddling, areas, places)


def renewed_book(book: AddressBook, places: Places) -> AddressBook:
    """The same addresses in the grids of another plan, or with other memberships.

    Notes
    -----
    Which footprints straddle grids is not measured anew: that takes a book of its own.
    """
    texts = book.table.texts
    areas = _areas(places, texts, book.lon, book.lat, book.straddling)
    measured = book.is_measured and places.grids is book.places.grids
    return replace(book, areas=areas, places=places, is_measured=measured)


def _entries(rows: list[Any]) -> Iterator[Entry]:
    for full, held, *_ in rows:
        if held is None:
            yield entry_of(full)
            continue
        get = held.get
        numbers = Numbers(get("door", ""), get("building", ""), get("unit", ""), get("room", ""))
        localities = tuple(get("localities", ()))
        yield Entry(get("road", ""), get("estate", ""), numbers, localities)


def _areas(
    places: Places,
    texts: Any,
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    straddling: dict[int, tuple[str, ...]],
) -> Areas:
    """The grid of each address: the table's word, then the building's, then the polygon's."""
    located = places.grids.locator.locate(lon, lat)
    ids = np.array([*places.grids.ids, -1], np.int32)
    first = ids[located.area]
    special = located.count > 1
    if places.buildings is not None:
        special |= places.buildings.locator.locate(lon, lat).area >= 0
    if places.address_grids:
        named = np.fromiter((str(one) in places.address_grids for one in texts), bool, len(lon))
        special |= named
    id_of = {facts.code: one for one, facts in places.facts.items()}
    more: dict[int, tuple[int, ...]] = {}
    for row in np.flatnonzero(special).tolist():
        where = places.where(lon[row], lat[row], address=str(texts[row]))
        if where.grid is not None:
            first[row] = where.grid.id
            if where.others:
                more[row] = tuple(id_of[code] for code in where.others)
    for row, codes in straddling.items():
        if not special[row]:
            more[row] = tuple(id_of[code] for code in codes if code in id_of)
    return Areas(first, more)


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
    places: Places,
    buildings: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    footprints: list[Any],
) -> dict[int, tuple[str, ...]]:
    """Addresses whose building lies in several grids, with the codes of these.

    Only footprints with a corner in another grid than the address are measured.
    """
    if not footprints:
        return {}
    ids = np.array([one for one, _ in footprints], np.int64)
    shapes = shapes_from_wkb([wkb for _, wkb in footprints])
    corners, owner = shapely.get_coordinates(shapes, return_index=True)
    of_corner = places.grids.locator.locate(corners[:, 0], corners[:, 1]).area
    of_address = places.grids.locator.locate(lon, lat).area
    low, high = np.full(len(ids), np.iinfo(np.int64).max), np.full(len(ids), -2)
    np.minimum.at(low, owner, of_corner)
    np.maximum.at(high, owner, of_corner)
    at = np.searchsorted(ids, buildings)
    at[at == len(ids)] = 0
    housed = ids[at] == buildings
    crossing = housed & ((low[at] != of_address) | (high[at] != of_address))
    found: dict[int, tuple[str, ...]] = {}
    measured: dict[int, tuple[str, ...]] = {}
    for row in np.flatnonzero(crossing).tolist():
        one = int(at[row])
        if one not in measured:
            shares = places.shares(shapes[one])
            measured[one] = tuple(each.code for each in shares if each.share >= _STRADDLES)
        if len(measured[one]) > 1:
            found[row] = measured[one]
    return found
