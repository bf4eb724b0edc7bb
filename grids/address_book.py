"""The address book of a county: its known addresses, and in which grid each lies."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gis.address import AddressTable, Areas, Lookup, look_up
from gis.columns import Column
from grids.places import Places

__all__ = ["AddressBook", "areas_of", "renewed_book"]

_PART = 10_000
# What of places decides in which grid an address lies.
_DECIDES = ("grids", "facts", "buildings", "building_grids", "address_grids")


@dataclass(frozen=True, slots=True)
class AddressBook:
    """Known addresses, their places, and their grids in one generation of the plan.

    Attributes
    ----------
    version : str
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
    naming : Places
        The same with the memberships that these addresses have by their names: `places`, unless
        its memberships are of newer addresses.
    is_measured : bool
        Whether `straddling` was measured with these grids, and communities are called so.
    """

    version: str
    table: AddressTable
    ids: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    straddling: Mapping[int, tuple[str, ...]]
    areas: Areas
    places: Places
    naming: Places
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


def renewed_book(book: AddressBook, places: Places) -> AddressBook:
    """The same addresses in the grids of another plan, or with other memberships.

    Notes
    -----
    Which footprints straddle grids is not measured anew: that takes a book of its own.
    """
    naming, areas = _naming(book, places), book.areas
    if any(getattr(naming, part) is not getattr(book.naming, part) for part in _DECIDES):
        texts = book.table.columns.texts
        areas = areas_of(naming, texts, book.lon, book.lat, book.straddling)
    same = places.grids is book.places.grids and _called(places) == _called(book.places)
    measured = book.is_measured and same
    return replace(book, areas=areas, places=places, naming=naming, is_measured=measured)


def _called(places: Places) -> dict[str, str]:
    """Names of the communities, by code."""
    return {one.community: one.community_name for one in places.facts.values()}


def _naming(book: AddressBook, places: Places) -> Places:
    """The places with the memberships by name that the book's addresses have."""
    held = book.naming.address_grids
    if places.addresses == book.version or held == places.address_grids:
        return places
    grids = {one.grid for called in held.values() for one in called} - {0}
    return replace(places, address_grids=held) if grids <= places.facts.keys() else places


def areas_of(
    places: Places,
    texts: Column,
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    straddling: Mapping[int, tuple[str, ...]],
) -> Areas:
    """The grid of each address: the table's word, then the building's, then the polygon's.

    Parameters
    ----------
    texts : pyarrow.Array of large_string, length n
    lon, lat : ndarray of float64, shape (n,), degrees, EPSG:4326
    straddling : mapping of int to tuple of str
        As `AddressBook` has it.
    """
    located = places.grids.locator.locate(lon, lat)
    ids = np.array([*places.grids.ids, -1], np.int32)
    first = ids[located.area]
    special = located.count > 1
    if places.buildings is not None:
        special |= places.buildings.locator.locate(lon, lat).area >= 0
    if places.address_grids:
        special |= _named(places, texts)
    id_of = {facts.code: one for one, facts in places.facts.items()}
    more: dict[int, tuple[int, ...]] = {}
    members = set()
    for row in np.flatnonzero(special).tolist():
        where = places.where(lon[row], lat[row], address=texts[row].as_py())
        if where.grid is not None:
            first[row] = where.grid.id
            if where.others:
                more[row] = tuple(id_of[code] for code in where.others)
            elif where.by == "building":
                members.add(row)
    # A footprint in several grids leaves open what no membership decides.
    for row, codes in straddling.items():
        if row not in members:
            held = (*more.get(row, ()), *(id_of[code] for code in codes if code in id_of))
            more[row] = tuple(dict.fromkeys(held))
    return Areas(first, more)


def _named(places: Places, texts: Column) -> NDArray[np.bool_]:
    """Which addresses are known to belong to a grid by their text."""
    found = np.zeros(len(texts), bool)
    for part in range(0, len(texts), _PART):
        held = texts[part : part + _PART].to_pylist()
        found[part : part + _PART] = [text in places.address_grids for text in held]
    return found
